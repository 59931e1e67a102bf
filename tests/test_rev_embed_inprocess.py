"""codeintel_rev, models inside this process: real code that needs torch, so here its absence and its checks are shown.

The real models were run once beside this suite (docs/retrieval.md); torch is 200 MB and no part of the default.
"""

import sys

import numpy as np
import pytest

from codeintel_rev.config.settings import EmbeddingSettings, RerankSettings, Settings
from codeintel_rev.errors import EmbeddingError, ModelUnavailableError, UsageError
from codeintel_rev.io.embedders import named_identity, open_embedder, unit_rows
from codeintel_rev.io.inprocess import InProcessEmbedder, loaded, named
from codeintel_rev.io.reranker import open_reranker


@pytest.mark.parametrize(
    ("kind", "module", "package"),
    [("sentence_transformers", "sentence_transformers", "sentence-transformers"), ("vllm_inprocess", "vllm", "vllm")],
)
def test_without_its_package_a_model_is_unavailable_and_the_mend_is_named(tmp_path, monkeypatch, kind, module, package):
    monkeypatch.setitem(sys.modules, module, None)
    own = Settings(cache_dir=tmp_path, embedding=EmbeddingSettings(kind=kind, model="some/model"))
    with pytest.raises(ModelUnavailableError, match=module) as caught:
        open_embedder(own)
    assert f"pip install {package}" in caught.value.mend


def test_without_its_package_a_cross_encoder_is_unavailable(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    own = Settings(cache_dir=tmp_path, rerank=RerankSettings(kind="cross_encoder", model="some/model"))
    with pytest.raises(ModelUnavailableError, match="sentence_transformers"):
        open_reranker(own)


def test_a_model_that_cannot_be_loaded_is_unavailable():
    def fail():
        raise OSError("some/model is not a local folder\nand much more")

    with pytest.raises(ModelUnavailableError) as caught:
        loaded(fail, "some/model")
    assert caught.value.what == "the model 'some/model' cannot be loaded: some/model is not a local folder"
    with pytest.raises(UsageError, match="no model is named"):
        loaded(lambda: named(""), "")


def test_switched_off_embeddings_say_so(tmp_path):
    with pytest.raises(ModelUnavailableError, match=r"switched off \(embedding\.kind = none\)"):
        open_embedder(Settings(cache_dir=tmp_path, embedding=EmbeddingSettings(kind="none")))


def test_what_both_libraries_have_alike():
    """Prefixes, hostile text, unit length, one call at a time; an error of the library's is one of ours with its words.

    The function stands for a library's own call: all that is tested here is around it.
    """
    seen = []

    def encode(texts):
        seen.append(texts)
        if "fail" in texts[0]:
            raise RuntimeError("out of memory")
        return [[3.0, 4.0]] * len(texts)

    settings = EmbeddingSettings(model="m", document_prefix="d: ", query_prefix="q: ")
    made = InProcessEmbedder("kind", settings, encode)
    assert (made.dim, made.identity) == (2, "kind:m+'d: '/2")
    np.testing.assert_allclose(made.embed(["a", "\udcff"]), [[0.6, 0.8], [0.6, 0.8]])
    np.testing.assert_allclose(made.embed_query("a"), [[0.6, 0.8]])
    assert made.embed([]).shape == (0, 2)
    assert seen == [["dimension"], ["d: a", "d: ?"], ["q: a"]]
    with pytest.raises(EmbeddingError, match="m failed: RuntimeError: out of memory"):
        made.embed(["fail"])


def test_vectors_are_brought_to_unit_length():
    """Whatever a model gives; a row of zeros has no direction and stays."""
    made = unit_rows([[3.0, 4.0], [0.0, 0.0]], 2, 2, "m")
    np.testing.assert_allclose(made, [[0.6, 0.8], [0.0, 0.0]])
    assert (made.dtype, made.flags.c_contiguous) == (np.float32, True)


@pytest.mark.parametrize(
    ("made", "count", "dim", "reason"),
    [
        ([[1.0, 2.0]], 2, 2, "gave .* for 2 texts"),
        ([[1.0, 2.0]], 1, 3, "dimension 2, expected 3"),
        ([[1.0, float("inf")]], 1, 2, "NaN or infinity"),
        ([[1.0], [1.0, 2.0]], 2, 0, "no vectors of one length"),
        ([1.0, 2.0], 2, 0, "gave"),
    ],
)
def test_what_are_no_vectors_is_refused(made, count, dim, reason):
    with pytest.raises(EmbeddingError, match=reason):
        unit_rows(made, count, dim, "m")


def test_an_identity_holds_all_that_changes_a_vector():
    """Kind, model, revision, dimension and the documents' prefix; not the queries'."""
    plain = EmbeddingSettings(model="m")
    named_alike = EmbeddingSettings(model="m", query_prefix="q: ")
    others = [EmbeddingSettings(model="m", revision="2"), EmbeddingSettings(model="m", document_prefix="d: ")]
    assert named_identity("vllm", plain, "m", 8) == named_identity("vllm", named_alike, "m", 8) == "vllm:m/8"
    made = {named_identity("vllm", own, "m", 8) for own in (plain, *others)}
    assert len(made | {named_identity("vllm", plain, "m", 9), named_identity("x", plain, "m", 8)}) == 5
