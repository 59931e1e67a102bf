"""Launching: exit codes pass through, outcomes are right, and nothing that the application does is changed."""

from __future__ import annotations

import signal
import sys

import pytest
from processes import OBS, kinds, launched, records, report, run, stock

SEARCH = """
import faiss, numpy as np
index = faiss.IndexFlatL2(8)
index.add(np.zeros((3, 8), "f4"))
index.search(np.zeros((1, 8), "f4"), 2)
"""
STEPS = [("python.import", "completed"), ("faiss.add", "completed"), ("faiss.search", "completed")]

ENDS = [
    ("pass", 0, "completed", "ended"),
    ("import sys; sys.exit(3)", 3, "failed", "ended"),
    ("raise SystemExit(3)", 3, "failed", "ended"),
    ("raise ValueError('no such index')", 1, "failed", "failed"),
    ("import os; os._exit(0)", 0, "interrupted", "interrupted"),
    ("import os; os._exit(4)", 4, "failed", "interrupted"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, "interrupted", "interrupted"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, "interrupted", "interrupted"),
    ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV, "interrupted", "interrupted"),
]


@pytest.mark.parametrize(("end", "code", "outcome", "_unwitnessed"), ENDS)
def test_our_launcher_witnesses_every_end(tmp_path, end, code, outcome, _unwitnessed):
    """The child's exit code or signal is ours, and the outcome is what the supervisor saw."""
    ended = launched(tmp_path, SEARCH + end)
    told = report(tmp_path)
    assert (ended.returncode, told["outcome"]) == (code, outcome)
    assert kinds(told) == STEPS
    assert told["in_flight"] == []


@pytest.mark.parametrize(("end", "code", "_witnessed", "outcome"), ENDS)
def test_the_stock_launcher_gives_an_honest_outcome(tmp_path, end, code, _witnessed, outcome):
    """Nobody saw the exit code: the outcome says no more than what the process itself wrote."""
    ended = stock(tmp_path, SEARCH + end)
    told = report(tmp_path)
    assert (ended.returncode, told["outcome"]) == (code, outcome)
    assert kinds(told) == STEPS


def test_an_uncaught_exception_is_the_stop_reason(tmp_path):
    """`stopped_because` names the exception that ended the program, and that no step raised it."""
    launched(tmp_path, SEARCH + "raise ValueError('no such index')")
    stop = report(tmp_path)["stopped_because"]
    assert (stop["error_type"], stop["message"], stop["step"]) == ("ValueError", "no such index", None)


def test_the_step_that_raised_is_the_stop_reason(tmp_path):
    """An exception that left a step and ended the program is followed to that step by its identity."""
    launched(tmp_path, SEARCH + "index.search(np.zeros((1, 7), 'f4'), 2)")
    told = report(tmp_path)
    assert told["stopped_because"]["kind"] == "faiss.search"
    assert told["stopped_because"]["step"] == told["steps"][-1]["id"]


def test_a_handled_failure_is_no_stop_reason(tmp_path):
    """What the application caught is told as handled, and the run completed."""
    code = "\ntry:\n    index.search(np.zeros((1, 7), 'f4'), 2)\nexcept AssertionError:\n    pass\n"
    assert launched(tmp_path, SEARCH + code).returncode == 0
    told = report(tmp_path)
    assert (told["outcome"], told["stopped_because"]) == ("completed", None)
    assert told["handled_failures"] == [told["steps"][-1]["id"]]


def test_after_a_failure_one_line_says_what_and_where_to_read(tmp_path):
    """The last line on stderr names the cause and the command; --quiet says nothing."""
    said = launched(tmp_path, SEARCH + "raise ValueError('no such index')", "--run-id", "r1").stderr
    assert said.splitlines()[-1] == ("codeintel-obs: FAILED ValueError: no such index; see: codeintel-obs report r1")
    assert "codeintel-obs" not in launched(tmp_path, "raise ValueError", "--quiet").stderr


def test_standard_streams_pass_through(tmp_path):
    """Output, errors and input are the command's own."""
    ended = run(tmp_path, OBS, "run", "--", "sh", "-c", "cat; echo out; echo err >&2")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "out\n", "err\n")


def test_both_launchers_give_the_same_steps(tmp_path):
    """Kinds, statuses and payloads are equal under our launcher, the stock one, and `codeintel_obs.start()`."""
    told = []
    for name, launch in (("ours", launched), ("stock", stock)):
        (tmp_path / name).mkdir()
        launch(tmp_path / name, SEARCH)
        told.append(report(tmp_path / name)["steps"])
    (tmp_path / "start").mkdir()
    run(tmp_path / "start", sys.executable, "-c", "import codeintel_obs; codeintel_obs.start()\n" + SEARCH)
    told.append(report(tmp_path / "start")["steps"])
    seen = [[(step["kind"], step["status"], step["payload"]) for step in steps] for steps in told]
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == 3


def test_exec_leaves_no_witness(tmp_path):
    """With --exec the command takes our place: the steps are on record, its exit code is not."""
    assert launched(tmp_path, SEARCH, "--exec").returncode == 0
    told = report(tmp_path)
    assert (kinds(told), told["outcome"]) == (STEPS, "ended")


def test_off_switches_everything_off(tmp_path):
    """CODEINTEL_OBS=off: the command runs, and nothing is written."""
    assert launched(tmp_path, SEARCH, CODEINTEL_OBS="off").returncode == 0
    assert stock(tmp_path, SEARCH, CODEINTEL_OBS="off").returncode == 0
    assert not (tmp_path / ".codeintel").exists()


