"""Watching GitPython leaves it as it is: objects, signatures, pickles; and what its activation facts say."""

from __future__ import annotations

import copy
import inspect
import pickle

import git
import git.objects.submodule.root
import pytest

from codeintel_obs.plugins.git.instrumentor import GitInstrumentor
from codeintel_obs.testing import recording


@pytest.fixture
def repo(tmp_path, monkeypatch):
    """A repository with one commit, in an environment of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
    with git.Repo.init(tmp_path / "repo", initial_branch="master") as made:
        made.git.commit("--allow-empty", "-m", "first")
        yield made


def test_unwrapping_restores_the_identical_objects():
    """What stood in each class and module before stands there again, copies by name included."""
    before = _slots()
    with recording(GitInstrumentor):
        during = _slots()
    after = _slots()
    changed = [name for name, found in during.items() if found is not before[name]]
    assert len(changed) > 60
    assert [name for name, found in after.items() if found is not before[name]] == []


def _slots():
    from operator import attrgetter
    from sys import modules

    found = {}
    for point in GitInstrumentor.points:
        *owner, name = point.name.split(".")
        holder = attrgetter(".".join(owner))(modules[point.module]) if owner else modules[point.module]
        found[point.module, point.name] = vars(holder).get(name)
    return found


def test_signatures_docs_and_kinds_of_callables_stay():
    """`inspect` gives the same answers of every watched callable."""
    before = {name: _looks(found) for name, found in _callables().items()}
    with recording(GitInstrumentor):
        during = {name: _looks(found) for name, found in _callables().items()}
    assert during == before


def _callables():
    from operator import attrgetter
    from sys import modules

    rows = [point for point in GitInstrumentor.points if "." in point.name]
    found = {}
    for row in rows:
        try:
            found[row.module, row.name] = attrgetter(row.name)(modules[row.module])
        except AttributeError:
            continue  # a method that this version of the library does not have
    return found


def _looks(function):
    return (
        str(inspect.signature(function)),
        inspect.getdoc(function),
        function.__name__,
        function.__qualname__,
        inspect.isgeneratorfunction(function),
        inspect.ismethod(function),
    )


def test_repositories_and_errors_pickle_and_copy(repo):
    """A watched library's objects pickle as before, its methods by import path."""
    with recording(GitInstrumentor):
        assert pickle.loads(pickle.dumps(git.Repo.blame)) is not None
        assert pickle.loads(pickle.dumps(repo.head.commit.binsha)) == repo.head.commit.binsha
        assert copy.deepcopy(git.Repo.blame) is not None
        runner = pickle.loads(pickle.dumps(repo.git))
        assert runner.rev_parse("HEAD") == repo.head.commit.hexsha


def test_every_point_of_this_version_is_wrapped():
    """The activation facts name no surprise: what is missing is what this version does not have."""
    with recording(GitInstrumentor):
        facts = dict(GitInstrumentor().activation)
    missing = {row for row, fact in facts.items() if fact != "wrapped"}
    old = {"git.cmd:safer_popen", "git.index.fun:safer_popen", "git.objects.submodule.base:Submodule.deinit"}
    version = tuple(map(int, git.__version__.split(".")[:3]))
    assert missing <= (old if version < (3, 2) else set())


def test_semantic_conventions():
    """Exit code, process id and public URL carry the names that other tools read."""
    semantics = GitInstrumentor.semantics
    assert semantics["git.process"]({"exit_code": 128, "pid": 7, "subcommand": "blame"}) == {
        "process.exit.code": 128,
        "process.pid": 7,
    }
    assert semantics["git.clone"]({"url": "https://h/x"}) == {"vcs.repository.url.full": "https://h/x"}
    assert semantics["git.checkout"]({"ref": "refs/heads/x"}) == {"vcs.ref.head.name": "refs/heads/x"}
