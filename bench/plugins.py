"""What each plugin adds to its library's cheapest call and to a realistic one, as a ratio within one run.

Each row takes the CPU of the bare library and of the recorded one in turns: unwrapped, then wrapped with begin and end
records in the kernel. A library that is not installed is named as not measured: torch and vLLM have environments of
their own (`make bench`, `make vllm`), and with ``--keep`` their rows come beside the others in ``bench/results/plugins.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
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
import libraries
import searched
import served
from measure import commit, low_quantile, table

from codeintel_obs import guard
from codeintel_obs.launch.sinks import Sinks
from codeintel_obs.recorder import Recorder, install
from codeintel_obs.runs import Run
from codeintel_obs.settings import load
from codeintel_obs.spans import Spans
from codeintel_obs.testing import installed_plugins

Call = Callable[[], object]
RESULTS = Path(__file__).parent / "results" / "plugins.json"


@dataclass(frozen=True)
class Row:
    """One call of one library: ``make`` prepares it, ``times`` is how often a round does it."""

    plugin: str
    what: str
    make: Callable[[], Call]
    times: int
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """What one call costs in µs of CPU, bare and recorded; or which module it lacks."""

    plugin: str
    what: str
    bare: float = 0.0
    watched: float = 0.0
    missing: str | None = None

    def cells(self) -> list[str]:
        """Return the row of the table."""
        if self.missing is not None:
            return [self.plugin, self.what, "", "", f"not measured: {self.missing} is not installed"]
        added, ratio = self.watched - self.bare, self.watched / self.bare
        return [self.plugin, self.what, f"{self.bare:.1f} µs", f"+{added:.1f} µs", f"{ratio:.2f}"]

    def as_json(self) -> dict[str, float]:
        return {
            "bare_us": round(self.bare, 1),
            "added_us": round(self.watched - self.bare, 1),
            "ratio": round(self.watched / self.bare, 3),
        }


# -- seams ---------------------------------------------------------------------------------------------------------------


def stage(query: str, limit: int) -> dict[str, list[int]]:
    return {"hits": [limit], "query": query}  # type: ignore[dict-item]


def longer_stage(query: str, limit: int) -> dict[str, list[int]]:
    """A millisecond of work in Python, as a fusion of some hundred candidates takes."""
    return {"hits": sorted(hash((query, number)) for number in range(2500))[:limit]}


service = types.ModuleType("bench_service")
service.stage, service.longer_stage = stage, longer_stage  # type: ignore[attr-defined]
sys.modules["bench_service"] = service


def nothing() -> Call:
    return lambda: service.stage("query", 3)  # type: ignore[attr-defined]


def a_millisecond() -> Call:
    return lambda: service.longer_stage("query", 3)  # type: ignore[attr-defined]


def seam(name: str) -> dict[str, Any]:
    payload = {"query_len": "len(args.query)", "limit": "number(args.limit)", "hits": "len(result.hits)"}
    return {"seams": [{"target": f"bench_service:{name}", "kind": "bench.stage", "payload": payload}]}


VLLM = {"vllm_hosts": "127.0.0.1"}
ROWS = (
    Row("faiss", "search, 2 vectors of 2", libraries.faiss_cheapest, 1000),
    Row("faiss", "search, 20,000 vectors of 384, k 50", libraries.faiss_realistic, 10),
    Row("duckdb", "select 1, fetchone", libraries.duckdb_cheapest, 500),
    Row("duckdb", "50 of 50,000 rows by id, fetchall", libraries.duckdb_realistic, 20),
    Row("git", "rev-parse HEAD", libraries.git_cheapest, 10),
    Row("git", "blame, 200 lines, 20 commits", libraries.git_realistic, 5),
    Row("bm25", "get_scores_from_ids, 2 documents", libraries.bm25_cheapest, 500),
    Row("bm25", "retrieve, 20,000 documents, k 10", libraries.bm25_realistic, 20),
    Row("onnxruntime", "run, one number", libraries.onnxruntime_cheapest, 1000),
    Row("onnxruntime", "MiniLM, one sentence", libraries.onnxruntime_realistic, 5),
    Row("embeddings", "encode, one layer, one text", libraries.embeddings_cheapest, 20),
    Row("embeddings", "encode, one layer, 50 texts", libraries.embeddings_realistic, 5),
    Row("splade", "encode, one layer, one text", libraries.splade_cheapest, 20),
    Row("splade", "encode, one layer, 50 texts", libraries.splade_realistic, 5),
    Row("rerank", "predict, one layer, one pair", libraries.rerank_cheapest, 20),
    Row("rerank", "rank, one layer, 50 documents", libraries.rerank_realistic, 3),
    Row("vllm", "generate, two layers, one token", libraries.vllm_cheapest, 20),
    Row("vllm", "embed, MiniLM, 32 sentences", libraries.vllm_realistic, 2),
    Row("http_client", "httpx, two bytes over loopback", asked.httpx_cheapest, 100),
    Row("http_client", "requests, two bytes over loopback", asked.requests_cheapest, 100),
    Row("http_client", "aiohttp, two bytes over loopback", asked.aiohttp_cheapest, 100),
    Row("http_client", "openai, an empty list of models", asked.openai_cheapest, 50),
    Row("http_client", "httpx, embeddings of 32 texts", asked.httpx_realistic, 20, VLLM),
    Row("http_client", "openai, embeddings of 32 texts", asked.openai_realistic, 10, VLLM),
    Row("fastapi", "Starlette, one word, a run of its own", served.fastapi_cheapest, 200),
    Row("fastapi", "Starlette, one word, excluded path", served.fastapi_excluded, 500),
    Row("fastapi", "FastAPI, a millisecond of Python, a model", served.fastapi_realistic, 50),
    Row("mcp", "MCPServer in memory, one word, a run of its own", served.mcp_cheapest, 100),
    Row("mcp", "FastMCP in memory, a millisecond of Python", served.mcp_realistic, 30),
    Row("logging", "info, a handler that does nothing", libraries.logging_cheapest, 1000),
    Row("logging", "info with four arguments, formatted, to /dev/null", libraries.logging_realistic, 500),
    Row("codeintel_rev", "budget, one query", searched.budget_alone, 1000),
    Row("codeintel_rev", "a hybrid search with its model", searched.search, 10),
    Row("seams", "a function that does nothing, 3 keys", nothing, 1000, seam("stage")),
    Row("seams", "a millisecond of Python, 3 keys", a_millisecond, 30, seam("longer_stage")),
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


def spent() -> float:
    """Return the CPU of this process, of all its threads and of the children that it waited for, in seconds."""
    taken = os.times()
    return time.process_time() + taken.children_user + taken.children_system


def timed(call: Call, times: int) -> float:
    """Return the CPU that one call takes in µs: a busy machine adds waiting, and little of this."""
    begun = spent()
    for _ in range(times):
        call()
    return (spent() - begun) / times * 1e6


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


def measure(row: Row, rounds: int) -> Measured:
    """Return what one row costs, bare and recorded."""
    try:
        call = row.make()
    except ImportError as exc:
        return Measured(row.plugin, row.what, missing=exc.name)
    bare, watched = [], []
    with tempfile.TemporaryDirectory() as folder, recording(folder, {"ledger", "spans"}, row.settings) as active:
        plugin = plugin_of(row, active)
        timed(call, row.times)
        for _ in range(rounds):
            bare.append(settled(call, row.times))
            plugin.instrument()
            watched.append(settled(call, row.times))
            plugin.uninstrument()
    return Measured(row.plugin, row.what, low_quantile(bare), low_quantile(watched))


def counted(rounds: int, times: int = 1000) -> list[Measured]:
    """Return what the metrics sink adds to a step, looking for a provider, and serving Prometheus."""
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
    return [Measured("metrics", what, plain, value) for what, value in costs.items()]


def kept(found: list[Measured], rounds: int) -> None:
    """Write what was measured to the results, beside what another environment measured."""
    about = {"commit": commit(), "python": platform.python_version(), "rounds": rounds}
    rows = {f"{each.plugin}: {each.what}": each.as_json() | about for each in found if each.missing is None}
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    order = [f"{row.plugin}: {row.what}" for row in ROWS]
    merged = known | rows
    RESULTS.write_text(json.dumps({key: merged[key] for key in [*order, *merged] if key in merged}, indent=1) + "\n")


def main() -> None:
    """Print the table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", nargs="+", help="only the rows of these plugins")
    parser.add_argument("--keep", action="store_true", help=f"write them to bench/results/{RESULTS.name}")
    options = parser.parse_args()
    found = []
    for row in ROWS:
        if options.only is None or row.plugin in options.only:
            print(f"{row.plugin}: {row.what}", file=sys.stderr)
            found.append(measure(row, options.rounds))
    if options.only is None or "metrics" in options.only:
        found += counted(options.rounds)
    head = ["plugin", "call", "bare CPU, p10", "added", "ratio"]
    title = f"Plugins ({options.rounds} rounds each, bare and recorded in turns)"
    print(table(title, [head, *(each.cells() for each in found)]))
    if options.keep:
        kept(found, options.rounds)


if __name__ == "__main__":
    main()
