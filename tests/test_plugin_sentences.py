"""What calls of sentence_transformers are recorded as: dense, sparse and cross encoders. Runs where that is installed."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest
import sentence_transformers
from sentence_transformers import CrossEncoder, SentenceTransformer, SparseEncoder, util
from workouts.embeddings_ import tiny

from codeintel_obs import Status
from codeintel_obs.plugins import sentences
from codeintel_obs.plugins.embeddings.instrumentor import EmbeddingsInstrumentor
from codeintel_obs.plugins.rerank.instrumentor import RerankInstrumentor
from codeintel_obs.plugins.splade.instrumentor import SpladeInstrumentor
from codeintel_obs.testing import recording

TEXTS = ["the cat", "the sea", "fish"]
PLUGINS = (EmbeddingsInstrumentor, SpladeInstrumentor, RerankInstrumentor)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def paths(folder):
    """A tiny model of each sort, on disk."""
    kinds = {"dense": "Model", "sparse": "ForMaskedLM", "cross": "ForSequenceClassification"}
    made = {}
    for name, kind in kinds.items():
        (folder / name).mkdir()
        made[name] = tiny(folder / name, kind)
    return made


def watched(**settings):
    return recording(*PLUGINS, **settings)


# -- dense ---------------------------------------------------------------------------------------------------------------


def test_an_encoding_says_model_and_shape(paths):
    """The model as it was asked for, the number of inputs, and the shape of what came out."""
    with watched() as told:
        SentenceTransformer(paths["dense"], device="cpu").encode(TEXTS, batch_size=2)
    load, encode = told.steps
    model = {"model": paths["dense"], "model_class": "SentenceTransformer"}
    assert (load.kind, told.payload(load)) == ("embeddings.load", model)
    assert encode.payload == {"count": 3, "method": "encode", "batch_size": 2, **model}
    assert encode.end_payload == {"rows": 3, "dim": 16}


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, {"rows": 1, "dim": 16}),
        ({"convert_to_tensor": True}, {"rows": 1, "dim": 16}),
        ({"output_value": "token_embeddings"}, {"rows": 3, "dim": 16}),
        ({"output_value": None}, {}),
    ],
    ids=["vector", "tensor", "tokens", "dict"],
)
def test_one_text_is_one_input(paths, options, shape):
    """A single text counts as one, whatever the sort of its answer; what is no array has no shape."""
    model = SentenceTransformer(paths["dense"], device="cpu")
    with watched() as told:
        model.encode("cat", **options)
    step = told.only("embeddings.encode")
    assert (step.payload["count"], step.end_payload or {}) == (1, shape)


def test_queries_and_documents_are_one_step_each(paths):
    """``encode_query`` calls ``encode``: one call of the application is one step, named by its method."""
    model = SentenceTransformer(paths["dense"], device="cpu")
    with watched() as told:
        model.encode_query("cat")
        model.encode_document(TEXTS, convert_to_numpy=False)
    assert [told.payload(step)["method"] for step in told.steps] == ["encode_query", "encode_document"]
    assert told.steps[1].end_payload == {"rows": 3, "dim": 16}


def test_a_model_of_unknown_origin_has_no_name(paths):
    """A model that was loaded before us has no name that anybody saw."""
    model = SentenceTransformer(paths["dense"], device="cpu")
    with watched() as told:
        model.encode("cat")
    assert "model" not in told.payload(told.only("embeddings.encode"))


def test_a_semantic_search_says_what_was_compared():
    """Queries, documents, k, and what was found; under either of its names."""
    vectors = np.eye(4, dtype="float32")
    with watched() as told:
        util.semantic_search(vectors[:2], vectors, top_k=3)
    assert told.payload(told.only("embeddings.search")) == {"queries": 2, "docs": 4, "k": 3, "results": 6}


def test_a_refused_encoding_is_failed(paths):
    """What the library refuses is failed with its own words."""
    model = SentenceTransformer(paths["dense"], device="cpu")
    with watched() as told, pytest.raises(ValueError, match="batch_size") as caught:
        model.encode(TEXTS, batch_size=0)
    step = told.only("embeddings.encode")
    assert (step.status, step.error.message) == (Status.FAILED, str(caught.value))


def test_a_model_that_is_not_there_fails_in_its_load(folder):
    """The load says which model was asked for."""
    with watched() as told, pytest.raises(OSError, match="none"):
        SentenceTransformer(str(folder / "none"), device="cpu", local_files_only=True)
    step = told.only("embeddings.load")
    assert (step.status, step.payload["model"]) == (Status.FAILED, str(folder / "none"))


def test_an_iterator_is_not_counted():
    """To count it would use it up, and a foreign object is not asked for its shape."""
    assert sentences.amount(iter(TEXTS)) is None
    assert sentences.amount(np.zeros((2, 3))) == 2


# -- sparse --------------------------------------------------------------------------------------------------------------


def test_a_sparse_encoding_says_how_many_dimensions_are_active(paths):
    """A sparse tensor knows its entries; a dense one would have to be searched, and is not."""
    model = SparseEncoder(paths["sparse"], device="cpu")
    with watched() as told:
        rows = model.encode(TEXTS)
        model.encode_query("cat", convert_to_sparse_tensor=False)
        model.encode_document(TEXTS, convert_to_tensor=False)
    dim = rows.shape[1]
    first, second, third = (step.end_payload for step in told.of("splade.encode"))
    assert first == {"rows": 3, "dim": dim, "active": rows._nnz()}
    assert second == {"rows": 1, "dim": dim}
    assert third == {"rows": 3, "dim": dim, "active": rows._nnz()}


@pytest.fixture
def qdrant():
    """A Qdrant in memory with three documents of one word each."""
    from qdrant_client import QdrantClient, models

    client = QdrantClient(":memory:")
    words = {"text": models.SparseVectorParams()}
    client.create_collection("docs", vectors_config={}, sparse_vectors_config=words)
    vectors = [{"text": models.SparseVector(indices=[word], values=[1.0])} for word in range(3)]
    client.upload_collection("docs", vectors=vectors, ids=[0, 1, 2])
    return client, "docs"


def test_a_search_in_an_engine_is_a_step(paths, qdrant):
    """The engine, the queries, k, and what was found; the documents are the engine's, and not counted."""
    from sentence_transformers.sparse_encoder import search_engines

    queries = SparseEncoder(paths["sparse"], device="cpu").encode(TEXTS[:1])
    with watched() as told:
        found, _ = search_engines.semantic_search_qdrant(queries, corpus_index=qdrant, top_k=2)
    expected = {"engine": "qdrant", "queries": 1, "k": 2, "results": len(found[0])}
    assert told.payload(told.only("splade.search")) == expected


