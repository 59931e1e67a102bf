"""The writer: whose file is whose, what stands in it, and that nothing is lost between threads, forks and signals."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from codeintel_obs import guard
from codeintel_obs.ledger.attempts import find_attempts
from codeintel_obs.runs import Run
from codeintel_obs.steps import LogEntry, Record

LIBRARIES = Path(__file__).parent / "libraries"


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


def found(work, run):
    from ledger_workload import integrity, read

    return read(work.data_dir, run.run_id), integrity(work.data_dir, run.run_id)


def names(work, run):
    """The file names of a run's day, less its id."""
    folder = Path(work.data_dir, "telemetry/runs", run.day)
    return sorted(path.name.removeprefix(run.run_id) for path in folder.iterdir())


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_run_is_one_file_from_begin_to_end(work):
    """A run of one process is one file: begin, steps, end; closed, whole, and named by its id and day."""
    run = work.run(name="search")
    work.steps(run, 2, k=10)
    work.finish(run)
    records, integrity = found(work, run)
    assert [record.event for record in records] == ["run.begin", *["step.begin", "step.end"] * 2, "run.end"]
    assert [record.n for record in records] == [1, 2, 3, 4, 5, 6]
    assert records[-1].payload == {"name": "search", "outcome": "completed", "open": [], "records": 6}
    assert (integrity.complete, integrity.files, integrity.records, integrity.problems) == (True, 1, 6, [])
    assert run.ledger_path == f"{work.data_dir}/telemetry/runs/{run.day}/{run.run_id}.jsonl"


def test_begin_names_the_process_and_its_manifest(work):
    """``run.begin`` says what ran where, with the hash of the manifest's very bytes, at the time of the run's begin."""
    import hashlib

    run = work.run("../../x", name="search", parent_run_id="up", plugins=("faiss", "git"))
    (begin,), _ = found(work, run)
    payload = begin.payload
    manifest = Path(work.data_dir, "telemetry/processes", payload.pop("manifest")).read_bytes()
    assert payload.pop("manifest_sha256") == hashlib.sha256(manifest).hexdigest()
    assert len(payload.pop("writer")) == 8
    assert payload == {
        "name": "search", "raw_run_id": "../../x", "parent_run_id": "up", "service": "test",
        "host": os.uname().nodename, "pid": os.getpid(), "plugins": ["faiss", "git"],
    }  # fmt: skip
    assert (begin.mono_ns, begin.trace_id) == (run.mono_ns, run.trace_id)


def test_modes_and_gitignore(tmp_path, work):
    """Files are 0640 while open and read-only when closed, folders 0750, and git sees none of it."""
    previous = os.umask(0)
    try:
        run = work.run()
        path = Path(run.ledger_path)
        open_mode = stat.S_IMODE(path.stat().st_mode)
        work.finish(run)
    finally:
        os.umask(previous)
    assert (open_mode, stat.S_IMODE(path.stat().st_mode)) == (0o640, 0o440)
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in list(path.parents)[:4]} == {0o750}
    assert (tmp_path / "data/.gitignore").read_text() == "*\n"


def test_a_data_directory_of_the_users_own_gets_no_gitignore(tmp_path):
    """Only a data directory that we made is hidden from git."""
    from ledger_workload import Workload

    work = Workload(tmp_path)
    work.finish(work.run())
    work.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["telemetry"]


def test_a_second_attempt_has_a_file_of_its_own(work):
    """The same id begun again is another attempt beside the first, which stays as it was."""
    first, second = work.run("job"), work.run("job")
    work.steps(first)
    work.steps(second)
    for run in (first, second):
        work.finish(run)
    assert names(work, first) == [".jsonl", f"~{second.attempt}.jsonl"]
    attempts = find_attempts([work.data_dir], "job")
    assert [attempt.attempt for attempt in attempts] == [first.attempt, second.attempt]


