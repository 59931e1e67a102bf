"""Wrapped callables pickle and copy as what they stand for, and come off without a trace."""

from __future__ import annotations

import copy
import functools
import pickle
import subprocess
import sys
import types
from pathlib import Path

import pytest
import wrapt

from codeintel_obs import LibraryInstrumentor, Point
from codeintel_obs.testing import recording

LIBRARY = "codeintel_shapes"
HERE = Path(__file__).parent / "libraries"
NAMES = ("plain", "count", "fetch", "Base.work", "Base.made", "Base.helped", "Base.awaited")


@pytest.fixture(autouse=True)
def shapes(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import codeintel_shapes

    return codeintel_shapes


def watching(*names):
    points = tuple(Point(module=LIBRARY, name=name, kind=f"shapes.{name.split('.')[-1]}") for name in names)
    return type("ShapesInstrumentor", (LibraryInstrumentor,), {"plugin": "s", "library": LIBRARY, "points": points})


CALLABLES = {
    "function": lambda lib: lib.plain,
    "partial": lambda lib: functools.partial(lib.plain, 5),
    "unbound": lambda lib: lib.Base.work,
    "static": lambda lib: lib.Base.helped,
    "classmethod": lambda lib: lib.Child.made,
    "bound": lambda lib: lib.Child().work,
    "coroutine function": lambda lib: lib.fetch,
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("which", CALLABLES)
def test_pickles_and_comes_back_recorded(shapes, which, protocol):
    """Every sort of wrapped callable survives a round trip with every protocol."""
    with recording(watching(*NAMES)):
        it = CALLABLES[which](shapes)
        back = pickle.loads(pickle.dumps(it, protocol))
        assert getattr(back, "__qualname__", None) == getattr(it, "__qualname__", None)
        if which == "function":
            assert back is it


@pytest.mark.parametrize("which", CALLABLES)
def test_pickle_needs_nothing_of_ours(shapes, which):
    """Bytes written by a watched process are read by one that has never heard of us."""
    with recording(watching(*NAMES)):
        dumped = pickle.dumps(CALLABLES[which](shapes))
    assert b"codeintel_obs" not in dumped
    code = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()))"
    environment = {"PYTHONPATH": str(HERE)}
    done = subprocess.run([sys.executable, "-c", code], input=dumped, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_bytes_of_a_function_and_of_a_bound_method_stay(shapes):
    """A function and a bound method pickle to the very bytes that they give unwatched."""
    base = shapes.Base()
    bare = [pickle.dumps(it) for it in (shapes.plain, base.work, shapes.Base.made)]
    with recording(watching(*NAMES)):
        assert [pickle.dumps(it) for it in (shapes.plain, base.work, shapes.Base.made)] == bare


def test_copies(shapes):
    """A copy of a function is the function; a deep copy of a bound method is bound to a copy of its object."""
    with recording(watching(*NAMES)) as told:
        base = shapes.Base()
        base.held = []
        assert copy.copy(shapes.plain) is shapes.plain
        assert copy.deepcopy(shapes.plain) is shapes.plain
        assert copy.copy(base.work).__self__ is base
        deep = copy.deepcopy(base.work)
        assert deep.__self__ is not base
        assert deep.__self__.held is not base.held
        deep(1)
    assert told.kinds == ["shapes.work"]


def test_local_function_is_refused_as_it_is_unwatched(shapes, monkeypatch):
    """What cannot be pickled unwatched cannot be pickled watched, and the error is the same."""

    def local():
        return None

    local.__module__ = LIBRARY
    monkeypatch.setattr(shapes, "helper", local, raising=False)
    errors = (AttributeError, pickle.PicklingError)
    with pytest.raises(errors) as bare:
        pickle.dumps(shapes.helper)
    with recording(watching("helper")), pytest.raises(errors) as watched:
        pickle.dumps(shapes.helper)
    assert type(watched.value) is type(bare.value)


# -- coming off ------------------------------------------------------------------------------------------------------


def slots(shapes):
    owners = [shapes, *(each for each in vars(shapes).values() if isinstance(each, type))]
    return [(owner, name, value) for owner in owners for name, value in vars(owner).items()]


def test_uninstrument_restores_the_identical_objects(shapes):
    """After taking the points off, every slot of the library holds the very object that it held, in the same order."""
    before = slots(shapes)
    with recording(watching(*NAMES)):
        changed = [(owner, name) for owner, name, value in before if vars(owner)[name] is not value]
        assert len(changed) == len(NAMES)
    after = slots(shapes)
    assert len(after) == len(before)
    assert all(a[0] is b[0] and a[1] == b[1] and a[2] is b[2] for a, b in zip(after, before, strict=True))


def test_instrumenting_twice_wraps_once(shapes):
    """The stock launcher calls `instrument` again after our hook did: the second call changes nothing."""
    cls = watching("plain")
    with recording(cls) as told:
        cls().instrument()
        shapes.plain(1)
    assert told.kinds == ["shapes.plain"]
    assert not isinstance(shapes.plain, wrapt.ObjectProxy)


def test_wrapper_of_another_on_top_of_ours_stays(shapes, monkeypatch):
    """Where somebody wrapped our wrapper, uninstrumenting leaves theirs in place, and ours under it records nothing."""
    cls = watching("plain")
    with recording(cls), recording() as told:
        inner = shapes.plain
        monkeypatch.setattr(shapes, "plain", functools.wraps(inner)(lambda value: inner(value)))  # noqa: PLW0108 - a wrapper
        theirs = shapes.plain
        shapes.plain(1)
        cls().uninstrument()
        shapes.plain(2)
        assert shapes.plain is theirs
    assert told.kinds == ["shapes.plain"]


def test_reference_taken_before_uninstrumenting_records_nothing_after(shapes):
    """``from library import function`` keeps our wrapper; taken off, it only passes on."""
    cls = watching("plain")
    with recording(cls):
        kept = shapes.plain
    with recording() as told:
        assert kept(3) == 3
    assert told.kinds == []


def test_leftover_of_ours_is_replaced(shapes, monkeypatch):
    """Where somebody puts our old wrapper back after we left, instrumenting again records, and once."""
    cls = watching("plain")
    with recording(cls):
        leftover = shapes.plain
    monkeypatch.setattr(shapes, "plain", leftover)
    with recording(cls) as told:
        shapes.plain(1)
    assert told.kinds == ["shapes.plain"]


def test_can_be_put_back(shapes):
    """Taken off and put on again, the points record again, once."""
    cls = watching("plain", "Base.work")
    for _ in range(2):
        with recording(cls) as told:
            shapes.plain(1)
            shapes.Child().work(1)
        assert told.kinds == ["shapes.plain", "shapes.work"]


def test_plugin_may_extend_another(shapes):
    """A subclass of a plugin is a plugin of its own, whichever was made first."""
    parent = watching("plain")
    parent()
    child = type("More", (parent,), {"plugin": "more"})
    assert type(child()) is child


def test_a_function_under_two_names_pickles(shapes, monkeypatch):
    """What a package takes over from its module has a wrapper of its own there, and pickles as the module's."""
    package = types.ModuleType("codeintel_shapes_package")
    package.plain = shapes.plain
    monkeypatch.setitem(sys.modules, package.__name__, package)
    points = tuple(Point(module=name, name="plain", kind="shapes.plain") for name in (LIBRARY, package.__name__))
    plugin = type("Twice", (LibraryInstrumentor,), {"plugin": "twice", "library": LIBRARY, "points": points})
    with recording(plugin):
        assert package.plain is not shapes.plain
        data = pickle.dumps(package.plain)
        assert pickle.loads(data) is shapes.plain
    assert b"codeintel_obs" not in data


def test_a_function_that_its_library_has_removed_pickles_as_it_is(shapes, monkeypatch):
    """Where the place of a callable is gone, it pickles as it does unwatched, and nothing of ours is raised."""
    monkeypatch.setattr(shapes, "made", functools.partial(int, "7"), raising=False)
    with recording(watching("made")):
        held = shapes.made
        del shapes.made
        try:
            assert pickle.loads(pickle.dumps(held))() == 7
        finally:
            shapes.made = held
