"""What reading a ledger costs, as a ratio to a typed decode of the same file; each reader in a process of its own."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from measure import table

REFERENCE = "msgspec typed decode, line by line"
BUDGET = "2 x, under 200 MiB"
_EVENTS = ("step.begin", "step.end")


def typed_decode(path: str) -> int:
    """Decode each line into the reader's own struct, and check nothing."""
    import msgspec

    from codeintel_obs.steps import Record

    decode = msgspec.json.Decoder(Record).decode
    with open(path, "rb") as file:
        return sum(decode(line).event in _EVENTS for line in file)


def read(path: str) -> int:
    """Read with every check of a line: its checksum, its number, its schema."""
    from codeintel_obs.ledger.reader import Line, read_stretches

    counted = 0
    for found in read_stretches(path):
        records = [found.record] if isinstance(found, Line) else found.records
        counted += sum(record.event in _EVENTS for record in records if record)
    return counted


def verify(path: str) -> int:
    """Prove the whole attempt, as `codeintel-obs verify` does."""
    from codeintel_obs.report.attempts import integrity_of

    found = integrity_of(_attempt(path))
    assert found.complete, found.problems
    return found.records - 2  # the run's begin and end


def report(path: str) -> int:
    """Make the Run Report, JSON included, as `codeintel-obs report` does."""
    from codeintel_obs.report.attempts import report_of
    from codeintel_obs.report.render_json import render

    made = report_of(_attempt(path))
    assert made.integrity.complete
    assert render(made)
    return 2 * made.steps_total


def _attempt(path: str):
    from codeintel_obs.report.attempts import every

    (attempt,) = every([str(Path(path).parents[3])])
    return attempt


def json_loads(path: str) -> int:
    with open(path, "rb") as file:
        return sum(json.loads(line)["event"] in _EVENTS for line in file)


def orjson_loads(path: str) -> int:
    import orjson

    with open(path, "rb") as file:
        return sum(orjson.loads(line)["event"] in _EVENTS for line in file)


def duckdb_read_json(path: str) -> int:
    import duckdb

    query = "select count(*) from read_json(?, format='newline_delimited') where event in ('step.begin', 'step.end')"
    return duckdb.execute(query, [path]).fetchone()[0]


READERS: dict[str, tuple[Callable[[str], int], str, str]] = {
    REFERENCE: (typed_decode, "", "msgspec"),
    "our reader: checksums, numbers, schema": (read, BUDGET, "codeintel_obs"),
    "verify": (verify, "", "codeintel_obs"),
    "a whole Run Report": (report, "", "codeintel_obs"),
    "json.loads (peer, checks nothing)": (json_loads, "", "json"),
    "orjson.loads (peer, checks nothing)": (orjson_loads, "", "orjson"),
    "DuckDB read_json (peer, checks nothing)": (duckdb_read_json, "", "duckdb"),
}


def write(folder: str, records: int, *, chain: bool = False) -> str:
    """Record ``records`` begins and ends with the real recorder and sinks; return the file's path."""
    from hot_path import Null, library, recorder

    if chain:
        Path(folder, "codeintel_obs.toml").write_text("chain = true\n")
    with contextlib.redirect_stderr(io.StringIO()), recorder(folder, Null()):
        for _ in range(records // 2):
            library.search(None, 10)
    (path,) = Path(folder).rglob("*.jsonl")
    return str(path)


def measured(name: str, path: str) -> tuple[float, float, int]:
    """Return CPU seconds, peak resident MiB and what was counted, of one reader in a fresh process."""
    words = [sys.executable, __file__, "--reader", name, path]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    cpu, peak, counted = json.loads(done.stdout)
    return cpu, peak, counted


def _read_in_child(name: str, path: str) -> None:
    begun = time.process_time()
    counted = READERS[name][0](path)
    cpu = time.process_time() - begun
    print(json.dumps([cpu, _peak_mib(), counted]))


def _peak_mib() -> float:
    # not getrusage's maximum, which a child inherits from who started it
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def main() -> None:
    """Print the table of DESIGN's budget for reading."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--chain", action="store_true", help="read a chained ledger")
    parser.add_argument("--reader", nargs=2, metavar=("NAME", "FILE"), help="read FILE once; what a child does")
    options = parser.parse_args()
    if options.reader:
        _read_in_child(*options.reader)
        return
    present = [name for name, (_, _, module) in READERS.items() if find_spec(module)]
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, options.records, chain=options.chain)
        size = Path(path).stat().st_size / 2**20
        seen = {name: [measured(name, path) for _ in range(options.rounds)] for name in present}
    _print(seen, f"Reading {options.records:,} records, {size:.0f} MiB (least CPU of {options.rounds} rounds)")
    for name in READERS.keys() - set(present):
        print(f"not measured, not installed: {name}")


def _print(seen: dict[str, list[tuple[float, float, int]]], title: str) -> None:
    counted = {each[2] for rounds in seen.values() for each in rounds}
    if len(counted) != 1:
        raise SystemExit(f"the readers disagree, the figures mean nothing: {counted}")
    unit = min(cpu for cpu, _, _ in seen[REFERENCE])
    rows = [["reader", "CPU", "ratio", "peak memory", "budget"]]
    for name, rounds in seen.items():
        cpu, peak = min(each[0] for each in rounds), max(each[1] for each in rounds)
        rows.append([name, f"{cpu:.2f} s", f"{cpu / unit:.2f}", f"{peak:.0f} MiB", READERS[name][1]])
    print(table(title, rows))


if __name__ == "__main__":
    main()