def test_joiners_have_files_of_their_own(work):
    """Who joins an attempt writes beside its beginner, closes with its own count, and ends no run."""
    run = work.run("job")
    joined = [work.run(carrier=run.carrier()) for _ in range(2)]
    for each in joined:
        work.steps(each)
        work.finish(each)
    work.finish(run)
    records, integrity = found(work, run)
    assert [record.event for record in records].count("run.begin") == 1
    ends = [(record.event, record.payload["records"]) for record in records if record.event.endswith("r.end")]
    assert ends == [("writer.end", 4), ("writer.end", 4)]
    assert (integrity.complete, integrity.files, len(names(work, run))) == (True, 3, 3)


def test_an_id_may_look_like_a_segment(work):
    """``a`` and ``a.s2`` are two runs; neither writes into, or is read as, the other."""
    runs = [work.run(name) for name in ("a.s2", "a", "a.s2.s3")]
    runs[1].ledger._retire("short write")
    for run in runs:
        work.steps(run)
        work.finish(run)
    for run in runs:
        records, integrity = found(work, run)
        assert {record.run_id for record in records} == {run.run_id}
        assert integrity.complete, integrity.problems


@pytest.mark.parametrize("planted", ["link", "folder", "empty", "garbage", "fifo", "dangling"])
def test_planted_names_are_left_alone(work, tmp_path, planted):
    """Whatever lies at a run's name beforehand is neither followed nor written to; the run has another file."""
    target = tmp_path / "target"
    probe = work.run("probe")
    path = Path(probe.ledger_path).with_name("job.jsonl")
    {
        "link": lambda: (target.write_text("precious\n"), path.symlink_to(target)),
        "dangling": lambda: path.symlink_to(target),
        "folder": path.mkdir,
        "empty": path.touch,
        "garbage": lambda: path.write_bytes(b'{"v":1}\n'),
        "fifo": lambda: os.mkfifo(path),
    }[planted]()
    run = work.run("job")
    work.steps(run)
    work.finish(run)
    assert Path(run.ledger_path).name == f"job~{run.attempt}.jsonl"
    assert target.read_text() == "precious\n" if planted == "link" else not target.exists()
    attempts = [attempt for attempt in find_attempts([work.data_dir], "job") if attempt.attempt]
    assert [attempt.attempt for attempt in attempts] == [run.attempt]


def test_a_linked_folder_is_refused(work, tmp_path):
    """A link planted in place of a folder below the data directory leads no record astray; drops are counted."""
    outside = tmp_path / "outside"
    outside.mkdir()
    Path(work.data_dir, "telemetry").mkdir(parents=True)
    Path(work.data_dir, "telemetry/runs").symlink_to(outside)
    run = work.run("job")
    work.steps(run, 3)
    assert (list(outside.iterdir()), dict(run.ledger.drops)) == ([], {"ENOTDIR": 6})
    Path(work.data_dir, "telemetry/runs").unlink()
    time.sleep(0.11)
    work.steps(run)
    work.finish(run)
    records, integrity = found(work, run)
    assert [record.payload for record in records if record.event == "drop"] == [{"count": 6, "reason": "ENOTDIR"}]
    assert (integrity.complete, integrity.dropped) == (False, 6)


# -- ends ----------------------------------------------------------------------------------------------------------


def test_open_steps_are_listed_and_their_late_ends_close_the_file(work):
    """``run.end`` lists what is open; the last late end closes the file with ``writer.end``."""
    run = work.run()
    first, second = work.begin(run), work.begin(run)
    work.finish(run)
    work.end(first)
    middle, _ = found(work, run)
    work.end(second)
    records, integrity = found(work, run)
    assert [record.payload["open"] for record in middle if record.event == "run.end"] == [
        [first.span_id, second.span_id]
    ]
    assert [record.event for record in records[-3:]] == ["step.end", "step.end", "writer.end"]
    assert [record.payload for record in records[-3:]] == [{"late": True}, {"late": True}, {"records": 7}]
    assert integrity.complete


def test_shutdown_closes_what_is_open(work):
    """At the end of the process every file gets its closing record."""
    run = work.run()
    work.begin(run)
    work.close()
    records, integrity = found(work, run)
    assert [record.event for record in records] == ["run.begin", "step.begin", "writer.end"]
    assert integrity.complete


