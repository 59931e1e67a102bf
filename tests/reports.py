"""Run Reports made by hand, whole and small; shared by the tests of how a report is shown."""

from __future__ import annotations

from typing import Any

from codeintel_obs.report_model import (
    ChainEntry,
    DidNotRun,
    IntegrityFacts,
    PluginFacts,
    ProcessFacts,
    Raised,
    ReportError,
    ReportLog,
    ReportStep,
    RunReport,
    StopReason,
    Told,
)

RUN = "20261122T221245.231-8d1b5d6844"
PLACE = f"2026-11-22/{RUN}.jsonl"
NO_FILE = 'IO Error: Cannot open file "/no/such.duckdb": No such file or directory'
_LISTS = (
    "trace_ids", "outcome_evidence", "steps", "did_not_run", "in_flight", "handled_failures", "recovered", "spans", "logs",
    "disagreements", "processes", "plugins", "warnings", "hints", "sections",
)  # fmt: skip


def cite(n: int) -> list[str]:
    return [f"{PLACE}:{n}"]


def step(name: str, parent: str | None = None, status: str = "completed", **fields: Any) -> ReportStep:
    """Return a step; ``at`` is its begin in µs after the run's."""
    at = fields.pop("at", 0)
    values: dict[str, Any] = {
        "kind": "faiss.search",
        "detail": None,
        "payload": {},
        "started_at": f"2026-11-22T22:{12 + at // 60_000_000:02d}:{at // 1_000_000 % 60:02d}.{at % 1_000_000:06d}Z",
        "duration_ns": None if status in {"in_flight", "skipped"} else 1_500_000,
        "process": "h-1",
        "error": None,
        "evidence": cite(2),
        **fields,
    }
    return ReportStep(id=name, parent=parent, status=status, **values)


def report(**fields: Any) -> RunReport:
    """Return a report of a run of which nothing is said but ``fields``."""
    nothing: dict[str, Any] = {name: None for name in RunReport.__struct_fields__ if name != "schema"}
    whole = IntegrityFacts(
        complete=True, files=1, records=9, gaps=[], bad_crc=[], torn_tail=[], duplicates=[], dropped=0
    )
    counts = {"attempt": 1, "attempts": 1, "steps_omitted": 0, "spans_total": 0, "ran": {}}
    said = {"run_id": RUN, "token": "a" * 16, "outcome": "completed", "name": "app.py",
            "ledger_path": f"/d/telemetry/runs/{PLACE}", "integrity": whole,
            "started_at": "2026-11-22T22:12:00.000000Z"}  # fmt: skip
    totals = {"steps_total": len(fields.get("steps", ())), "logs_total": len(fields.get("logs", ()))}
    return RunReport(**{**nothing, **{name: [] for name in _LISTS}, **counts, **said, **totals, **fields})


def failed() -> RunReport:
    """Return the report of a request that failed: a handled failure, a skip, thirty equal searches, two in flight."""
    error = ReportError(type="_duckdb.IOException", message=NO_FILE, id="e1",
                        chain=[ChainEntry(id="e0", type="FileNotFoundError", via="cause", of="e1")])  # fmt: skip
    lost = ReportError(type="FileNotFoundError", message="[Errno 2] No such file or directory: 'bm25/index'", id="e2")
    steps = [
        step("request", None, "failed", kind="http.request", error=error, duration_ns=4_200_000_000,
             payload={"method": "GET", "path": "/search", "status_code": 503}, evidence=cite(2)),
        step("gather", "request", kind="retrieval.gather_channels", at=40_000, duration_ns=2_300_000_000),
        *(step(f"search{n:02d}", "gather", at=480_000 + n * 30_000, payload={"k": 10, "nq": 1}) for n in range(30)),
        step("bm25", "gather", "failed", kind="bm25.search", at=500_000, error=lost, evidence=cite(67)),
        step("splade", "gather", "skipped", kind="splade.search", at=520_000, detail="model not configured"),
        step("connect", "request", "failed", kind="duckdb.connect", at=2_500_000, error=error, evidence=cite(71)),
        step("process", "request", "in_flight", kind="git.process", at=2_600_000, payload={"subcommand": "blame"}),
        step("blame", "process", "in_flight", kind="git.blame", at=2_650_000, payload={"path": "src/app.py"}),
    ]  # fmt: skip
    trail = [Raised(error_id="e1", error_type=error.type, via="end", step="request", evidence=cite(72)),
             Raised(error_id="e0", error_type="FileNotFoundError", via="cause", step="connect", evidence=cite(71))]  # fmt: skip
    levels = ("INFO", "WARNING", "ERROR")
    logs = [
        ReportLog(at=f"2026-11-22T22:12:0{n % 4}.000000Z", logger="search", level=levels[n % 3], text=f"channel {n} is out",
                  step="bm25", error=None, evidence=cite(100 + n)) for n in range(40)
    ]  # fmt: skip
    return report(
        name="GET /search", outcome="failed", duration_ns=4_200_000_000, ended_at="2026-11-22T22:12:04.200000Z",
        steps=steps, logs=logs, in_flight=["process", "blame"], handled_failures=["bm25"],
        stopped_because=StopReason(kind="duckdb.connect", status="failed", error_type=error.type, message=NO_FILE,
                                   step="connect", while_handling=[], trail=trail, evidence=cite(71)),
        did_not_run=[DidNotRun(kind="splade.search", why="skipped", detail="model not configured", count=1, evidence=cite(66)),
                     DidNotRun(kind="rerank.score", why="not_reached", detail=None, count=1, evidence=[f"{PLACE}:1-140"])],
        ran={"faiss.search": {"completed": 30}, "duckdb.connect": {"failed": 1}, "git.process": {"in_flight": 1}},
        hints=[Told(message="check that the file is there", evidence=cite(71))],
        warnings=[Told(message="2 records were dropped", evidence=cite(90))],
        processes=[ProcessFacts(process="h-1", writer="aa", host="node-3", pid=4711, service="rev", began=True, closed=True,
                                alive=False, evidence=cite(1))],
        plugins=[PluginFacts(name="faiss", process="h-1", library="faiss", version="1.15.1", disabled=None,
                             facts={"wrapped": 180}, not_wrapped=[], evidence=["m.json#faiss"])],
    )  # fmt: skip


def long(count: int) -> RunReport:
    """Return a report of ``count`` steps: a hundred requests, every thousandth step failed, the last one in flight."""
    steps = [step(f"r{n:03d}", kind="http.request", at=n * 500_000, duration_ns=490_000_000) for n in range(100)]
    kinds = ("faiss.search", "duckdb.query", "bm25.search")
    for n in range(count - 100):
        status = "in_flight" if n == count - 101 else "failed" if n % 1000 == 999 else "completed"
        steps.append(step(f"s{n:06d}", f"r{n % 100:03d}", status, kind=kinds[n % 3], at=(n % 100) * 500_000 + n // 100 * 4,
                          payload={"n": n, "database": f"part-{n % 17}"}, evidence=cite(n + 1)))  # fmt: skip
    return report(steps=steps, outcome="interrupted", in_flight=[steps[-1].id])
