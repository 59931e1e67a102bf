"""What the disk, the limits and the application itself do to a ledger: nothing raises, and every loss is counted."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codeintel_obs import guard
from codeintel_obs.ledger.attempts import find_attempts
from codeintel_obs.ledger.writer import SURE_NS

LIBRARIES = Path(__file__).parent / "libraries"
CAN_MOUNT = os.geteuid() == 0 and shutil.which("mount") is not None


@pytest.fixture(autouse=True)
def _strict(monkeypatch):
    monkeypatch.syspath_prepend(str(LIBRARIES))
    monkeypatch.setattr(guard, "strict", True)


@pytest.fixture
def work(tmp_path):
    """A sink in this process that writes to ``tmp_path/data``."""
    from ledger_workload import Workload

    made = Workload(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own of 1 MiB, mounted for the test; root is needed to mount one."""
    if not CAN_MOUNT:
        pytest.skip("no root to mount a small file system: the RLIMIT_FSIZE and strace tests cover a disk that refuses")
    mounted = tmp_path / "disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(mounted)], check=True)
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def found(work, run):
    from ledger_workload import integrity, read

    return read(work.data_dir, run.run_id), integrity(work.data_dir, run.run_id)


def fill(disk):
    """Leave not one block of ``disk`` free."""
    with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"\0" * 4096):
            pass


def told(records):
    """The drops that the records tell, by reason."""
    counts = {}
    for record in records:
        if record.event == "drop":
            reason = record.payload["reason"]
            counts[reason] = counts.get(reason, 0) + record.payload["count"]
    return counts


def script(code, *, before=(), data_dir, **options):
    """Run ``code`` in a process of its own, with a workload ``work`` in it."""
    head = f"import os, sys\nfrom ledger_workload import *\nwork = Workload({str(data_dir)!r}, 'step')\n"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(LIBRARIES), *filter(None, sys.path)])}
    words = [*before, sys.executable, "-c", head + code]
    return subprocess.run(words, env=environ, check=True, capture_output=True, text=True, **options)


# -- disks -----------------------------------------------------------------------------------------------------------


def test_a_full_disk_costs_records_and_not_the_application(small_disk):
    """While the disk is full records are counted; as soon as it is not, the exact count is told, and nothing raises."""
    from ledger_workload import Workload

    work = Workload(small_disk / "data")
    run = work.run("job")
    work.steps(run, 100)
    work.sink.obs_flush(10)
    fill(small_disk)
    ids = work.steps(run, 500, text="x" * 100)
    lost = run.ledger.drops["ENOSPC"]
    (small_disk / "filler").unlink()
    time.sleep(0.11)
    work.finish(run)
    work.close()
    records, integrity = found(work, run)
    written = {record.span_id for record in records if record.event == "step.end"}
    assert (told(records), integrity.complete, integrity.dropped) == ({"ENOSPC": lost}, False, lost)
    assert lost > 0 and integrity.records == sum(r.event != "drop" for r in records) + 1
    assert len([1 for record in records if record.event.startswith("step")]) == 2 * 600 - lost
    assert len(set(ids) - written) <= lost


def test_a_disk_that_stays_full_is_still_told_of(small_disk):
    """A disk that is full to the end of the process leaves room for the count and the closing record: the reserve."""
    from ledger_workload import Workload

    work = Workload(small_disk / "data")
    run = work.run("job")
    work.steps(run, 20)
    work.sink.obs_flush(10)
    fill(small_disk)
    work.steps(run, 300, text="x" * 100)
    work.finish(run)
    work.close()
    records, integrity = found(work, run)
    assert (integrity.complete, integrity.gaps, records[-1].event) == (False, [], "run.end")
    assert integrity.dropped == told(records)["ENOSPC"] == 600 - (len(records) - 44)


def test_a_read_only_disk_costs_records_and_not_the_application(small_disk):
    """Where nothing can be written nothing is raised: everything is counted, and told when it can be."""
    from ledger_workload import Workload

    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    work = Workload(small_disk / "data")
    run = work.run("job")
    work.steps(run, 10)
    work.finish(run)
    assert (list(small_disk.iterdir()), dict(run.ledger.drops), run.ledger_path) == ([], {"EROFS": 20}, None)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    work.close()
    records, integrity = found(work, run)
    assert [record.event for record in records] == ["run.begin", "drop", "run.end"]
    assert (told(records), integrity.complete) == ({"EROFS": 20}, False)