def test_a_record_after_the_end_begins_a_segment(work):
    """A closed file is never reopened: what comes later stands in the next segment, which names its predecessor."""
    run = work.run("job")
    work.finish(run)
    work.steps(run)
    work.close()
    records, integrity = found(work, run)
    begin = next(record for record in records if record.event == "writer.begin")
    assert (begin.n, begin.payload["predecessor"], begin.payload["last_n"]) == (1, "job.jsonl", 2)
    assert (records[-1].event, records[-1].payload, integrity.complete) == ("writer.end", {"records": 6}, True)


def test_logs_and_other_records_go_to_their_run(work):
    """Logs and events without a hook of their own stand in the run that they name; a stranger's is counted."""
    run = work.run()
    work.sink.obs_log(LogEntry(run, time.time_ns(), 1, "app", "INFO", 20, "hello", "MainThread", run.trace_id, None))
    record = Record(v=1, n=0, event="plan", ts="t", mono_ns=2, run_id=run.run_id, attempt=run.attempt, source="obs")
    work.sink.obs_record(record)
    record.run_id = "elsewhere"
    work.sink.obs_record(record)
    other = work.run()
    records, _ = found(work, run)
    assert [each.event for each in records[1:]] == ["log", "plan"]
    told, _ = found(work, other)
    assert told[1].payload == {"count": 1, "reason": "of a run that this process does not have open"}


def test_run_end_carries_the_error_that_ended_it(work):
    """The error of the run stands at the top of ``run.end``."""
    from codeintel_obs.steps import ErrorInfo

    run = work.run()
    run.end_error = ErrorInfo("ValueError", "no", "e1")
    work.finish(run, "failed")
    records, _ = found(work, run)
    assert (records[-1].error, records[-1].payload["outcome"]) == (ErrorInfo("ValueError", "no", "e1"), "failed")


# -- threads, signals, forks -----------------------------------------------------------------------------------------


