"""What the supervisor writes: one exit, in a file of its own, or in the run that nobody else began."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codeintel_obs.ledger.supervise import write_process_exit
from codeintel_obs.runs import Run, join

LIBRARIES = Path(__file__).parent / "libraries"


@pytest.fixture
def kit(monkeypatch):
    """The tests' workload module."""
    monkeypatch.syspath_prepend(str(LIBRARIES))
    import ledger_workload

    return ledger_workload


@pytest.mark.parametrize(
    ("code", "seen", "outcome"),
    [(0, {"code": 0}, "completed"), (3, {"code": 3}, "failed"), (-9, {"signal": 9}, "interrupted")],
)
def test_a_child_without_a_record_is_told_of(tmp_path, kit, code, seen, outcome):
    """When the child left no record the supervisor begins the run, writes its exit, and ends the run."""
    run = Run("job", name="cmd")
    path = write_process_exit(run, kit.LedgerSettings(str(tmp_path)), 4711, code)
    records = kit.lines(path)
    assert [record.event for record in records] == ["run.begin", "process.exit", "run.end"]
    assert records[1].payload == {"pid": 4711, **seen}
    assert records[2].payload == {"name": "cmd", "outcome": outcome, "open": [], "records": 3}
    assert kit.integrity(tmp_path, "job").complete


def test_a_childs_run_is_joined(tmp_path, kit):
    """When the child began the run the supervisor joins it with a file of its own, and ends nothing."""
    minted = Run("job")
    minted.joins = True
    work = kit.Workload(tmp_path)
    childs = work.run(carrier=minted.carrier())
    work.steps(childs)
    work.finish(childs)
    work.close()
    path = write_process_exit(join(minted.carrier()), kit.LedgerSettings(str(tmp_path)), 4711, -15)
    records = kit.lines(path)
    assert [record.event for record in records] == ["writer.begin", "process.exit", "writer.end"]
    assert Path(path).name.startswith(f"job~{minted.attempt}~")
    found = kit.integrity(tmp_path, "job")
    assert (found.complete, found.files, found.records) == (True, 2, 7)


def test_a_disk_that_refuses_is_no_error(tmp_path, kit):
    """Where nothing can be written the supervisor says so by returning no path."""
    (tmp_path / "data").write_text("in the way")
    assert write_process_exit(Run("job"), kit.LedgerSettings(str(tmp_path / "data")), 1, 1) is None


def test_the_supervisor_stays_small():
    """Writing an exit imports nothing of OpenTelemetry, wrapt or pluggy, and no watched library."""
    code = (
        "import sys, codeintel_obs.ledger.supervise\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}\n"
        "    & {'opentelemetry', 'wrapt', 'pluggy', 'faiss', 'duckdb', 'git', 'numpy', 'asyncio'}))"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