def test_a_limit_on_file_size_begins_segments(tmp_path):
    """A file that may not grow is left at its last whole line, and nothing acknowledged is lost."""
    run = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
    code = run + "run = work.run('job'); print(*work.steps(run, 40)); work.finish(run); work.close()"
    ids = script(code, data_dir=tmp_path).stdout.split()
    (attempt,) = find_attempts([str(tmp_path)], "job")
    from ledger_workload import integrity, read

    records, found_ = read(tmp_path, "job"), integrity(tmp_path, "job")
    assert [record.span_id for record in records if record.event == "step.end"] == ids
    assert len(attempt.writers[0].segments) > 3
    assert (found_.complete, found_.gaps, found_.bad_crc, found_.dropped) == (True, [], [], 0)
    assert {problem.kind for problem in found_.problems} <= {"torn tail"}


@pytest.mark.parametrize("error", ["ENOSPC", "EIO", "EDQUOT"])
def test_a_write_that_fails_once_begins_the_next_segment(tmp_path, error):
    """One failing write(2), injected by the kernel's tracer, costs no record: the next segment takes it."""
    if shutil.which("strace") is None:
        pytest.skip("no strace to inject failing writes with")
    before = ["strace", "-f", "-qq", "-o", "/dev/null"]
    inject = ["-e", "trace=write", "-e", f"inject=write:error={error}:when=9"]
    code = "run = work.run('job'); ids = work.steps(run, 20); work.finish(run); work.close(); print(len(ids))"
    script(code, before=[*before, *inject], data_dir=tmp_path)
    from ledger_workload import integrity, read

    records = read(tmp_path, "job")
    begins = [record.payload for record in records if record.event == "writer.begin"]
    assert len([1 for record in records if record.event == "step.end"]) == 20
    assert [(begin["reason"], begin["predecessor"]) for begin in begins] == [(error, "job.jsonl")]
    assert integrity(tmp_path, "job").complete


def test_a_failed_fsync_leaves_the_file_and_says_so(tmp_path):
    """After an fsync that failed the file is suspect: it is left, not synced again, and the next segment says why."""
    if shutil.which("strace") is None:
        pytest.skip("no strace to inject a failing fdatasync with")
    before = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync",
        "-e",
        "inject=fdatasync:error=EIO:when=4",
    ]
    code = "run = work.run('job'); work.steps(run, 5); work.finish(run); work.close()"
    script(code, before=before, data_dir=tmp_path)
    from ledger_workload import integrity, read

    records = read(tmp_path, "job")
    (begin,) = [record.payload for record in records if record.event == "writer.begin"]
    assert (begin["reason"], begin["predecessor"]) == ("fsync EIO", "job.jsonl")
    assert (len(records), integrity(tmp_path, "job").complete) == (13, True)


# -- what the application does to our files ----------------------------------------------------------------------------


def test_an_application_that_closes_everything_keeps_its_own_files(work, tmp_path):
    """After ``os.closerange`` the application's new files hold only what it wrote; the ledger goes on in its own.

    Even when it does so at once, while the ledger's background thread is at work for the first time.
    """
    run = work.run("job")
    work.steps(run, 3)
    code = f"""
run = work.run("job"); work.steps(run, 3)
os.closerange(3, 65536)
files = [open(os.path.join({str(tmp_path)!r}, f"app{{i}}"), "w") for i in range(700)]
work.steps(run, 5)
for file in files:
    file.write("mine"); file.close()
work.steps(run, 2); work.finish(run); work.close()
"""
    script(code, data_dir=tmp_path / "other")
    assert {(tmp_path / f"app{i}").read_bytes() for i in range(700)} == {b"mine"}
    from ledger_workload import integrity, read

    assert integrity(tmp_path / "other", "job").complete
    assert len([1 for record in read(tmp_path / "other", "job") if record.event == "step.end"]) == 10


