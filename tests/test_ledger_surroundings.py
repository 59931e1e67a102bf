"""What happens around a ledger in mid-run: disks that turn read-only, folders replaced, other hosts, clocks, midnight."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from codeintel_obs import guard
from codeintel_obs.ledger import manifest
from codeintel_obs.ledger.attempts import entries, find_attempts
from codeintel_obs.ledger.verifier import verify
from codeintel_obs.report.attempts import find, report_of

LIBRARIES = Path(__file__).parent / "libraries"
CAN_MOUNT = os.geteuid() == 0 and shutil.which("mount") is not None
DAY_NS = 86_400 * 10**9


@pytest.fixture(autouse=True)
def _strict(monkeypatch):
    monkeypatch.syspath_prepend(str(LIBRARIES))
    monkeypatch.setattr(guard, "strict", True)


def workload(data_dir):
    from ledger_workload import Workload

    made = Workload(data_dir, "none")
    made.sink._home.tidy = None
    return made


@pytest.fixture
def work(tmp_path):
    made = workload(tmp_path / "data")
    yield made
    made.close()


class Clock:
    """The wall clock, as far as our process asks it: nobody may set the machine's. ``ahead_ns`` is by how much it jumped."""

    def __init__(self, monkeypatch):
        self.ahead_ns = 0
        real = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: real() + self.ahead_ns)


def ends(data_dir, run_id):
    (attempt,) = find_attempts([str(data_dir)], run_id)
    return [record.span_id for _, record in entries(attempt) if record.event == "step.end"], verify(attempt)


@pytest.mark.skipif(not CAN_MOUNT, reason="a disk that turns read-only needs root to mount one")
def test_a_disk_that_turns_read_only_in_mid_run(tmp_path):
    """From the moment on records are counted; once it can be written to again the count is told and the run goes on."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(mounted)], check=True)
    try:
        work = workload(mounted / "data")
        run = work.run("job")
        before = work.steps(run, 5)
        work.sink._home.flusher.drain()
        work.sink._home.spend_reserve()
        run.ledger.evict()  # a remount by hand is refused while a file is open for writing, the manifest's too
        manifest._let_go()
        subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
        work.steps(run, 7)
        assert dict(run.ledger.drops) == {"EROFS": 14}
        subprocess.run(["mount", "-o", "remount,rw", str(mounted)], check=True)
        run.ledger.retry_ns = 0
        after = work.steps(run, 2)
        work.finish(run)
        work.close()
        found, integrity = ends(mounted / "data", "job")
        assert (found, integrity.dropped, integrity.gaps) == ([*before, *after], 14, [])
    finally:
        subprocess.run(["umount", "-l", str(mounted)], check=True)


def test_a_folder_that_is_replaced_under_us(work):
    """What lies in the folder that was moved away is told as missing; what is recorded since is in the new one."""
    run = work.run("job")
    work.steps(run, 3)
    folder = Path(run.ledger_path).parent
    folder.rename(folder.with_name("moved"))
    folder.mkdir()
    run.ledger.evict()
    since = work.steps(run, 2)
    work.finish(run)
    found, integrity = ends(work.data_dir, "job")
    assert (found, integrity.complete) == (since, False)
    assert f"{run.day}/job.jsonl:1-7" in integrity.gaps


def test_a_folder_that_becomes_a_link_is_not_followed(work, tmp_path):
    """A link planted where our folder was leads no record astray: they are counted until the folder is back."""
    run = work.run("job")
    work.steps(run)
    folder, elsewhere = Path(run.ledger_path).parent, tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(elsewhere)
    run.ledger.evict()
    work.steps(run, 2)
    assert (list(elsewhere.iterdir()), sum(run.ledger.drops.values())) == ([], 4)
    folder.unlink()
    folder.with_name("moved").rename(folder)
    run.ledger.retry_ns = 0
    work.finish(run)
    assert ends(work.data_dir, "job")[1].dropped == 4


def test_two_hosts_write_one_run(work):
    """Each has a file of its own; whether the other host's writer lives is unknown, until its file is closed."""
    run = work.run("job")
    mine = work.steps(run, 3)
    other = workload(work.data_dir)
    joined = other.run(carrier={"run": "job", "attempt": run.attempt, "day": run.day})
    theirs = other.steps(joined, 2)
    name = other.sink._process_facts()["manifest"]
    path = Path(work.data_dir, "telemetry/processes", name)
    told = json.loads(path.read_bytes())
    told["process"] |= {"host": "elsewhere", "machine_id": "f" * 32, "boot_id": "another"}
    path.write_text(json.dumps(told))
    work.finish(run)
    found, integrity = ends(work.data_dir, "job")
    assert (sorted(found), integrity.complete, integrity.open) == (sorted([*mine, *theirs]), None, [])
    assert {problem.kind for problem in integrity.problems} == {"liveness unknown"}
    other.finish(joined)
    other.close()
    assert ends(work.data_dir, "job")[1].complete is True


@pytest.mark.parametrize("jump", [DAY_NS, -DAY_NS])
def test_a_clock_that_jumps_by_a_day_changes_no_order_and_no_duration(work, monkeypatch, jump):
    """Steps keep their order and their durations, by the monotonic clock; the run stays in the folder of its begin."""
    clock = Clock(monkeypatch)
    run = work.run("job", name="job")
    first = work.begin(run)
    clock.ahead_ns = jump
    work.end(first)
    (second,) = work.steps(run)
    run.ledger.evict()
    (third,) = work.steps(run)
    work.finish(run)
    (attempt,) = find([work.data_dir], "job")
    report = report_of(attempt)
    assert [step.id for step in report.steps] == [first.span_id, second, third]
    assert all(0 <= step.duration_ns < 60 * 10**9 for step in report.steps)
    assert (report.integrity.complete, attempt.ledger_path) == (True, run.ledger_path)


def test_a_run_across_midnight_is_one_run(work, monkeypatch):
    """Segments, joiners and the end written after midnight lie beside the begin, and the run is found by its id."""
    clock = Clock(monkeypatch)
    real = time.time_ns()
    clock.ahead_ns = (real // DAY_NS + 1) * DAY_NS - 1_000_000 - real  # a millisecond before the next midnight
    run = work.run("night")
    ids = work.steps(run)
    clock.ahead_ns += 10**9
    ids += work.steps(run)
    run.ledger._retire("next day")
    ids += work.steps(run)
    other = workload(work.data_dir)
    joined = other.run(carrier={"run": "night", "attempt": run.attempt, "day": run.day})
    ids += other.steps(joined)
    other.finish(joined)
    other.close()
    work.finish(run)
    found, integrity = ends(work.data_dir, "night")
    (folder,) = Path(work.data_dir, "telemetry/runs").iterdir()
    assert (sorted(found), integrity.complete, folder.name) == (sorted(ids), True, run.day)
    assert len(list(folder.iterdir())) == 3
