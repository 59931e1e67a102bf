"""The verifier: complete means that every writer closed or is gone and nothing is missing; all else has a place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codeintel_obs import guard

LIBRARIES = Path(__file__).parent / "libraries"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A sink in this process that writes to ``tmp_path/data``."""
    monkeypatch.syspath_prepend(str(LIBRARIES))
    monkeypatch.setattr(guard, "strict", True)
    from ledger_workload import Workload

    made = Workload(tmp_path / "data", "none")
    yield made
    made.close()


def verified(work, run="job"):
    from ledger_workload import integrity

    return integrity(work.data_dir, run)


def job(work, steps=5):
    """Write the whole run ``job`` and return its path, writable again."""
    run = work.run("job")
    work.steps(run, steps)
    work.finish(run)
    return Path(run.ledger_path)


def rewrite(path, change):
    """Give the lines of ``path`` to ``change`` and write back what it returns; the mode stays."""
    mode = path.stat().st_mode
    path.chmod(0o640)
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    path.chmod(mode)


@pytest.mark.parametrize(
    ("change", "field", "place"),
    [
        (lambda lines: lines[:4] + lines[5:], "gaps", ":5"),
        (lambda lines: lines[:4] + lines[7:], "gaps", ":5-7"),
        (lambda lines: lines[1:], "gaps", ":1"),
        (lambda lines: lines[:-1], "gaps", ":12"),
        (lambda lines: [*lines[:6], lines[3], *lines[6:]], "duplicates", ":7"),
        (lambda lines: [*lines[:6], lines[6].replace(b"faiss", b"Faiss"), *lines[7:]], "bad_crc", ":7"),
        (lambda lines: [*lines[:-1], lines[-1][:30]], "torn_tail", ":12"),
    ],
    ids=["removed", "several", "first", "last", "duplicate", "changed", "torn"],
)
def test_damage_is_found_and_cited(work, change, field, place):
    """What was done to a closed file is found, makes it incomplete, and is cited where it is."""
    path = job(work)
    rewrite(path, change)
    found = verified(work)
    cited = f"{path.parent.name}/{path.name}{place}"
    assert (found.complete, cited in getattr(found, field)) == (False, True)
    assert cited in [problem.evidence for problem in found.problems]


def test_swapped_lines_are_found(work):
    """Two lines in each other's place make a ledger incomplete."""
    rewrite(job(work), lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]])
    found = verified(work)
    assert (found.complete, found.counts["out of order"]) == (False, 1)


def test_a_run_that_is_being_written_is_open(work):
    """A file whose writer lives and has not closed it is open, not whole, and its half-written line is no damage."""
    run = work.run("job")
    work.steps(run)
    with open(run.ledger_path, "ab") as file:
        file.write(b'{"v":1,"n":4')
    found = verified(work)
    assert (found.complete, found.open, found.torn_tail) == (False, [f"{run.day}/job.jsonl"], [])
    assert [problem.kind for problem in found.problems] == ["open"]


def test_a_writer_whose_liveness_is_unknown_leaves_it_open(work):
    """Without a manifest nobody knows whether the writer lives: completeness is unknown, not denied."""
    import shutil

    work.steps(work.run("job"))
    shutil.rmtree(Path(work.data_dir, "telemetry/processes"))
    assert verified(work).complete is None


def test_a_missing_segment_is_a_gap(work):
    """A segment that is gone is a gap of the lines that its successor knows of; so is its shortened end."""
    run = work.run("job")
    for _ in range(2):
        work.steps(run, 2)
        run.ledger._retire("short write")
    work.finish(run)
    folder = Path(run.ledger_path).parent
    rewrite(folder / "job.jsonl", lambda lines: lines[:-1])
    (folder / "job.s2.jsonl").unlink()
    found = verified(work)
    assert (found.complete, found.gaps) == (False, [f"{run.day}/job.s2.jsonl:1-5"])
    (folder / "job.s3.jsonl").unlink()
    assert verified(work).complete is False


def test_a_missing_beginner_is_a_gap(work):
    """Joiners alone are not a whole attempt."""
    run = work.run("job")
    joiner = work.run(carrier=run.carrier())
    work.finish(joiner)
    work.finish(run)
    Path(run.ledger_path).unlink()
    found = verified(work)
    assert (found.complete, found.gaps) == (False, [f"{run.day}/job.jsonl:1"])


@pytest.mark.parametrize(
    ("ending", "complete"), [("work.close()", True), ("", True), ("run.ledger.drops['x'] = 2", False)]
)
def test_a_process_that_is_gone_leaves_a_whole_ledger(tmp_path, work, ending, complete):
    """A process that ended without closing lost nothing that it had written; what it dropped and told of counts."""
    code = f"""
import os
from ledger_workload import Workload
work = Workload({str(tmp_path / "data")!r})
run = work.run("job")
work.steps(run, 3)
{ending}
if run.ledger.drops:
    run.ledger._tell_drops()
os._exit(0)
"""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(LIBRARIES), *filter(None, sys.path)])}
    subprocess.run([sys.executable, "-c", code], env=environ, check=True)
    found = verified(work)
    assert (found.complete, found.dropped, found.gaps) == (complete, 0 if complete else 2, [])


def test_problems_are_counted_beyond_what_is_cited(work):
    """A ruined ledger is told in bounded memory: a thousand places of a sort, and the count of all."""
    rewrite(
        job(work, 1500), lambda lines: [lines[0], *(line[:20] + b"#" + line[21:] for line in lines[1:-1]), lines[-1]]
    )
    found = verified(work)
    assert (len(found.bad_crc), found.counts["bad crc"], found.complete) == (1000, 3000, False)
