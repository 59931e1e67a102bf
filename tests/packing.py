"""Ledgers for the tests of compaction: real runs of past days, written by the sink, and what every reader says of them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from codeintel_obs.ledger.attempts import list_runs
from codeintel_obs.report.attempts import every, report_of
from codeintel_obs.report.render_json import render

sys.path.append(str(Path(__file__).parent / "libraries"))

DAY_S = 86_400


def day_of(days):
    """Return the UTC day of so many days ago."""
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - days * DAY_S))


def workload(data_dir):
    """A sink in this process that removes nothing by itself."""
    from ledger_workload import Workload

    made = Workload(data_dir, "none")
    made.sink._home.tidy = None
    return made


def past(work, run_id, days=3, outcome="completed", steps=3, **fields):
    """Record a run that began and was written to ``days`` ago; without an outcome it stays open."""
    run = work.run(run_id, day=day_of(days), **fields)
    work.steps(run, steps, k=10, text="what was searched")
    if outcome:
        work.finish(run, outcome)
    age(Path(run.ledger_path), days)
    return run


def joined(work, run, days=3):
    """Have another writer join ``run``, as another process would."""
    from codeintel_obs.ledger.process import here

    own, here.writer = here.writer, os.urandom(4).hex()
    try:
        carrier = {"run": run.run_id, "attempt": run.attempt, "day": run.day}
        other = work.run(carrier=carrier)
        work.steps(other, 2)
        work.finish(other)
    finally:
        here.writer = own
    age(Path(other.ledger_path), days)
    return other


def age(path, days):
    moment = time.time() - days * DAY_S
    os.utime(path, (moment, moment))


def reports(data_dir):
    """Return the whole report of every attempt, as JSON, whatever the data directory is called."""
    found = every([str(data_dir)])
    return {(each.run_id, each.files.attempt): render(report_of(each)).replace(str(data_dir), "") for each in found}


def loose(data_dir):
    """Return the names of the ledger files that lie by themselves."""
    return sorted(path.name for path in Path(data_dir).glob("telemetry/runs/*/[!.]*"))


def packs(data_dir):
    """Return the names, day by day, of all that lies among the packs, hidden or not."""
    return sorted(f"{path.parent.name}/{path.name}" for path in Path(data_dir, "telemetry/compacted").glob("*/*"))


def runs(data_dir):
    return sorted({attempt.run_id for attempt in list_runs([str(data_dir)])})
