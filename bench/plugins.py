"""What each plugin adds to its library's cheapest call and to a realistic one, as a ratio within one run.

Each row takes the CPU of the bare library and of the recorded one in turns: unwrapped, then wrapped with begin and end
records in the kernel. A library that is not installed is named as not measured.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import asked
import searched
import served
from measure import low_quantile, table

from codeintel_obs import guard
from codeintel_obs.launch.sinks import Sinks
from codeintel_obs.recorder import Recorder, install
from codeintel_obs.runs import Run
from codeintel_obs.settings import load
from codeintel_obs.spans import Spans
from codeintel_obs.testing import installed_plugins

Call = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One call of one library: ``make`` prepares it, ``times`` is how often a round does it."""

    plugin: str
    what: str
    make: Callable[[], Call]
    times: int
    settings: dict[str, Any] = field(default_factory=dict)


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


# -- seams ---------------------------------------------------------------------------------------------------------------


def stage(query: str, limit: int) -> dict[str, list[int]]:
    return {"hits": [limit], "query": query}  # type: ignore[dict-item]


def longer_stage(query: str, limit: int) -> dict[str, list[int]]:
    """A millisecond of work in Python, as a fusion of some hundred candidates takes."""
    return {"hits": sorted(hash((query, number)) for number in range(2500))[:limit]}


service = types.ModuleType("bench_service")
service.stage, service.longer_stage = stage, longer_stage  # type: ignore[attr-defined]
sys.modules["bench_service"] = service


def seam(name: str) -> dict[str, Any]:
    payload = {"query_len": "len(args.query)", "limit": "number(args.limit)", "hits": "len(result.hits)"}
    return {"seams": [{"target": f"bench_service:{name}", "kind": "bench.stage", "payload": payload}]}


# -- sentence_transformers -----------------------------------------------------------------------------------------------


def tiny(kind: str, cls: str) -> Any:
    """A model of one layer and random weights: the cheapest that there is."""
    import sentence_transformers
    import torch
    import transformers

    folder = Path(tempfile.mkdtemp())
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n")
    config = transformers.BertConfig(
        vocab_size=7, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=1
    )
    getattr(transformers, f"Bert{kind}")(config).save_pretrained(folder)
    transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.set_num_threads(1)
    return getattr(sentence_transformers, cls)(str(folder), device="cpu")


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


ROWS = (
    Row("bm25", "get_scores_from_ids, 2 documents", bm25_cheapest, 500),
    Row("bm25", "retrieve, 20,000 documents, k 10", bm25_realistic, 20),
    Row("codeintel_rev", "budget, one query", searched.budget_alone, 1000),
    Row("codeintel_rev", "a hybrid search with its model", searched.search, 10),
    Row("onnxruntime", "run, one number", onnxruntime_cheapest, 1000),
    Row("onnxruntime", "MiniLM, one sentence", onnxruntime_realistic, 5),
    Row(
        "seams", "a function that does nothing, 3 keys", lambda: lambda: service.stage("query", 3), 1000, seam("stage")
    ),  # type: ignore[attr-defined]
    Row(
        "seams",
        "a millisecond of Python, 3 keys",
        lambda: lambda: service.longer_stage("query", 3),  # type: ignore[attr-defined]
        30,
        seam("longer_stage"),
    ),
    Row("fastapi", "Starlette, one word, a run of its own", served.fastapi_cheapest, 200),
    Row("fastapi", "Starlette, one word, excluded path", served.fastapi_excluded, 500),
    Row("fastapi", "FastAPI, a millisecond of Python, a model", served.fastapi_realistic, 50),
    Row("http_client", "httpx, two bytes over loopback", asked.httpx_cheapest, 100),
    Row("http_client", "requests, two bytes over loopback", asked.requests_cheapest, 100),
    Row("http_client", "httpx, embeddings of 32 texts", asked.httpx_realistic, 20, {"vllm_hosts": "127.0.0.1"}),
    Row("mcp", "MCPServer in memory, one word, a run of its own", served.mcp_cheapest, 100),
    Row("mcp", "FastMCP in memory, a millisecond of Python", served.mcp_realistic, 30),
    Row("embeddings", "encode, one layer, one text", embeddings_cheapest, 20),
    Row("splade", "encode, one layer, one text", splade_cheapest, 20),
    Row("rerank", "predict, one layer, one pair", rerank_cheapest, 20),
    Row("rerank", "rank, one layer, 50 documents", rerank_realistic, 3),
)


