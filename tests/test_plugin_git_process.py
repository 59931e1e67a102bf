"""Git's processes as steps: one each, with the exit code of the process itself, however GitPython hides it."""

from __future__ import annotations

import gc
import os
import signal
import stat
import subprocess
import sys
import threading

import git
import pytest

from codeintel_obs.plugins.git.errors import timed_out
from codeintel_obs.plugins.git.instrumentor import GitInstrumentor
from codeintel_obs.testing import recording

# As without us, GitPython lets go of pipes and processes after a failure (3.1 of most, 3.2 of an interrupted one), and
# Python says so when it collects them, in whichever test it does.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
VERSION = tuple(map(int, git.__version__.split(".")[:3]))


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path, monkeypatch):
    """No configuration of this machine reaches a test's git."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")


@pytest.fixture
def repo(tmp_path):
    """A repository with one commit."""
    with git.Repo.init(tmp_path / "repo", initial_branch="master") as made:
        made.git.commit("--allow-empty", "-m", "first")
        yield made


@pytest.fixture
def hanging(repo, tmp_path):
    """The remote ``slow``: its transport is a real process that never answers."""
    _script(tmp_path / "ssh", "exec sleep 3")
    with repo.git.custom_environment(GIT_SSH=str(tmp_path / "ssh"), GIT_SSH_VARIANT="simple"):
        yield repo.create_remote("slow", "ssh://example.invalid/x.git")


def _script(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_importing_git_runs_git_version_twice():
    """GitPython checks for its executable while it is imported: both processes are seen."""
    code = (
        "from codeintel_obs.testing import recording\n"
        "from codeintel_obs.plugins.git.instrumentor import GitInstrumentor\n"
        "with recording(GitInstrumentor) as told:\n"
        "    import git\n"
        "print([(s.kind, told.payload(s)['subcommand'], told.payload(s)['exit_code']) for s in told.steps])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([("git.process", "version", 0)] * 2)


def test_a_command_of_the_application_s_own(repo):
    """Subcommand and names of options; the values that were passed are not there."""
    with recording(GitInstrumentor) as told:
        said = repo.git.log("HEAD", "--author=Ada", max_count=1, format="%H")
    payload = told.payload(told.only("git.process"))
    assert payload.pop("pid") > 0
    assert payload == {
        "subcommand": "log",
        "options": ["--max-count", "--format", "--author"],
        "arguments": 4,
        "cwd": str(repo.working_dir),
        "exit_code": 0,
        "stdout_len": len(said),
    }


@pytest.mark.parametrize("extended", [False, True])
def test_an_exit_code_that_gitpython_throws_away(repo, extended):
    """The call returned, so the step is completed; its exit code is the process's own."""
    with recording(GitInstrumentor) as told:
        repo.git.rev_parse("--verify", "nowhere", with_exceptions=False, with_extended_output=extended)
    step = told.only("git.process")
    assert (step.status, told.payload(step)["exit_code"]) == ("completed", 128)


def test_a_failed_command_keeps_its_exit_code_and_the_application_its_exception(repo):
    """The message says which subcommand and how; `str` of the exception is as it was."""
    with recording(GitInstrumentor) as told, pytest.raises(git.GitCommandError) as caught:
        repo.git.checkout("nowhere")
    step = told.only("git.process")
    assert (step.status, told.payload(step)["exit_code"]) == ("failed", 1)
    assert step.error.message == "git checkout: exit code 1"
    assert "nowhere" in str(caught.value)


def test_a_git_that_is_not_there(repo, tmp_path, monkeypatch):
    """No process came into being: there is neither exit code nor process id, and the error says so."""
    monkeypatch.setattr(git.Git, "GIT_PYTHON_GIT_EXECUTABLE", str(tmp_path / "no-git"))
    with recording(GitInstrumentor) as told, pytest.raises(git.GitCommandNotFound):
        repo.git.status()
    step = told.only("git.process")
    assert (step.status, step.error.type) == ("failed", "git.exc.GitCommandNotFound")
    assert {"exit_code", "pid"}.isdisjoint(told.payload(step))
    assert told.payload(step)["subcommand"] == "status"


def test_a_command_that_is_not_git(repo):
    """`Git.execute` runs anything: what is not git has a program, and no subcommand."""
    with recording(GitInstrumentor) as told:
        repo.git.execute(["true", "secret"])
        repo.git.execute("true")
    first, second = map(told.payload, told.of("git.process"))
    assert (first["program"], first["exit_code"], "subcommand" in first) == ("true", 0, False)
    assert {"program", "subcommand", "argv"}.isdisjoint(second)