def test_threads_number_their_lines_without_gaps(work):
    """Many threads in one file: every record is there once, numbered densely."""
    run = work.run()
    ids = []
    threads = [threading.Thread(target=lambda: ids.extend(work.steps(run, 300))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work.finish(run)
    records, integrity = found(work, run)
    assert sorted(record.span_id for record in records if record.event == "step.end") == sorted(ids)
    assert (integrity.complete, integrity.records) == (True, 3602)


def test_a_signal_handler_may_record_at_any_moment(work):
    """Records begun in a signal handler, wherever it lands in the writer, are all written, and nothing deadlocks."""
    run = work.run()
    told = []
    previous = signal.signal(signal.SIGALRM, lambda *_: told.extend(work.steps(run)))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0003)
    try:
        ids = work.steps(run, 4000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    work.finish(run)
    records, integrity = found(work, run)
    assert {record.span_id for record in records if record.event == "step.end"} == {*ids, *told}
    assert integrity.complete and len(told) > 10


def test_an_exception_between_write_and_count_begins_the_next_segment(work):
    """A deadline that strikes inside the writer passes through; what is on disk and what is counted still agree."""

    class DeadlineError(Exception):
        pass

    def strike(*_):
        raise DeadlineError

    run, struck = work.run(), 0
    previous = signal.signal(signal.SIGALRM, strike)
    try:
        while run.ledger.segment < 6:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0004)
                work.steps(run, 2000)
            except DeadlineError:
                struck += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    run.open.clear()
    work.finish(run)
    records, integrity = found(work, run)
    reasons = {record.payload["reason"] for record in records if record.event == "writer.begin"}
    assert (reasons, struck >= 5) == ({"interrupted"}, True)
    assert {problem.kind for problem in integrity.problems} <= {"dropped", "torn tail"}


def test_a_forked_child_writes_a_file_of_its_own(work):
    """After a fork the child joins with its own file; no byte of it lands in its parent's, and both are whole."""
    run = work.run("job")
    work.steps(run, 3)
    before = Path(run.ledger_path).read_bytes()
    child = os.fork()
    if not child:
        work.steps(run, 2)
        work.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert Path(run.ledger_path).read_bytes() == before
    work.steps(run)
    work.finish(run)
    records, integrity = found(work, run)
    joined = next(record for record in records if record.event == "writer.begin")
    assert (joined.payload["pid"], integrity.complete, integrity.files) == (child, True, 2)


def test_forks_beside_a_busy_writer(work):
    """Children forked while other threads write never hang and never write into a file that is not theirs."""
    run = work.run("job")
    stop = threading.Event()
    threads = [threading.Thread(target=lambda: [work.steps(run) for _ in iter(stop.is_set, True)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        child = os.fork()
        if not child:
            work.steps(run, 2)
            work.close()
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    stop.set()
    for thread in threads:
        thread.join()
    work.finish(run)
    _, integrity = found(work, run)
    assert (integrity.complete, integrity.files, integrity.problems) == (True, 21, [])


def test_a_fork_finds_no_thread_of_ours(tmp_path):
    """A process whose only other thread is ours forks without the warning about threads, and threading lists none."""
    code = f"""
import os, threading, warnings
warnings.simplefilter("error")
from ledger_workload import Workload
work = Workload({str(tmp_path)!r})
run = work.run()
for _ in range(30):
    work.steps(run)
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
assert threading.enumerate() == [threading.main_thread()]
work.finish(run); work.close()
"""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(LIBRARIES), *filter(None, sys.path)])}
    subprocess.run([sys.executable, "-c", code], env=environ, check=True)


@pytest.mark.parametrize("other", [False, True], ids=["same", "taken"])
def test_processes_that_race_to_begin_an_attempt_agree(tmp_path, other):
    """Of processes that begin one attempt at once one is its beginner, also when the plain name is another's."""
    from ledger_workload import Workload, read

    processes = []
    for turn in range(10):
        run, go = Run(f"race{turn}"), tmp_path / f"go{turn}"
        if other:
            holder = Workload(tmp_path / "data", "none")
            holder.finish(holder.run(run.run_id))
            holder.close()
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(LIBRARIES), *filter(None, sys.path)])}
        script = [sys.executable, str(LIBRARIES / "ledger_workload.py"), "race_to_begin", str(tmp_path / "data")]
        words = [*script, run.run_id, run.attempt, run.day, str(go)]
        processes = [subprocess.Popen(words, env=environ) for _ in range(2)]
        time.sleep(0.35)
        go.touch()
        assert [process.wait() for process in processes] == [0, 0]
        attempt = find_attempts([str(tmp_path / "data")], run.run_id)[-1]
        events = [record.event for file in attempt.files() for record in [file.first]]
        assert (attempt.attempt, sorted(events)) == (run.attempt, ["run.begin", "writer.begin"])
    assert other or len(read(tmp_path / "data", "race0")) == 8


# -- many files ------------------------------------------------------------------------------------------------------


def test_thousands_of_open_runs_need_few_descriptors(work):
    """Descriptors are closed and opened again as needed; every record is in the right file."""
    runs = [work.run() for _ in range(1500)]
    for _ in range(2):
        for run in runs:
            work.begin(run, payload={"id": run.run_id})
    ours = [run for run in runs if run.ledger.fd >= 0]
    assert len(ours) <= 256
    for run in runs[::100]:
        records, _ = found(work, run)
        assert [record.payload["id"] for record in records[1:]] == [run.run_id] * 2


def test_data_is_flushed_within_the_group(work):
    """The flusher makes a file durable without being asked, and a flush waits for it."""
    run = work.run()
    work.steps(run, 5)
    work.sink.obs_flush(10)
    assert run.ledger.synced == (f"{run.run_id}.jsonl", 11)


@pytest.mark.parametrize("policy", ["none", "group", "step"])
def test_every_policy_writes_the_same(tmp_path, policy):
    """The policy decides when a record is on the disk, not what is recorded."""
    from ledger_workload import Workload

    work = Workload(tmp_path, policy)
    run = work.run()
    work.steps(run, 120)
    work.finish(run)
    work.close()
    records, integrity = found(work, run)
    assert (len(records), integrity.complete) == (242, True)
    assert json.loads(Path(run.ledger_path).read_bytes().splitlines()[-1])["event"] == "run.end"
