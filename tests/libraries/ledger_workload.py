"""A recorder's worth of events for the ledger's tests: in the test's own process, or in one that is to be killed."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from codeintel_obs.ledger.attempts import entries, find_attempts
from codeintel_obs.ledger.verifier import verify
from codeintel_obs.runs import Run, join, new_span_id
from codeintel_obs.sinks.ledger import LedgerSink
from codeintel_obs.steps import Record, Status, Step


@dataclass
class LedgerSettings:
    """The settings that the ledger sink reads."""

    data_dir: str
    fsync: str = "group"
    chain: bool = False
    service: str = "test"
    max_bytes: float = 2 * 1024**3
    max_days: float = 14
    min_free: float = 0.0


class Workload:
    """One sink in one process, told of runs and steps as the recorder tells it."""

    def __init__(self, data_dir, fsync="group", *, chain=False, active=None):
        self.data_dir = str(data_dir)
        self.sink = LedgerSink()
        settings = LedgerSettings(self.data_dir, fsync, chain)
        self.sink.configure(settings, active, lambda: {"manifest": 1, "service": "test"})

    def run(self, run_id=None, *, carrier=None, **fields):
        """Begin a run, or join the one of ``carrier``."""
        made = join(carrier) if carrier else Run(run_id)
        for name, value in fields.items():
            setattr(made, name, value)
        made.begun = True
        self.sink.obs_run_begun(made)
        return made

    def begin(self, run, kind="faiss.search", payload=None):
        step = Step(run, kind, "faiss")
        step.span_id, step.trace_id, step.thread, step.payload = new_span_id(), run.trace_id, "MainThread", payload
        step.ts_ns, step.mono_ns = time.time_ns(), time.monotonic_ns()
        run.open[step.span_id] = step
        self.sink.obs_step_begun(step)
        return step

    def end(self, step, payload=None, status=Status.COMPLETED, **fields):
        step.run.open.pop(step.span_id, None)
        step.end_ts_ns, step.end_mono_ns = time.time_ns(), time.monotonic_ns()
        step.duration_ns = step.end_mono_ns - step.mono_ns
        step.status, step.end_payload, step.late = status, payload, step.run.ended
        for name, value in fields.items():
            setattr(step, name, value)
        self.sink.obs_step_ended(step)
        return step

    def steps(self, run, count=1, **payload):
        """Do ``count`` whole steps; return their ids."""
        return [self.end(self.begin(run, payload=payload)).span_id for _ in range(count)]

    def finish(self, run, outcome="completed"):
        run.ended, run.outcome = True, outcome
        self.sink.obs_run_ended(run)

    def close(self):
        self.sink.obs_shutdown()


def read(data_dir, run_id):
    """Return the records of a run's only attempt, file after file."""
    (attempt,) = find_attempts([str(data_dir)], run_id)
    return [record for _, record in entries(attempt)]


def integrity(data_dir, run_id):
    """Return what verifying a run's only attempt finds."""
    (attempt,) = find_attempts([str(data_dir)], run_id)
    return verify(attempt)


def lines(path):
    """Return a file's records, every line of which must be one."""
    return [msgspec.json.decode(line, type=Record) for line in Path(path).read_bytes().splitlines()]


def acknowledge(span_id):
    """Tell a parent, in one write to its pipe, that the ledger took this step."""
    os.write(1, f"{span_id}\n".encode())


def work_until_killed(data_dir, fsync):
    """Do steps for ever, acknowledging each; the process that calls this is there to be killed."""
    workload = Workload(data_dir, fsync)
    run = workload.run("victim", name="victim")
    while True:
        (span_id,) = workload.steps(run, k=10, index_type="IndexFlatL2")
        acknowledge(span_id)


def race_to_begin(data_dir, run_id, attempt, day, go):
    """Wait for the file ``go``, then join the attempt and do one step in it."""
    workload = Workload(data_dir, "none")
    while not os.path.exists(go):
        pass
    run = workload.run(carrier={"run": run_id, "attempt": attempt, "day": day})
    workload.steps(run, 1)
    workload.finish(run)
    workload.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
