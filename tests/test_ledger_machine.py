"""Whatever is done to a writer in whatever order: the ledger is the list of what it took, and counts what it did not.

A state machine does real things (forked processes that die, limits on file size, files cut short) and keeps a list.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from codeintel_obs import guard
from codeintel_obs.recorder import Listeners
from codeintel_obs.runs import reseed

sys.path.append(str(Path(__file__).parent / "libraries"))

from ledger_workload import Workload, integrity, lines, read

FEW = st.integers(1, 4)


class Ledger(RuleBasedStateMachine):
    """``taken`` is the reference: the ids of the steps whose end the ledger acknowledged, less what was cut off."""

    def __init__(self):
        super().__init__()
        guard.strict = True
        self.folder = tempfile.mkdtemp()
        self.roots = []
        self.taken = []
        self.lost = 0
        self.crashed = []
        self.cut = False

    @initialize(chain=st.booleans())
    def begin(self, chain):
        """A run begins, chained or not."""
        active = SimpleNamespace(listeners=Listeners(root=(self.roots.append,)))
        self.work = Workload(self.folder, "none", chain=chain, active=active)
        self.work.sink._home.tidy = None
        self.run = self.work.run("machine")

    @rule(count=FEW)
    def append(self, count):
        """Steps pass."""
        self.run.ledger.retry_ns = 0
        self.taken += self.work.steps(self.run, count)

    @rule()
    def reopen(self):
        """The descriptor is wanted elsewhere, and closed for a while."""
        self.run.ledger.evict()

    @rule(room=st.integers(0, 300))
    def rotate(self, room):
        """The file may not grow much further: a record or two, perhaps in part, then the next segment."""
        self._within(self.run.ledger.size + room, 1, whole=False)

    @rule(count=FEW)
    def full(self, count):
        """Nothing at all can be written for a while: records are counted."""
        self.run.ledger.retry_ns = 0
        self._within(0, count, whole=True)

    def _within(self, limit, count, *, whole):
        """Do steps under a limit on the size of files; what cannot be read afterwards is lost, and must be counted."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            ids = self.work.steps(self.run, count)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        written = [each for each in read(self.folder, "machine") if each.span_id in ids]
        lost = 2 * count - len(written)  # not the writer's own count: it falls as soon as a drop has been told
        assert not whole or lost == 2 * count
        self.lost += lost
        self.run.ledger.retry_ns = 0
        self.taken += [each for each in ids if each in self._on_disk()]

    @rule(count=FEW, crash=st.booleans())
    def fork(self, count, crash):
        """A forked child records steps in a file of its own and ends without a word, or is killed."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            reseed()  # as the recorder does
            os.write(writer, " ".join(self.work.steps(self.run, count)).encode())
            os.kill(os.getpid(), signal.SIGKILL) if crash else os._exit(0)
        os.close(writer)
        os.waitpid(pid, 0)
        with os.fdopen(reader) as pipe:
            ids = pipe.read().split()
        assert len(ids) == count
        self.taken += ids
        self.crashed.append(ids)

    @precondition(lambda self: self.crashed)
    @rule(size=st.integers(1, 400))
    def cut_off(self, size):
        """The disk loses the end of a file that a dead child left."""
        ids = self.crashed.pop()
        (path,) = [each for each in Path(self.folder).rglob("*.jsonl") if ids[0].encode() in each.read_bytes()]
        os.truncate(path, max(path.read_bytes().index(b"\n") + 1, path.stat().st_size - size))
        left = {json["span_id"] for json in _ends(path)}
        self.taken = [each for each in self.taken if each not in ids or each in left]
        self.cut = True

    def _on_disk(self):
        return {record.span_id for record in read(self.folder, "machine") if record.event == "step.end"}

    @invariant()
    def what_was_taken_is_there(self):
        """At any time: exactly the steps of the list, whoever reads."""
        assert sorted(self._on_disk()) == sorted(self.taken)

    def teardown(self):
        """At the end: nothing missing but what was dropped and counted, or cut off."""
        try:
            self.run.ledger.retry_ns = 0
            self.work.finish(self.run)
            self.work.close()
            found = integrity(self.folder, "machine")
            told = {problem.kind for problem in found.problems}
            assert sorted(self._on_disk()) == sorted(self.taken)
            assert (found.gaps, found.bad_crc, found.duplicates, found.dropped) == ([], [], [], self.lost)
            assert told <= {"dropped", "torn tail"}
            assert list(found.roots.values()) == [root.sha256 for root in self.roots]
        finally:
            shutil.rmtree(self.folder)


def _ends(path):
    whole = path.read_bytes().rpartition(b"\n")[0]
    trimmed = path.with_name("trimmed")
    trimmed.write_bytes(whole)
    try:
        return [{"span_id": each.span_id} for each in lines(trimmed) if each.event == "step.end"]
    finally:
        trimmed.unlink()


TestLedger = Ledger.TestCase
TestLedger.settings = settings(
    max_examples=12, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_a_drop_told_before_the_next_one_counts_too():
    """With some of these rooms both records of a step are lost, and the first is told between them."""
    for room in range(150, 301, 2):
        machine = Ledger()
        machine.begin(chain=False)
        machine.rotate(room=room)
        machine.teardown()