def test_a_seeded_application_draws_the_same_numbers(tmp_path):
    """The recorder never draws from `random`, even beside the application's own tracer provider."""
    code = (
        """
import random
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
random.seed(42)
trace.set_tracer_provider(TracerProvider())
"""
        + SEARCH
        + "print([random.random() for _ in range(3)])"
    )
    bare = run(tmp_path, sys.executable, "-c", code).stdout
    assert launched(tmp_path, code).stdout == bare == stock(tmp_path, code).stdout
    assert kinds(report(tmp_path))[-1] == ("faiss.search", "completed")


def test_a_users_own_sitecustomize_still_runs(tmp_path):
    """The one that ours shadows on PYTHONPATH is run after it."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.mine = [*getattr(sys, 'mine', []), __file__]\n")
    ended = launched(tmp_path, "import sitecustomize, sys; print(sys.mine, end='')", PYTHONPATH=str(tmp_path))
    assert ended.stdout == str([str(tmp_path / "sitecustomize.py")])


def test_no_watched_library_is_imported_by_us(tmp_path):
    """After launch and before the application's first import, nothing that we watch is in sys.modules."""
    names = "faiss duckdb git numpy vllm typer rich".split()
    code = f"import sys; print([name for name in {names} if name in sys.modules])"
    assert launched(tmp_path, code).stdout == stock(tmp_path, code).stdout == "[]\n"


def test_descendants_join_the_run(tmp_path):
    """A child Python of the command, and a child's child, write into the same attempt."""
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
    run(tmp_path, OBS, "run", "--", sys.executable, "-c", child, SEARCH)
    told = report(tmp_path)
    assert kinds(told) == STEPS
    assert len({record["attempt"] for record in records(tmp_path)}) == 1


HOSTILE = ["../../x", "a\nb", "é" * 300, "x-" + "0" * 32, "name", "NAME", ".", "a/b", "run id", "-rf"]


def test_hostile_ids_escape_nothing_and_collide_with_nothing(tmp_path):
    """Run and session ids of any shape: each run is recorded under an id of its own, inside the data folder."""
    for name in HOSTILE:
        ended = run(
            tmp_path, OBS, "run", f"--run-id={name}", "--", sys.executable, "-c", SEARCH, CODEINTEL_OBS_SESSION_ID=name
        )
        assert ended.returncode == 0, ended.stderr
    paths = list(tmp_path.rglob("*.jsonl"))
    assert all(path.parent.parent == tmp_path / ".codeintel" / "telemetry" / "runs" for path in paths)
    begins = [record for record in records(tmp_path) if record["event"] == "run.begin"]
    assert len({record["run_id"] for record in begins}) == len(HOSTILE)
    raw = {record["payload"].get("raw_run_id", record["run_id"]) for record in begins}
    assert raw == set(HOSTILE)
    assert all(kinds(report(tmp_path, name))[-1] == STEPS[-1] for name in ("NAME", "../../x"))


def test_the_same_run_id_twice_is_two_attempts(tmp_path):
    """The second run of a name is a second attempt; the first is still there."""
    for code in (SEARCH, "import faiss; raise KeyError('second')"):
        launched(tmp_path, code, "--run-id", "nightly")
    assert [report(tmp_path, "nightly", "--attempt", n)["outcome"] for n in "12"] == ["completed", "failed"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("content = 'everything'", "content"),
        ("fsyncc = 'none'", "fsyncc"),
        ("max_days = 'x'", "max_days"),
        ("a =", "file"),
    ],
)
def test_a_bad_setting_is_refused_before_anything_is_launched(tmp_path, text, key):
    """Exit code 2, the file, the key and the mend on stderr, and the command never ran."""
    (tmp_path / "codeintel_obs.toml").write_text(text + "\n")
    ended = launched(tmp_path, "open('ran', 'w')")
    assert ended.returncode == 2
    assert "codeintel_obs.toml" in ended.stderr
    assert key in ended.stderr
    assert not (tmp_path / "ran").exists()


def test_a_bad_setting_inside_a_process_is_one_line_and_a_finding(tmp_path):
    """Under the stock launcher the application runs with the default; `doctor` finds what was wrong."""
    bad = {"CODEINTEL_OBS_CONTENT": "everything"}
    ended = stock(tmp_path, SEARCH + "print('ran')", **bad)
    assert ended.stdout == "ran\n"
    assert [line for line in ended.stderr.splitlines() if "codeintel-obs" in line] == ended.stderr.splitlines()
    assert len(ended.stderr.splitlines()) == 1
    assert "CODEINTEL_OBS_CONTENT" in run(tmp_path, OBS, "doctor", **bad).stdout


@pytest.mark.parametrize("command", [[], ["no-such-command-of-ours"]])
def test_a_command_that_is_not_there_is_wrong_use(tmp_path, command):
    """Exit code 2 and a line that says what to do."""
    ended = run(tmp_path, OBS, "run", "--", *command)
    assert ended.returncode == 2
    assert ended.stderr


def test_signals_reach_the_command(tmp_path):
    """SIGTERM sent to the supervisor is the command's to handle, and its exit code is ours."""
    code = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print('up', flush=True); time.sleep(60)"
    )
    import subprocess

    from processes import environ

    with subprocess.Popen(
        [OBS, "run", "--quiet", "--", sys.executable, "-c", code], cwd=tmp_path, env=environ(), stdout=subprocess.PIPE
    ) as supervisor:
        assert supervisor.stdout.readline() == b"up\n"
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(timeout=30) == 7
