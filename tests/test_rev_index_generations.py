"""codeintel_rev, the index folder: whole generations, one pointer, one lock, and a way back."""

import os
import signal
import subprocess
import sys

import pytest

from codeintel_rev.errors import BusyError, DamagedIndexError, NotFoundError
from codeintel_rev.indexing.progress import Recorded, Silent
from codeintel_rev.io.generations import IndexFolder
from codeintel_rev.io.underway import Underway


@pytest.fixture
def folder(tmp_path):
    return IndexFolder(tmp_path / "index")


def publish(folder, mark, *, interim=False):
    with folder.building() as build, build.draft(interim=interim) as draft:
        (draft / "mark").write_text(mark)


def marks(folder):
    return [(generation.path / "mark").read_text() for generation in folder.history()]


def current(folder):
    return (folder.current() / "mark").read_text()


def test_one_builder_at_a_time(folder):
    """The second is told who has it; the lock is gone as soon as the first is."""
    with folder.building():
        Recorded(Silent(), folder.path).stage("embedding", 10)
        told = rf"process {os.getpid()} \(embedding, 0 %\) is indexing into"
        with pytest.raises(BusyError, match=told), folder.building():
            pass
    publish(folder, "a")
    assert current(folder) == "a"


def test_asking_who_builds_never_refuses_a_builder(folder):
    """The question takes the lock for a moment; a builder that meets it waits that long."""
    publish(folder, "a")
    code = "import sys\nfrom pathlib import Path\nfrom codeintel_rev.io import build_lock\nprint(flush=True)\n"
    code += "while True: build_lock.is_held(Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", code, folder.path], stdout=subprocess.PIPE) as asking:
        asking.stdout.readline()
        for number in range(20):
            publish(folder, str(number))
        asking.kill()
    assert current(folder) == "19"


def test_a_failed_draft_leaves_the_old_index(folder):
    publish(folder, "old")
    with pytest.raises(RuntimeError), folder.building() as build, build.draft() as draft:
        (draft / "mark").write_text("new")
        raise RuntimeError
    assert (current(folder), marks(folder)) == ("old", ["old"])


def test_three_complete_generations_are_kept(folder):
    """The one that answers and two before it; of the interim ones the newest, for who may still read it."""
    for number in range(5):
        with folder.building() as build:
            for interim in (True, False):
                with build.draft(interim=interim) as draft:
                    (draft / "mark").write_text(f"{number}{'-interim' * interim}")
    assert marks(folder) == ["4", "4-interim", "3", "2"]
    assert [(g.current, g.interim) for g in folder.history()][:2] == [(True, False), (False, True)]


def test_rollback_goes_back_one_complete_generation_at_a_time(folder):
    for mark, interim in (("a", False), ("b", False), ("c-interim", True), ("c", False)):
        publish(folder, mark, interim=interim)
    newest = folder.current().name
    for expected in ("b", "a"):
        folder.rollback()
        assert current(folder) == expected
    with pytest.raises(NotFoundError, match="no earlier generation"):
        folder.rollback()
    folder.rollback(newest)
    assert current(folder) == "c"
    with pytest.raises(NotFoundError, match="no generation 'zzz'"):
        folder.rollback("zzz")


def test_after_a_rollback_the_next_build_is_the_newest(folder):
    for mark in ("a", "b"):
        publish(folder, mark)
    folder.rollback()
    publish(folder, "c")
    assert (current(folder), marks(folder)) == ("c", ["c", "b", "a"])


def test_rollback_waits_for_no_builder(folder):
    publish(folder, "a")
    publish(folder, "b")
    with folder.building(), pytest.raises(BusyError):
        folder.rollback()


KILLED = """
import os, signal, sys
from pathlib import Path
from codeintel_rev.indexing.progress import Recorded, Silent
from codeintel_rev.io.generations import IndexFolder
folder = IndexFolder(Path(sys.argv[1]))
with folder.building() as build, build.draft() as draft:
    told = Recorded(Silent(), folder.path)
    told.stage("embedding 9 chunks", 9)
    (draft / "mark").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_builder_holds_nothing_and_is_not_said_to_work(folder):
    """Its draft is never answered from and goes with the next run; how far it came is told as interrupted."""
    publish(folder, "old")
    done = subprocess.run([sys.executable, "-c", KILLED, folder.path], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(list(folder.path.glob("generations/.building-*/mark"))) == 1
    assert (current(folder), marks(folder), folder.underway()) == ("old", ["old"], None)
    assert folder.interrupted().text() == "embedding 9 chunks, 0 %"
    publish(folder, "new")
    assert list(folder.path.glob("generations/.building-*")) == []


def test_progress_is_told_to_other_processes(folder):
    """Share and estimate come from the stage's own speed; what cannot be read is no progress."""
    told = Underway(7, 0.0, "embedding", 100.0, 25, 100, 110.0)
    assert (told.share, told.eta_seconds, told.text()) == (0.25, 30.0, "embedding, 25 %, about 30 s left")
    assert (Underway.begin().share, Underway.begin().eta_seconds) == (None, None)
    publish(folder, "a")
    told.write(folder.path)
    assert (folder.underway(), folder.interrupted()) == (None, told)
    (folder.path / "underway.json").write_text("{")
    assert folder.interrupted() is None


def test_a_pointer_that_lies_is_said_to_be_damaged(folder):
    with pytest.raises(NotFoundError, match="no index in"):
        folder.current()
    publish(folder, "a")
    for pointer in ("", "../../etc", "000009-20990101T000000Z"):
        (folder.path / "current").write_text(pointer)
        with pytest.raises(DamagedIndexError, match="not there"):
            folder.current()
    assert [generation.current for generation in folder.history()] == [False]


def test_what_an_older_version_left_is_no_generation_and_goes(folder):
    publish(folder, "a")
    (folder.path / "generations" / "20261122T205942-abc123").mkdir()
    publish(folder, "b")
    assert marks(folder) == ["b", "a"]
    assert len(list(folder.path.glob("generations/*"))) == 2