# -- measuring -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def recording(folder: str, names: set[str], settings: dict[str, Any]) -> Iterator[Recorder]:
    """Record into ``folder`` with the built-in sinks of these names."""
    effective = load({}, folder, settings)
    sinks = Sinks(effective, [each for each in entry_points(group="codeintel_obs") if each.name in names])
    run = Run(name="bench")
    run.is_process = True
    active = Recorder(effective, run, sinks.listeners(), Spans(None))
    sinks.configure(effective, active, dict)
    install(active)
    try:
        yield active
    finally:
        active.shutdown()
        install(None)
    if guard.counts:
        raise SystemExit(f"errors of ours, the figures mean nothing: {dict(guard.counts)}")


def timed(call: Call, times: int) -> float:
    """Return the CPU that one call takes in µs, that of all threads: a busy machine adds waiting, and little of this."""
    begun = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - begun) / times * 1e6


def settled(call: Call, times: int) -> float:
    """Return the same once the interpreter has adapted again: a change of a class undoes what it had learned."""
    timed(call, max(2, times // 4))
    return timed(call, times)


def plugin_of(row: Row, active: Recorder) -> Any:
    if row.plugin == "seams":
        from codeintel_obs.plugins.seams.instrumentor import SeamsInstrumentor

        made: Any = SeamsInstrumentor()
    else:
        made = installed_plugins()[row.plugin]()
    made.configure(active.settings)
    return made


def measure(row: Row, rounds: int) -> list[str]:
    """Return the row of the table: bare, added, ratio."""
    try:
        call = row.make()
    except ImportError as exc:
        return [row.plugin, row.what, "", "", f"not measured: {exc.name} is not installed"]
    bare, watched = [], []
    with tempfile.TemporaryDirectory() as folder, recording(folder, {"ledger", "spans"}, row.settings) as active:
        plugin = plugin_of(row, active)
        timed(call, row.times)
        for _ in range(rounds):
            bare.append(settled(call, row.times))
            plugin.instrument()
            watched.append(settled(call, row.times))
            plugin.uninstrument()
    low, high = low_quantile(bare), low_quantile(watched)
    return [row.plugin, row.what, f"{low:.1f} µs", f"+{high - low:.1f} µs", f"{high / low:.2f}"]


def counted(rounds: int, times: int = 1000) -> list[list[str]]:
    """Return rows: what the metrics sink adds to a step, looking for a provider, and serving Prometheus."""
    from codeintel_obs import StepEvent, emit_step

    def step() -> None:
        emit_step(StepEvent("bench.instant"))

    def cost(names: set[str], **settings: Any) -> float:
        with tempfile.TemporaryDirectory() as folder, recording(folder, names, settings):
            timed(step, times)
            return low_quantile([timed(step, times) for _ in range(rounds)])

    plain = cost({"ledger", "spans"})
    costs = {
        "an instant step, no metrics wanted": cost({"ledger", "spans", "metrics"}),
        "an instant step, served for Prometheus": cost({"ledger", "spans", "metrics"}, prometheus="127.0.0.1:0"),
    }
    return [["metrics", k, f"{plain:.1f} µs", f"+{v - plain:.1f} µs", f"{v / plain:.2f}"] for k, v in costs.items()]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", help="only the rows of this plugin")
    options = parser.parse_args()
    rows = [["plugin", "call", "bare CPU, p10", "added", "ratio"]]
    for row in ROWS:
        if options.only in (None, row.plugin):
            print(f"{row.plugin}: {row.what}", file=sys.stderr)
            rows.append(measure(row, options.rounds))
    if options.only in (None, "metrics"):
        rows += counted(options.rounds)
    print(table(f"Plugins ({options.rounds} rounds each, bare and recorded in turns)", rows))


if __name__ == "__main__":
    main()