# -- cross ---------------------------------------------------------------------------------------------------------------


def test_scores_say_how_many_pairs(paths):
    """Pairs in, scores out; one pair alone is one."""
    with watched() as told:
        model = CrossEncoder(paths["cross"], device="cpu")
        model.predict([["cat", "sea"], ["cat", "fish"]])
        model.predict(("cat", "sea"))
    load, first, second = told.steps
    model = {"model": paths["cross"], "model_class": "CrossEncoder"}
    assert (load.kind, told.payload(load)) == ("rerank.load", model)
    assert told.payload(first) == {"docs": 2, "method": "predict", **model, "results": 2}
    assert told.payload(second)["docs"] == 1


def test_a_ranking_is_one_step(paths):
    """Documents in, the best of them out: the prediction inside belongs to the ranking."""
    model = CrossEncoder(paths["cross"], device="cpu")
    with watched() as told:
        model.rank("cat", TEXTS, top_k=2)
    assert told.payload(told.only("rerank.score")) == {
        "docs": 3, "k": 2, "method": "rank", "model_class": "CrossEncoder", "results": 2,
    }  # fmt: skip


# -- all -----------------------------------------------------------------------------------------------------------------


def test_results_are_identical(paths):
    """The same bytes come out of each with and without the recorder."""

    def run():
        return [
            SentenceTransformer(paths["dense"], device="cpu").encode(TEXTS).tobytes(),
            SparseEncoder(paths["sparse"], device="cpu").encode(TEXTS).to_dense().numpy().tobytes(),
            CrossEncoder(paths["cross"], device="cpu").predict([["cat", each] for each in TEXTS]).tobytes(),
        ]

    bare = run()
    with watched():
        assert run() == bare