def test_a_command_that_is_killed_after_its_time(repo, monkeypatch, tmp_path):
    """`kill_after_timeout` is GitPython's own time-out: SIGKILL's exit code and its own text."""
    monkeypatch.setattr(git.Git, "GIT_PYTHON_GIT_EXECUTABLE", _script(tmp_path / "git", "exec sleep 60"))
    with recording(GitInstrumentor) as told, pytest.raises(git.GitCommandError):
        repo.git.status(kill_after_timeout=0.1)
    step = told.only("git.process")
    assert (step.status, told.payload(step)["exit_code"]) == ("timed_out", -9)
    assert step.error.message == "git status: killed because it timed out"


def test_a_command_that_somebody_else_killed_did_not_time_out(repo, monkeypatch, tmp_path):
    """The same signal without GitPython's text is a failure."""
    monkeypatch.setattr(git.Git, "GIT_PYTHON_GIT_EXECUTABLE", _script(tmp_path / "git", "kill -9 $$"))
    with recording(GitInstrumentor) as told, pytest.raises(git.GitCommandError) as caught:
        repo.git.status()
    step = told.only("git.process")
    assert (step.status, told.payload(step)["exit_code"]) == ("failed", -9)
    assert timed_out(caught.value) is False


@pytest.mark.parametrize("verb", ["fetch", "pull", "push"])
def test_a_transfer_that_is_killed_after_its_time(hanging, verb):
    """Operation and process timed out, both by the exception that `wait` raised after the kill."""
    with recording(GitInstrumentor) as told, pytest.raises(git.GitCommandError) as caught:
        getattr(hanging, verb)("master", kill_after_timeout=0.2)
    process, operation = told.only("git.process"), told.only(f"git.{verb}")
    assert (process.status, operation.status) == ("timed_out", "timed_out")
    assert process.error.id == operation.error.id == caught.value.__dict__["_codeintel_error"][0]
    # a git that was terminated may wait for its transport, and then ends with a code of its own
    assert told.payload(process)["exit_code"] not in {0, None}


def test_a_stream_that_is_read_and_waited_for(repo):
    """Its step ends at `wait`, once, however often that is called."""
    with recording(GitInstrumentor) as told:
        stream = repo.git.log(as_process=True)
        assert told.steps == []
        stream.stdout.read()
        assert stream.wait() == stream.wait() == 0
        del stream
    step = told.only("git.process")
    assert (step.status, step.detail, told.payload(step)["exit_code"]) == ("completed", None, 0)
    assert told.payload(step)["streamed"] is True


def test_a_stream_that_failed(repo):
    """`wait` raises; the exit code is the process's."""
    with recording(GitInstrumentor) as told:
        stream = repo.git.log("nowhere", as_process=True)
        with pytest.raises(git.GitCommandError):
            stream.wait()
    step = told.only("git.process")
    assert (step.status, told.payload(step)["exit_code"]) == ("failed", 128)
    assert step.error.message == "git log: exit code 128"


def test_a_stream_that_is_dropped(repo):
    """GitPython terminates it: nobody waited, and that is what is said."""
    with recording(GitInstrumentor) as told:
        stream = repo.git.cat_file("--batch", istream=subprocess.PIPE, as_process=True)
        pid = stream.pid
        del stream
    step = told.only("git.process")
    assert (step.status, told.payload(step)["pid"]) == ("completed", pid)
    assert told.payload(step)["exit_code"] in {-15, 0}
    assert step.detail == ("closed by consumer" if told.payload(step)["exit_code"] == -15 else None)


def test_a_stream_that_ended_by_itself_and_was_dropped(repo):
    """The exit code is what git said, and nobody closed it."""
    with recording(GitInstrumentor) as told:
        stream = repo.git.log("nowhere", as_process=True)
        stream.proc.wait()
        del stream
    step = told.only("git.process")
    assert (step.status, step.detail, told.payload(step)["exit_code"]) == ("completed", None, 128)


def test_a_stream_that_the_garbage_collector_finds(repo):
    """A process in a cycle ends when it is collected, even where nothing new is recorded."""
    with recording(GitInstrumentor) as told:
        cycle = [repo.git.log(as_process=True)]
        cycle.append(cycle)
        del cycle
        gc.collect()
    assert told.only("git.process").status == "completed"
    assert told.open == []