def test_our_very_number_taken_by_an_application(work, tmp_path):
    """Even with our own descriptor's number in its hands the application's file stays its own, and open."""
    run = work.run("job")
    work.steps(run)
    number = run.ledger.fd
    with (tmp_path / "app").open("wb", buffering=0) as file:
        os.dup2(file.fileno(), number)
        time.sleep(2 * SURE_NS / 1e9)  # a number that was ours just now is taken to be ours for so long
        work.steps(run, 2)
        work.finish(run)
        assert os.fstat(number).st_ino == os.fstat(file.fileno()).st_ino
        os.close(number)
    assert (tmp_path / "app").read_bytes() == b""
    _, integrity = found(work, run)
    assert (integrity.complete, integrity.files, integrity.records) == (True, 1, 8)


def test_a_ledger_that_is_deleted_is_begun_again(work):
    """Records in a file that somebody deleted are counted as dropped; the next segment goes on."""
    run = work.run("job")
    work.steps(run, 3)
    shutil.rmtree(work.data_dir)
    work.finish(run)
    records, integrity = found(work, run)
    assert [record.event for record in records] == ["writer.begin", "drop", "run.end"]
    assert (told(records), integrity.complete, integrity.dropped) == ({"deleted": 7}, False, 7)


def test_a_ledger_that_somebody_appended_to_is_left(work):
    """A file with bytes in it that are not ours is left as soon as that is seen: before the next group of records."""
    run = work.run("job")
    with open(run.ledger_path, "ab") as file:
        file.write(b"graffiti\n")
    time.sleep(2 * SURE_NS / 1e9)
    work.steps(run)
    work.finish(run)
    records, integrity = found(work, run)
    (begin,) = [record.payload for record in records if record.event == "writer.begin"]
    assert (begin["reason"], begin["last_n"], integrity.bad_crc) == ("replaced", 1, [f"{run.day}/job.jsonl:2"])


def test_a_disk_that_gives_no_reserve_is_lived_with(tmp_path):
    """Where the folder cannot be had (deleted, read-only, no folder at all) there is no reserve, and nothing raises."""
    from codeintel_obs.ledger.home import Home

    (tmp_path / "telemetry").write_text("somebody's own file")
    home = Home(str(tmp_path), "none", dict)
    home.keep_reserve()
    assert home.spend_reserve() is False
    home.close()


def test_no_descriptors_left(tmp_path):
    """A process without a free descriptor loses records and tells how many once it has one again."""
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True: held.append(os.open("/dev/null", os.O_RDONLY))
except OSError: pass
run = work.run("job"); work.steps(run, 5)
for fd in held: os.close(fd)
import time; time.sleep(0.11)
work.steps(run, 2); work.finish(run); work.close()
"""
    script(code, data_dir=tmp_path)
    from ledger_workload import integrity, read

    assert told(read(tmp_path, "job")) == {"EMFILE": 10}
    assert integrity(tmp_path, "job").dropped == 10


def test_a_low_limit_on_descriptors_is_lived_with(tmp_path):
    """With few descriptors allowed ours are few too: hundreds of open runs leave the application its own."""
    code = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
runs = [work.run() for _ in range(300)]
for run in runs: work.steps(run)
held = [os.open("/dev/null", os.O_RDONLY) for _ in range(60)]
assert not any(run.ledger.drops for run in runs)
for run in runs: work.finish(run)
work.close()
"""
    script(code, data_dir=tmp_path)


def test_untold_drops_are_told_by_another_run(work, tmp_path):
    """A run that could write nothing at all, not even its end, is written once its folder is there again."""
    folder = Path(work.data_dir, "telemetry")
    folder.parent.mkdir()
    folder.write_text("in the way")
    lost = work.run("lost")
    work.steps(lost, 2)
    work.finish(lost)
    folder.unlink()
    time.sleep(0.11)
    work.finish(work.run("next"))
    records, integrity = found(work, lost)
    assert [record.event for record in records] == ["run.begin", "drop", "run.end"]
    assert (told(records), integrity.complete) == ({"ENOTDIR": 4}, False)
