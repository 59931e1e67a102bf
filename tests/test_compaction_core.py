"""Without DuckDB, and in a watched process, a compacted run is known of, and who can read it is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import packing
import pytest

from codeintel_obs import guard
from codeintel_obs.errors import CompactedError
from codeintel_obs.launch.route_answers import report_answer, runs_answer
from codeintel_obs.ledger import opening
from codeintel_obs.ledger.retention import Limits, prune
from codeintel_obs.ledger.tombstones import pruned
from codeintel_obs.query.compaction import Wanted, compact
from codeintel_obs.report.attempts import find, report_of

ROOT = Path(__file__).resolve().parent.parent
WITHOUT = "import sys; sys.modules['duckdb'] = None; from codeintel_obs.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """A data directory with two packed runs, of one day, and one that did not do well and is no pack's."""
    monkeypatch.setattr(guard, "strict", True)
    monkeypatch.chdir(tmp_path)
    work = packing.workload(tmp_path / "data")
    packing.age(Path(packing.past(work, "one", 3).ledger_path), 3.2)
    packing.past(work, "two", 3)
    packing.past(work, "bad", 3, outcome="failed")
    compact(work.data_dir, Wanted())
    work.close()
    assert packing.loose(work.data_dir) == ["bad.jsonl"]
    return work.data_dir


def without_duckdb(tmp_path, data_dir, *words):
    """Run a command in a process that has no DuckDB."""
    command = [sys.executable, "-c", WITHOUT, *words, "--data-dir", data_dir]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "words", [["report", "one"], ["verify", "one"], ["runs"], ["redact", "one"], ["compact"], ["query", "SELECT 1"]]
)
def test_a_command_says_what_to_install(packed, tmp_path, words):
    """What needs DuckDB and does not have it ends with 3, one line, and the mend."""
    ended = without_duckdb(tmp_path, packed, *words)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "pip install 'codeintel-obs[cli]'" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("words", [["report", "bad"], ["verify", "bad"], ["prune", "--dry-run"], ["runs", "--pruned"]])
def test_other_runs_are_read_without_it(packed, tmp_path, words):
    """A run that lies in its own file, and what packs hold the names of, takes no DuckDB."""
    ended = without_duckdb(tmp_path, packed, *words)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_named_packed_run_is_not_half_pruned_without_it(packed, tmp_path):
    """To take a run out of a pack it is made anew: without DuckDB nothing is removed, and no tombstone written."""
    ended = without_duckdb(tmp_path, packed, "prune", "--run", "one")
    assert (ended.returncode, "pip install" in ended.stderr) == (3, True)
    assert (packing.runs(packed), pruned(packed, "one")) == (["bad", "one", "two"], [])


def test_a_watched_process_prunes_packs_as_wholes(packed):
    """The recorder's own pruning imports nothing for it: a pack goes when the last of its runs may go."""
    day = packing.DAY_S
    unlimited = {"max_bytes": 2**60, "min_free": 0.0}
    prune(packed, Limits(max_days=3.1, **unlimited))
    assert packing.runs(packed) == ["bad", "one", "two"]
    done = prune(packed, Limits(max_days=3.1, failed_days=30, **unlimited), now=time.time() + day)
    assert (done.attempts, packing.runs(packed), packing.packs(packed)) == (2, ["bad"], [])
    assert [stone.reason for stone in pruned(packed, "one")] == ["age"]
    assert done.kept_bytes > 0


def test_a_watched_process_never_imports_duckdb_for_a_report(packed, tmp_path):
    """The report route answers 410 with the command to use; the list tells of what lies in files."""
    code = (
        "import sys, json; from codeintel_obs.launch.route_answers import report_answer, runs_answer\n"
        "a, b = report_answer(sys.argv[1], 'one', None, 'json'), runs_answer(sys.argv[1], 'json', None)\n"
        "print(json.dumps([a.status, json.loads(a.body), b.status, [r['run_id'] for r in json.loads(b.body)['runs']]]))\n"
        "sys.exit(any(name.split('.')[0] in {'duckdb', '_duckdb'} or 'query' in name for name in sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, packed], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    status, told, listed, runs = json.loads(ended.stdout)
    assert (status, listed, runs) == (410, 200, ["bad"])
    assert told["error"] == "the run is compacted; on that host: codeintel-obs report one"


def test_reading_a_pack_where_nobody_may_raises_what_says_so(packed, monkeypatch):
    """In a process that did not ask to read packs, their lines are an error of our own, never a damaged ledger."""
    monkeypatch.setattr(opening, "unpack", opening._refuse)  # another test may have run a command in this process
    with pytest.raises(CompactedError, match="compacted into"):
        report_of(find([packed], "one")[0])
    assert report_answer(packed, "bad", None, "json").status == 200
    assert runs_answer(packed, "json", 5).status == 200