def test_a_session_is_one_step_for_its_whole_life(repo):
    """However many objects are read, `cat-file --batch` is one process, and ends when it is closed."""
    with recording(GitInstrumentor) as told:
        for _ in range(20):
            repo.git.get_object_data("HEAD")
        assert told.steps == []
        repo.git.clear_cache()
    step = told.only("git.process")
    assert (step.status, told.payload(step)["session"]) == ("completed", True)


def test_a_process_left_open_stays_in_flight(repo):
    """What did not end is not said to have ended."""
    with recording(GitInstrumentor) as told:
        stream = repo.git.cat_file("--batch", istream=subprocess.PIPE, as_process=True)
        (step,) = told.open
    assert (step.kind, step.status) == ("git.process", None)
    del stream


def test_each_process_has_its_own_id_in_threads(repo):
    """Steps and processes agree one to one when four threads start them."""

    def work():
        for _ in range(10):
            git.Git(repo.working_dir).rev_parse("HEAD")

    with recording(GitInstrumentor) as told:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({told.payload(step)["pid"] for step in told.of("git.process")}) == 40


@pytest.mark.parametrize(
    ("body", "status", "detail"), [("exit 0", "completed", None), ("exit 3", "failed", "exit code 3")]
)
def test_commit_hooks(repo, body, status, detail):
    """A hook is a process of its own; one that refuses makes the commit fail with GitPython's error."""
    _script(_hooks(repo) / "pre-commit", body)
    with recording(GitInstrumentor) as told:
        try:
            repo.index.commit("hooked")
        except git.HookExecutionError as exc:
            assert status == "failed"
            assert told.only("git.commit").error.message == "hook pre-commit: exit code 3"
            assert exc.status == 3
    if VERSION < (3, 1, 41):
        assert told.of("git.hook") == []  # started in a way that cannot be watched: the fact says so
        return
    step = told.only("git.hook")
    assert (str(step.status), step.detail, step.parent.kind) == (status, detail, "git.commit")
    assert (told.payload(step)["hook"], told.payload(step)["exit_code"]) == ("pre-commit", int(body[-1]))


def _hooks(repo):
    from pathlib import Path

    hooks = Path(repo.git_dir) / "hooks"
    hooks.mkdir(exist_ok=True)
    return hooks


def test_a_hook_that_cannot_be_started(repo):
    """Its step failed with what the system said; the application gets GitPython's own error."""
    path = _hooks(repo) / "pre-commit"
    path.write_bytes(b"\x00not a program")
    path.chmod(0o755)
    with recording(GitInstrumentor) as told, pytest.raises(git.HookExecutionError):
        repo.index.commit("hooked")
    assert [str(step.status) for step in told.of("git.hook")] == (["failed"] if VERSION >= (3, 1, 41) else [])


def test_a_command_that_is_interrupted(repo, monkeypatch, tmp_path):
    """The application's own signal handler raises through the call; the process had no exit code yet."""

    class DeadlineError(Exception):
        pass

    def on_alarm(_number, _frame):
        raise DeadlineError

    monkeypatch.setattr(git.Git, "GIT_PYTHON_GIT_EXECUTABLE", _script(tmp_path / "git", "sleep 0.5"))
    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with recording(GitInstrumentor) as told, pytest.raises(DeadlineError):
            repo.git.status()
    finally:
        signal.signal(signal.SIGALRM, before)
    step = told.only("git.process")
    assert (step.status, "exit_code" in told.payload(step)) == ("failed", False)
    os.waitpid(told.payload(step)["pid"], 0)
    gc.collect()


def test_nothing_is_printed_when_the_interpreter_ends_with_sessions_open(repo):
    """A repository in a global variable, its sessions open, the recorder on: the exit is silent and its code 0."""
    code = (
        "import git\n"
        "from codeintel_obs.testing import recording\n"
        "from codeintel_obs.plugins.git.instrumentor import GitInstrumentor\n"
        "context = recording(GitInstrumentor)\n"
        "told = context.__enter__()\n"
        f"repo = git.Repo({str(repo.working_dir)!r})\n"
        "repo.head.commit.tree\n"
        "history = repo.iter_commits()\n"
        "stream = repo.git.log(as_process=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
