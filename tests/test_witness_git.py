"""Git itself as the witness: every top-level process in its own trace is one `git.process` step, and the reverse."""

from __future__ import annotations

import json
import os
import random
import threading

import git
import pytest

from codeintel_obs.plugins.git.instrumentor import GitInstrumentor
from codeintel_obs.testing import recording

OPERATIONS = 2400
THREADS = 4


@pytest.fixture
def repo(tmp_path, monkeypatch):
    """A small repository, in an environment of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    with git.Repo.init(tmp_path / "repo", initial_branch="master") as made:
        for number in range(3):
            (tmp_path / "repo" / f"{number}.txt").write_text("line\n" * (number + 1))
            made.index.add([f"{number}.txt"])
            made.index.commit(f"commit {number}")
        yield made


def _history_dropped(repo, draw):
    history = repo.iter_commits()
    for _ in range(draw.randrange(3)):
        next(history)
    history.close()


def _stream_dropped(repo, _draw):
    stream = repo.git.log(as_process=True)
    stream.proc.wait()
    del stream


def _failing_stream(repo, _draw):
    stream = repo.git.log("nowhere", as_process=True)
    try:
        stream.wait()
    except git.GitCommandError:
        return


def _failing(repo, draw):
    try:
        repo.git.execute(["git", draw.choice(["blame", "log", "show", "no-such-command"]), "--", "missing"])
    except git.GitCommandError:
        return


WORK = (
    lambda repo, _draw: repo.git.rev_parse("HEAD"),
    lambda repo, _draw: repo.git.rev_parse("--verify", "nowhere", with_exceptions=False),
    lambda repo, _draw: repo.git.cat_file("-e", "0" * 40, with_exceptions=False, with_extended_output=True),
    lambda repo, draw: repo.blame("HEAD", f"{draw.randrange(3)}.txt"),
    lambda repo, _draw: list(repo.iter_commits(max_count=2)),
    lambda repo, _draw: repo.head.commit.diff("HEAD~1"),
    lambda repo, _draw: repo.is_ancestor(repo.head.commit.parents[0], repo.head.commit),
    lambda repo, _draw: list(repo.head.commit.tree.traverse()),
    lambda repo, _draw: repo.git.clear_cache(),
    lambda repo, _draw: repo.git.get_object_data("HEAD"),
    _history_dropped,
    _stream_dropped,
    _failing_stream,
    _failing,
)


def _work(path, seed, errors):
    draw = random.Random(seed)
    try:
        with git.Repo(path) as repo:
            for _ in range(OPERATIONS // THREADS):
                draw.choice(WORK)(repo, draw)
    except BaseException as exc:  # a thread's error would be lost
        errors.append(exc)
        raise


def _processes(trace):
    """Top-level processes of git's own trace: pid → (subcommand, exit code); None for one that a signal ended."""
    found = {}
    for file in trace.iterdir():
        for line in file.read_text().splitlines():
            event = json.loads(line)
            if "/" in event["sid"]:
                continue  # started by another git process, not by GitPython
            pid = int(event["sid"].rsplit("-P", 1)[1], 16)
            argv, code = found.get(pid, (None, None))
            if event["event"] == "start":
                argv = event["argv"]
            elif event["event"] == "exit":
                code = event["code"]
            found[pid] = (argv, code)
    return found


def _agrees(payload, argv, code):
    """Whether a step says what git said: a process ended by a signal has written no exit."""
    ended = payload["exit_code"]
    return payload["subcommand"] == argv[1] and (ended == code if ended >= 0 else code is None or ended == -15)


def test_each_git_process_is_one_step_and_each_step_one_process(repo, tmp_path, monkeypatch):
    """A random workload in four threads; pid, subcommand and exit code agree one to one with git's trace."""
    seed = int(os.environ.get("CODEINTEL_TEST_SEED", random.randrange(2**32)))
    print("seed", seed)
    (tmp_path / "trace").mkdir()
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(tmp_path / "trace"))
    errors: list[BaseException] = []
    path = repo.working_dir
    with recording(GitInstrumentor) as told:
        threads = [threading.Thread(target=_work, args=(path, seed + number, errors)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert told.open == []
    steps = {told.payload(step)["pid"]: told.payload(step) for step in told.of("git.process")}
    traced = _processes(tmp_path / "trace")
    print("processes", len(steps))
    assert len(steps) == len(told.of("git.process")) >= 2000
    started = {pid for pid, (argv, _code) in traced.items() if argv is not None}
    # one that was terminated before git's own `main` ran has left no trace: the step alone knows of it
    unseen = {pid for pid in set(steps) - started if steps[pid]["exit_code"] != -15}
    assert (started - set(steps), unseen) == (set(), set())
    assert [pid for pid in started if not _agrees(steps[pid], *traced[pid])] == []
