"""Retention: what goes first, and what is never touched."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from codeintel_obs import guard
from codeintel_obs.ledger import home
from codeintel_obs.ledger.attempts import list_runs
from codeintel_obs.ledger.retention import DAY_S, Limits, prune, prune_now_and_then

LIBRARIES = Path(__file__).parent / "libraries"
BOUNDLESS = Limits(max_bytes=1 << 60, max_days=36_500, min_free=0.0)


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A sink in this process that writes to ``tmp_path/data``."""
    monkeypatch.syspath_prepend(str(LIBRARIES))
    monkeypatch.setattr(guard, "strict", True)
    from ledger_workload import Workload

    made = Workload(tmp_path / "data", "none")
    made.sink._home.tidy = None  # else it prunes when it is closed
    yield made
    made.close()


def aged(work, run_id, days, outcome="completed"):
    """Write a run that was last written ``days`` ago; without an outcome it stays open."""
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - days * DAY_S))
    run = work.run(run_id, day=day)
    work.steps(run, 20, text="x" * 500)
    if outcome:
        work.finish(run, outcome)
    os.utime(run.ledger_path, (time.time() - days * DAY_S,) * 2)
    return run


def left(work):
    return {attempt.run_id for attempt in list_runs([work.data_dir])}


def test_nothing_goes_within_the_limits(work):
    """Within the limits nothing is removed."""
    aged(work, "old", 10)
    assert (prune(work.data_dir, BOUNDLESS).attempts, left(work)) == (0, {"old"})


def test_too_old_goes_and_open_stays(work):
    """Beyond the days everything goes but what is still being written; an empty day's folder goes with it."""
    for run_id, days, outcome in (("new", 1, "completed"), ("old", 20, "failed"), ("open", 20, None)):
        aged(work, run_id, days, outcome)
    done = prune(work.data_dir, Limits(1 << 60, 14, 0.0))
    assert (done.attempts, done.files, left(work)) == (1, 1, {"new", "open"})
    assert len(list(Path(work.data_dir, "telemetry/runs").iterdir())) == 2


def test_under_pressure_the_failed_stay_longest(work):
    """Beyond the bytes the oldest that did not fail go first, then the oldest that failed."""
    for number in range(4):
        aged(work, f"good{number}", 8 - number)
        aged(work, f"bad{number}", 8 - number, "failed")
    whole = prune(work.data_dir, BOUNDLESS).kept_bytes
    prune(work.data_dir, Limits(whole * 6 // 8, 14, 0.0))
    assert left(work) == {"good2", "good3", "bad0", "bad1", "bad2", "bad3"}
    prune(work.data_dir, Limits(whole * 2 // 8, 14, 0.0))
    assert left(work) == {"bad2", "bad3"}


def test_a_full_disk_costs_what_is_closed(work):
    """With less free than asked for, closed runs go, and open ones never do."""
    aged(work, "closed", 0)
    aged(work, "open", 0, None)
    prune(work.data_dir, Limits(1 << 60, 14, 1.01))
    assert left(work) == {"open"}


def test_what_killed_processes_left_is_swept(work):
    """Old hidden files go; manifests stay while a kept run names them."""
    run = aged(work, "kept", 3)
    hidden = Path(run.ledger_path).with_name(".x.jsonl.0.tmp")
    stray = Path(work.data_dir, "telemetry/processes/2020-01-01/host-1-2.json")
    stray.parent.mkdir()
    for path in (hidden, stray):
        path.write_text("{}")
        os.utime(path, (0, 0))
    prune(work.data_dir, Limits(1 << 60, 14, 0.0))
    assert (hidden.exists(), stray.parent.exists(), left(work)) == (False, False, {"kept"})
    assert len(list(Path(work.data_dir, "telemetry/processes").glob("*/*.json"))) == 1


def test_one_at_a_time_and_once_an_hour(work, tmp_path):
    """A starting process prunes only when nobody did for an hour, and stops when it is asked to."""
    aged(work, "old", 20)
    prune(work.data_dir, BOUNDLESS)
    prune_now_and_then(work.data_dir, Limits(0, 0, 0.0), lambda: False)
    assert left(work) == {"old"}
    os.utime(Path(work.data_dir, "telemetry/.prune"), (0, 0))
    prune_now_and_then(work.data_dir, Limits(0, 0, 0.0), lambda: True)
    assert left(work) == {"old"}
    os.utime(Path(work.data_dir, "telemetry/.prune"), (0, 0))
    prune_now_and_then(work.data_dir, Limits(0, 0, 0.0), lambda: False)
    assert left(work) == set()
    assert prune(str(tmp_path / "nowhere")).attempts == 0


def test_a_short_process_tidies_up_when_it_ends(work):
    """A process too short to have settled prunes at its end, and only if it wrote anything."""
    from ledger_workload import Workload

    aged(work, "old", 20)
    silent = Workload(work.data_dir, "none")
    silent.close()
    assert left(work) == {"old"}
    short = Workload(work.data_dir, "none")
    short.finish(short.run("new"))
    assert left(work) == {"old", "new"}
    short.close()
    assert left(work) == {"new"}


def test_a_long_process_tidies_up_when_it_has_settled(work, monkeypatch):
    """A process that has settled prunes in the background, before it ends."""
    from ledger_workload import Workload

    monkeypatch.setattr(home, "_SETTLED_S", 0.1)
    aged(work, "old", 20)
    long = Workload(work.data_dir, "none")
    long.run("new")
    deadline = time.monotonic() + 30
    while left(work) != {"new"} and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left(work) == {"new"}
    long.close()
