"""The whole public API of the installed GitPython is classified: a point, or excluded with a reason."""

from __future__ import annotations

import inspect
import re
import sys
from fnmatch import fnmatchcase

import git
import git.objects.submodule.root
import pytest

from codeintel_obs.plugins.git.instrumentor import GitInstrumentor

VERSION = tuple(map(int, git.__version__.split(".")[:2]))
CALLABLES = (classmethod, staticmethod, property)
POINTS = {f"{point.module}:{point.name}" for point in GitInstrumentor.points}


def _modules():
    return [module for name, module in sorted(sys.modules.items()) if name == "git" or name.startswith("git.")]


def _public(name):
    return not name.startswith("_") or name in {"__init__", "__call__"}


def _of_class(cls):
    for name, value in vars(cls).items():
        if inspect.isclass(value) and value.__qualname__ == f"{cls.__qualname__}.{name}":
            yield from _of_class(value)
        elif _public(name) and (inspect.isfunction(value) or isinstance(value, CALLABLES)):
            yield f"{cls.__module__}:{cls.__qualname__}.{name}"


def _api():
    """Every public function, method, class method and property of the library, where it is defined."""
    found = set()
    for module in _modules():
        for name, value in vars(module).items():
            if name.startswith("_"):
                continue
            if inspect.isfunction(value) and value.__module__ == module.__name__:
                found.add(f"{module.__name__}:{name}")
            elif inspect.isclass(value) and value.__module__ == module.__name__:
                found.update(_of_class(value))
    return found


def _excluded(name):
    return [pattern for pattern in GitInstrumentor.exclusions if fnmatchcase(name, pattern)]


def test_the_enumeration_sees_the_library():
    """The well-known methods are among what is enumerated, or the next test would prove nothing."""
    expected = {
        "git.repo.base:Repo.blame",
        "git.repo.base:Repo.clone_from",
        "git.repo.base:Repo.untracked_files",
        "git.remote:Remote.fetch",
        "git.cmd:Git.execute",
        "git.index.base:IndexFile.commit",
        "git.objects.submodule.base:Submodule.update",
        "git.util:Actor.author",
        "git.index.fun:run_commit_hook",
    }
    assert expected <= _api()
    assert len(_api()) > 350


def test_every_public_name_is_a_point_or_excluded_with_a_reason():
    """A new method of a new version fails here until somebody decides what it is."""
    unclassified = sorted(name for name in _api() if name not in POINTS and not _excluded(name))
    assert unclassified == []


def test_nothing_is_both():
    """A point that is excluded would be a contradiction in the table."""
    assert [name for name in sorted(POINTS) if _excluded(name) and name not in _by_another_name()] == []


def _by_another_name():
    """Names that a module only imported: excluded where they are defined, watched where they are used."""
    return {"git.index.fun:safer_popen", "git.index.fun:finalize_process"}


@pytest.mark.parametrize("pattern", sorted(GitInstrumentor.exclusions))
def test_an_exclusion_excludes_something(pattern):
    """A pattern that matches nothing is a leftover; older versions lack what newer ones have."""
    matches = [name for name in _api() if fnmatchcase(name, pattern)]
    assert matches or VERSION < (3, 2)
    assert len(GitInstrumentor.exclusions[pattern]) > 10


def test_each_payload_key_is_declared():
    """What describe functions say has a class, or it would count as a text."""
    from codeintel_obs.plugins.git import describe, process

    source = inspect.getsource(describe) + inspect.getsource(process)
    keys = set(re.findall(r'"(\w+)"(?:\]? =|:)', source))
    assert keys == set(GitInstrumentor.fields)
