"""The calls of libraries that `bench/plugins.py` measures: the cheapest that there is, and one as applications make them.

Each function prepares its call and returns it; what is not installed raises ImportError, and its row is not measured.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Call = Callable[[], object]


def folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="codeintel-bench-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


# -- faiss ---------------------------------------------------------------------------------------------------------------


def _faiss_index(kind: str, number: int, d: int) -> tuple[Any, Any]:
    import faiss
    import numpy as np

    faiss.omp_set_num_threads(1)
    vectors = np.random.default_rng(3).random((number, d), "float32")
    index = faiss.index_factory(d, kind, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add(vectors)
    return index, vectors[:1]


def faiss_cheapest() -> Call:
    index, query = _faiss_index("Flat", 2, 2)
    return lambda: index.search(query, 1)


def faiss_realistic() -> Call:
    index, query = _faiss_index("Flat", 20_000, 384)
    return lambda: index.search(query, 50)


# -- duckdb --------------------------------------------------------------------------------------------------------------


def duckdb_cheapest() -> Call:
    import duckdb

    connection = duckdb.connect()
    return lambda: connection.execute("select 1").fetchone()


def duckdb_realistic() -> Call:
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    connection.execute(
        "create table chunks as select range as id, range % 97 as file, 'line ' || range as text from range(50000)"
    )
    asked = "select id, file, text from chunks where id in (select unnest(?)) order by id"
    ids = list(range(0, 50_000, 1000))
    return lambda: connection.execute(asked, [ids]).fetchall()


# -- git -----------------------------------------------------------------------------------------------------------------


def _repository(commits: int) -> Any:
    import git

    root = folder()
    repository = git.Repo.init(root)
    with repository.config_writer() as config:
        config.set_value("user", "name", "bench")
        config.set_value("user", "email", "bench@example.invalid")
    for number in range(commits):
        (root / "file.py").write_text("\n".join(f"line {each} of {number % (each + 1)}" for each in range(200)))
        repository.git.add("-A")
        repository.git.commit("-qm", f"commit {number}")
    return repository


def git_cheapest() -> Call:
    repository = _repository(1)
    return lambda: repository.git.rev_parse("HEAD")


def git_realistic() -> Call:
    repository = _repository(20)
    return lambda: repository.blame("HEAD", "file.py")


# -- logging -------------------------------------------------------------------------------------------------------------


def _logger(handler: logging.Handler) -> logging.Logger:
    logger = logging.getLogger(f"bench.{type(handler).__name__}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    return logger


def logging_cheapest() -> Call:
    logger = _logger(logging.NullHandler())
    return lambda: logger.info("hello")


def logging_realistic() -> Call:
    handler = logging.FileHandler(os.devnull)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = _logger(handler)
    return lambda: logger.info("%s found %d of %d in %.1f ms", "bm25", 10, 50_000, 3.25)


# -- bm25 ----------------------------------------------------------------------------------------------------------------


def bm25(documents: int) -> Any:
    import bm25s
    import numpy as np

    words = np.random.default_rng(3).integers(0, 5000, (documents, 30))
    index = bm25s.BM25()
    index.index([[f"w{word}" for word in document] for document in words], show_progress=False)
    return index


def bm25_cheapest() -> Call:
    index = bm25(2)
    return lambda: index.get_scores_from_ids([0])


def bm25_realistic() -> Call:
    index, query = bm25(20_000), [["w1", "w22", "w333", "w4444"]]
    return lambda: index.retrieve(query, k=10, show_progress=False, backend_selection="numpy")


# -- onnxruntime ---------------------------------------------------------------------------------------------------------


def onnxruntime_cheapest() -> Call:
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, helper

    shape = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", shape[:1], shape[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {"x": np.ones(1, "float32")}
    return lambda: session.run(None, feed)


def onnxruntime_realistic() -> Call:
    from codeintel_rev.config.settings import Settings
    from codeintel_rev.io.embedder import MiniLMEmbedder

    embedder = MiniLMEmbedder.load(Settings(cache_dir=Path(tempfile.gettempdir()) / "codeintel-bench"))
    return lambda: embedder.embed("parse the header of a file and return its fields as a mapping")


# -- sentence_transformers -----------------------------------------------------------------------------------------------


def tiny(kind: str, cls: str) -> Any:
    """A model of one layer and random weights: the cheapest that there is."""
    import sentence_transformers
    import torch
    import transformers

    here = folder()
    (here / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n")
    config = transformers.BertConfig(
        vocab_size=7, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=1
    )
    getattr(transformers, f"Bert{kind}")(config).save_pretrained(here)
    transformers.BertTokenizerFast(vocab=str(here / "vocab.txt")).save_pretrained(here)
    torch.set_num_threads(1)
    return getattr(sentence_transformers, cls)(str(here), device="cpu")


def embeddings_cheapest() -> Call:
    model = tiny("Model", "SentenceTransformer")
    return lambda: model.encode("the cat", show_progress_bar=False)


def splade_cheapest() -> Call:
    model = tiny("ForMaskedLM", "SparseEncoder")
    return lambda: model.encode("the cat", show_progress_bar=False)


def rerank_cheapest() -> Call:
    model = tiny("ForSequenceClassification", "CrossEncoder")
    return lambda: model.predict(["the cat", "the cat"], show_progress_bar=False)


def rerank_realistic() -> Call:
    model = tiny("ForSequenceClassification", "CrossEncoder")
    documents = [f"the cat {number} " * 20 for number in range(50)]
    return lambda: model.rank("the cat", documents, show_progress_bar=False)


def encoding(documents: int, kind: str, cls: str) -> Call:
    """Return an encoding of some documents of forty words by a model of one layer: ours, and little else."""
    model = tiny(kind, cls)
    texts = ["the cat " * 20] * documents
    return lambda: model.encode(texts, show_progress_bar=False)


def embeddings_realistic() -> Call:
    return encoding(50, "Model", "SentenceTransformer")


def splade_realistic() -> Call:
    return encoding(50, "ForMaskedLM", "SparseEncoder")


# -- vllm ----------------------------------------------------------------------------------------------------------------


def _engines() -> Any:
    """Return the engines that the tests of vLLM have, in this process."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    import in_vllm

    os.environ.update(in_vllm.ENVIRONMENT)
    import in_vllm_engines

    return in_vllm_engines


def vllm_cheapest() -> Call:
    """Return the completion of one word with one token, by a tiny model of random weights."""
    import vllm

    model, one = _engines().writer(), vllm.SamplingParams(temperature=0, max_tokens=1)
    return lambda: model.generate("the", one, use_tqdm=False)


def vllm_realistic() -> Call:
    """Return the embedding of 32 sentences by MiniLM."""
    import vllm  # noqa: F401 - who has none is not measured

    model, texts = _engines().embedder(), ["parse the header of a file and return its fields as a mapping"] * 32
    return lambda: model.embed(texts, use_tqdm=False)
