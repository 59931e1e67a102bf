"""What 200,000 runs over 60 days cost: disk, inodes, and the time of the commands that list, report and prune them."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import table

from codeintel_obs.ledger.encoding import ids_of, line, own, step_begin, step_end
from codeintel_obs.runs import Run, new_span_id
from codeintel_obs.steps import Status, Step

DAY_S = 86_400
STEPS = 4
REFERENCE = "lstat of every file of the ledger"


def fill(data_dir: Path, runs: int, days: int) -> None:
    """Write ``runs`` closed runs of some steps each, spread over ``days`` days up to now; one in 50 failed."""
    now = time.time_ns()
    for number in range(runs):
        ts_ns = now - days * DAY_S * 10**9 * (runs - number) // runs
        _write(data_dir, number, ts_ns)


def _write(data_dir: Path, number: int, ts_ns: int) -> None:
    run = Run(name="GET /search", session_id=f"session-{number % 997}")
    run.ts_ns, run.day = ts_ns, time.strftime("%Y-%m-%d", time.gmtime(ts_ns // 10**9))
    ids = ids_of(run.run_id, run.attempt, run.session_id)
    at = (ts_ns, run.mono_ns)
    tails = [own("run.begin", ids, {"name": run.name, "parent_run_id": "p", "pid": 1}, at=at, trace_id=run.trace_id)]
    for kind in ("http.request", "faiss.search", "duckdb.query", "bm25.search")[:STEPS]:
        step = Step(run, kind, "bench", payload={"k": 10, "nq": 1})
        step.span_id, step.trace_id, step.thread = new_span_id(), run.trace_id, "MainThread"
        step.ts_ns = step.end_ts_ns = ts_ns
        step.status, step.duration_ns = Status.COMPLETED if number % 50 else Status.FAILED, 1000
        tails += [step_begin(step, ids), step_end(step, ids)]
    outcome = "failed" if number % 50 == 0 else "completed"
    tails.append(own("run.end", ids, {"outcome": outcome, "open": [], "records": len(tails) + 1}, at=at))
    path = data_dir / "telemetry/runs" / run.day / f"{run.run_id}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line(n, tail) for n, tail in enumerate(tails, 1)))
    path.chmod(0o440)
    os.utime(path, ns=(ts_ns, ts_ns))


def look(data_dir: Path) -> tuple[int, int, float]:
    """Return the files, their bytes on the disk, and how long asking for them took."""
    begun, files, size = time.perf_counter(), 0, 0
    for folder, _, names in os.walk(data_dir / "telemetry/runs"):
        for name in names:
            size += os.lstat(os.path.join(folder, name)).st_blocks * 512
            files += 1
    return files, size, time.perf_counter() - begun


def timed(*words: str) -> tuple[float, int]:
    """Return wall seconds and peak MiB of one command."""
    command = [sys.executable, "-m", "codeintel_obs.cli", *words]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words} ended with {process.returncode}")
    return time.perf_counter() - begun, usage.ru_maxrss // 1024


def main() -> None:
    """Print the table; every figure is of one run on one machine, and only the ratios travel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder)
        fill(data_dir, options.runs, options.days)
        files, size, _ = look(data_dir)
        unit = min(look(data_dir)[2] for _ in range(3))
        oldest = min((data_dir / "telemetry/runs").glob("*/*.jsonl")).stem
        rows = [["what", "wall", "ratio", "peak memory"], [REFERENCE, f"{unit:.2f} s", "1", ""]]
        where = ("--data-dir", folder)
        for words in (
            ("runs", *where),
            ("runs", *where),
            ("report", "--last", *where),
            ("report", oldest, *where),
            ("runs", "--failed", "--limit", "0", "--json", *where),
            ("runs", "--failed", "--limit", "0", "--json", *where),
            ("runs", "--session", "nobody", *where),
            ("prune", "--max-days", str(options.days / 2), "--max-bytes", "1T", "--min-free", "0", "--dry-run", *where),
            ("prune", "--max-days", str(options.days / 2), "--max-bytes", "1T", "--min-free", "0", *where),
        ):
            wall, peak = timed(*words)
            shown = " ".join("OLDEST" if word == oldest else word for word in words if word not in where)
            rows.append([f"`{shown}`", f"{wall:.1f} s", f"{wall / unit:.1f}", f"{peak} MiB"])
        index = sum(each.stat().st_size for each in (data_dir / "telemetry/index").iterdir())
    title = f"{options.runs:,} runs over {options.days} days: {files:,} inodes, {size / 2**20:,.0f} MiB on the disk"
    print(table(f"{title}; the index of runs {index / 2**20:,.1f} MiB of what is left", rows))


if __name__ == "__main__":
    main()
