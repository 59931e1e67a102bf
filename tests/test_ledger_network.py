"""A data directory on a real network file system (sshfs): the application never waits for it, and all of it is told."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from codeintel_obs import guard
from codeintel_obs.ledger import behind
from codeintel_obs.ledger.networks import network_of
from codeintel_obs.recorder import Listeners
from codeintel_obs.settings import load

pytestmark = pytest.mark.timeout(120)

LIBRARIES = Path(__file__).parent / "libraries"
SERVER = "/usr/lib/openssh/sftp-server"
WHY_NOT = (
    "" if os.geteuid() == 0 and shutil.which("sshfs") and os.path.exists(SERVER) else "no root, sshfs or sftp-server"
)


class Mounted:
    """A folder of another "machine", which can be made to hang."""

    def __init__(self, folder: Path) -> None:
        self.far, self.near = folder / "far", folder / "near"
        self.far.mkdir()
        self.near.mkdir()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.server = subprocess.Popen([SERVER], stdin=ours, stdout=ours, stderr=subprocess.DEVNULL)
            words = ["sshfs", f":{self.far}", str(self.near), "-f", "-o", "passive"]
            self.client = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
        while not os.path.ismount(self.near):
            assert self.client.poll() is None
            time.sleep(0.01)

    def hang(self) -> None:
        self.server.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.server.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.go_on()
        subprocess.run(["umount", "-l", str(self.near)], check=False)
        for process in (self.client, self.server):
            process.kill()
            process.wait(30)


@pytest.fixture
def mounted(tmp_path):
    if WHY_NOT:
        pytest.skip(WHY_NOT)
    made = Mounted(tmp_path)
    yield made
    made.close()


@pytest.fixture
def kit(monkeypatch):
    monkeypatch.syspath_prepend(str(LIBRARIES))
    monkeypatch.setattr(guard, "strict", True)
    import ledger_workload

    return ledger_workload


def workload(kit, mounted, policy="group", *, chain=False):
    active = SimpleNamespace(listeners=Listeners())
    work = kit.Workload(mounted.near / "data", policy, chain=chain, active=active)
    work.sink._home.tidy = None
    return work


def test_a_network_is_known_by_its_mount(tmp_path, mounted):
    """What lies below the mount, also what is not there yet or is reached by a link, is on the network; beside it is not."""
    (tmp_path / "link").symlink_to(mounted.near)
    assert [network_of(str(mounted.near / "a" / "b")), network_of(str(tmp_path / "link" / "a"))] == ["fuse.sshfs"] * 2
    assert [network_of(str(tmp_path)), network_of(str(mounted.far)), network_of(f"{mounted.near}er")] == [None] * 3


def test_doctor_warns_of_a_network(mounted, tmp_path):
    """The finding names the folder and the file system; a local folder has none."""
    from codeintel_obs.cli.checks_local import data_dir

    def found(folder):
        around = SimpleNamespace(settings=load({}, None, {"data_dir": str(folder)}))
        return [each.evidence for each in data_dir(around) if each.id == "data-dir-on-network"]

    assert found(mounted.near / "data") == [f"{mounted.near}/data lies on a network file system: fuse.sshfs"]
    assert found(tmp_path) == []


@pytest.mark.parametrize("chain", [False, True])
def test_a_run_on_a_network_is_whole(mounted, kit, chain):
    """Everything is written, in its order, and the run's begin names the file system."""
    work = workload(kit, mounted, chain=chain)
    run = work.run("job")
    ids = work.steps(run, 200, k=10)
    work.finish(run)
    work.close()
    records, found = kit.read(mounted.far / "data", "job"), kit.integrity(mounted.far / "data", "job")
    assert [each.span_id for each in records if each.event == "step.end"] == ids
    assert records[0].payload["network"] == "fuse.sshfs"
    assert (found.complete, found.problems, len(found.roots)) == (True, [], int(chain))


def test_the_application_goes_on_while_the_network_hangs(mounted, kit):
    """Steps, the end of a run and the begin of the next return while no write does; afterwards all of it is there."""
    work = workload(kit, mounted)
    first = work.run("first")
    ids = work.steps(first, 10)
    work.sink.obs_flush(30)
    mounted.hang()
    ids += work.steps(first, 300)
    work.finish(first)
    second = work.run("second")
    more = work.steps(second, 10)
    work.finish(second)
    mounted.go_on()
    work.close()
    for name, done in (("first", ids), ("second", more)):
        ended = [each.span_id for each in kit.read(mounted.far / "data", name) if each.event == "step.end"]
        assert (ended, kit.integrity(mounted.far / "data", name).problems) == (done, [])


def test_what_the_queue_cannot_hold_is_counted(mounted, kit, monkeypatch):
    """While the network hangs a bounded number of records waits; what comes on top is told, exactly."""
    monkeypatch.setattr(behind, "_TOGETHER", 10)
    work = workload(kit, mounted)
    run = work.run("job")
    work.sink.obs_flush(30)
    run.ledger._most = 20
    mounted.hang()
    ids = work.steps(run, 100)
    mounted.go_on()
    work.finish(run)
    work.close()
    written = [each for each in kit.read(mounted.far / "data", "job") if each.event in {"step.begin", "step.end"}]
    found = kit.integrity(mounted.far / "data", "job")
    assert (len(written) + found.dropped, found.counts) == (2 * len(ids), {"dropped": found.counts["dropped"]})
    assert found.dropped >= 150
    assert "queue full" in found.problems[0].message


def test_who_asks_to_wait_waits(mounted, kit):
    """With ``fsync = step`` a record is on the other machine when the step goes on."""
    work = workload(kit, mounted, "step")
    run = work.run("job")
    (span_id,) = work.steps(run)
    assert span_id in [each.span_id for each in kit.read(mounted.far / "data", "job") if each.event == "step.end"]
    work.close()


def test_a_forked_child_goes_on_behind_too(mounted, kit):
    """A child has a queue and a thread of its own, and loses nothing of its parent's."""
    work = workload(kit, mounted)
    run = work.run("job")
    ids = work.steps(run, 20)
    child = os.fork()
    if not child:
        run.ledger = None
        run.joins = True
        work.steps(run, 5)
        work.close()
        os._exit(0)
    os.waitpid(child, 0)
    work.finish(run)
    work.close()
    ended = {each.span_id for each in kit.read(mounted.far / "data", "job") if each.event == "step.end"}
    found = kit.integrity(mounted.far / "data", "job")
    assert (set(ids) < ended, len(ended), found.files >= 2, found.problems) == (True, 25, True, [])