@pytest.mark.parametrize("denied", ["", "embeddings"])
def test_a_launched_program_is_recorded(paths, tmp_path, denied):
    """Three plugins wait for one library, each for its own part: each is there without the others."""
    (tmp_path / "app.py").write_text(
        "import sys, sentence_transformers as st\n"
        "st.SentenceTransformer(sys.argv[1], device='cpu').encode('cat')\n"
        "st.CrossEncoder(sys.argv[2], device='cpu').predict([['cat', 'sea']])\n"
    )
    command = [sys.executable, "-m", "codeintel_obs.cli"]
    program = [sys.executable, "app.py", paths["dense"], paths["cross"]]
    env = {**os.environ, "CODEINTEL_OBS_DISABLED_PLUGINS": denied}
    subprocess.run([*command, "run", "--", *program], cwd=tmp_path, env=env, check=True)
    told = subprocess.run(
        [*command, "report", "--last", "--format", "json"], cwd=tmp_path, capture_output=True, check=True
    )
    ran = set(json.loads(told.stdout)["ran"])
    dense = {"embeddings.load", "embeddings.encode"} if not denied else set()
    assert ran - {"python.import"} == {"rerank.load", "rerank.score"} | dense


# -- completeness --------------------------------------------------------------------------------------------------------


MODELS = {
    "SentenceTransformer": EmbeddingsInstrumentor,
    "MultiVectorEncoder": EmbeddingsInstrumentor,
    "SparseEncoder": SpladeInstrumentor,
    "CrossEncoder": RerankInstrumentor,
}


def public_methods(name):
    """Return the public methods of a model's class that the library defines, and its constructor."""
    cls = getattr(sentence_transformers, name, None)
    of_library = [each for each in cls.__mro__ if each.__module__.startswith("sentence_transformers")] if cls else []
    found = {each for base in of_library for each, value in vars(base).items() if is_method(each, value)}
    return sorted(found)


def is_method(name, value):
    return (not name.startswith("_") or name == "__init__") and (
        inspect.isfunction(value) or isinstance(value, (staticmethod, classmethod))
    )


def kinds_of(model, name):
    plugin = MODELS[model]
    watched = any(point.name == f"{model}.{name}" for point in plugin.points)
    excluded = any(fnmatchcase(name, pattern) for pattern in plugin.exclusions)
    return (["point"] if watched else []) + (["excluded"] if excluded else [])


@pytest.mark.parametrize("model", MODELS)
def test_every_public_method_is_classified_once(model):
    """Each method that a model's class has of the library is a point, or excluded with a reason."""
    names = public_methods(model)
    assert len(names) > 10 or not hasattr(sentence_transformers, model)
    assert {name: kinds for name in names if len(kinds := kinds_of(model, name)) != 1} == {}


def test_every_search_engine_is_a_point():
    """What the installed version can search sparse embeddings in is watched."""
    from sentence_transformers.sparse_encoder import search_engines

    points = {point.name for point in SpladeInstrumentor.points}
    engines = {name for name in vars(search_engines) if name.startswith("semantic_search_")}
    assert engines
    assert engines - points == set()


def test_a_method_that_nobody_classified_is_found():
    """The classification can fail: a new method has no place in it."""
    assert kinds_of("CrossEncoder", "conjure") == []


def test_the_files_of_this_test_are_known_to_the_one_that_runs_them():
    """This file is not collected where torch is not; the test that makes an environment for it names it."""
    from in_torch import FILES

    assert Path(__file__).name in FILES
