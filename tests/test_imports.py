"""Imports of watched libraries are steps, and stay the imports that they are."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import zipfile
from pathlib import Path

import pytest

from codeintel_obs import LibraryInstrumentor, Point, guard
from codeintel_obs.context import current
from codeintel_obs.imports import ImportWatcher
from codeintel_obs.testing import recording

NAME = "codeintel_fragile"


@pytest.fixture
def watcher(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "libraries"))
    for name in (NAME, "codeintel_zipped", "codeintel_zipped_too"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    made = ImportWatcher()
    yield made
    made.unwatch()
    sys.modules.pop(NAME, None)


@pytest.fixture
def fail(monkeypatch, watcher):
    switch = importlib.import_module("codeintel_fragile_switch")
    return lambda error: monkeypatch.setattr(switch, "error", error)


def test_import_is_a_step_with_the_modules_version(watcher):
    """An import has a begin and an end, and says the version that the module itself says."""
    with recording() as told:
        watcher.watch(NAME)
        module = importlib.import_module(NAME)
    step = told.only("python.import")
    assert [begun.kind for begun in told.begun] == ["python.import"]
    assert (step.status, told.payload(step)) == ("completed", {"module": NAME, "version": "2.5"})
    assert sys.modules[NAME] is module
    assert "exec_module" not in vars(module.__spec__.loader)


@pytest.mark.parametrize("error", [ImportError("half of it"), ZeroDivisionError(), KeyboardInterrupt()])
def test_failed_import_raises_the_same_object(watcher, fail, error):
    """An import that fails raises the module's very exception, is a failed step, and can be tried again."""
    fail(error)
    with recording() as told:
        watcher.watch(NAME)
        with pytest.raises(type(error)) as caught:
            importlib.import_module(NAME)
        assert (caught.value, NAME in sys.modules, current.get()) == (error, False, None)
        fail(None)
        importlib.import_module(NAME)
    assert [step.status for step in told.steps] == ["failed", "completed"]


def test_missing_module_is_missing(watcher):
    """A watched module that is not installed gives the error that it gives, and no step: nothing ran."""
    with recording() as told:
        watcher.watch("codeintel_not_there")
        with pytest.raises(ModuleNotFoundError, match="No module named 'codeintel_not_there'"):
            importlib.import_module("codeintel_not_there")
    assert told.begun == []


def test_asking_for_a_module_is_no_import(watcher):
    """An application that only asks whether a library is there has imported nothing."""
    with recording() as told:
        watcher.watch(NAME)
        for _ in range(3):
            assert importlib.util.find_spec(NAME) is not None
        assert (told.begun, NAME in sys.modules) == ([], False)
        importlib.import_module(NAME)
    assert told.kinds == ["python.import"]


def test_import_before_the_launch_is_not_inferred(watcher):
    """What was imported before anybody watched is not recorded as an import."""
    importlib.import_module(NAME)
    with recording() as told:
        watcher.watch(NAME)
        importlib.import_module(NAME)
    assert told.begun == []


def test_reload_is_an_import_again(watcher):
    """A reload executes the module again: it is a step, and the module stays the same object."""
    with recording() as told:
        watcher.watch(NAME)
        module = importlib.import_module(NAME)
        assert importlib.reload(module) is module
    assert told.kinds == ["python.import"] * 2


def test_module_without_a_spec_fails_as_it_fails(watcher, monkeypatch):
    """Reloading what no finder finds raises what it raises unwatched."""
    stray = type(sys)("codeintel_stray")
    monkeypatch.setitem(sys.modules, "codeintel_stray", stray)
    with recording():
        watcher.watch("codeintel_stray")
        with pytest.raises(ModuleNotFoundError, match="spec not found"):
            importlib.reload(stray)


def test_modules_of_one_archive(watcher, monkeypatch, tmp_path):
    """Modules that share a loader are told apart: only the watched one is a step, however often it was looked for."""
    archive = tmp_path / "modules.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("codeintel_zipped.py", "import codeintel_zipped_too\n")
        file.writestr("codeintel_zipped_too.py", "")
    monkeypatch.syspath_prepend(str(archive))
    with recording() as told:
        watcher.watch("codeintel_zipped")
        for _ in range(3):
            importlib.util.find_spec("codeintel_zipped")
        importlib.import_module("codeintel_zipped_too")
        importlib.import_module("codeintel_zipped")
    assert [told.payload(step) for step in told.steps] == [{"module": "codeintel_zipped"}]


def test_finders_of_others_are_asked_as_python_asks_them(watcher, monkeypatch):
    """Another finder gets the arguments that the import system gives, once."""
    asked = []

    class Finder:
        def find_spec(self, name, path=None, target=None):
            asked.append((name, path, target))

    with recording():
        watcher.watch(NAME)
        others = [each for each in sys.meta_path if each is not watcher]
        monkeypatch.setattr(sys, "meta_path", [Finder(), watcher, Finder(), *others])
        importlib.import_module(NAME)
    assert [each for each in asked if each[0] == NAME] == [(NAME, None, None)] * 2


def test_points_are_put_in_place_by_import_and_after_a_reload(watcher, monkeypatch):
    """A plugin's points are wrapped when the library comes, and again when it is executed anew."""
    monkeypatch.delitem(sys.modules, "codeintel_shapes", raising=False)
    point = Point(module="codeintel_shapes", name="plain", kind="shapes.plain")
    body = {"plugin": "shapes", "library": "codeintel_shapes", "points": (point,)}
    with recording(type("ShapesInstrumentor", (LibraryInstrumentor,), body)) as told:
        import codeintel_shapes

        codeintel_shapes.plain(1)
        importlib.reload(codeintel_shapes)
        codeintel_shapes.plain(2)
    assert told.kinds == ["shapes.plain"] * 2


def test_hook_that_fails_is_no_failure_of_the_import(watcher):
    """An error of ours on hearing of an import is counted and the import goes on."""
    faults = guard.counts.total()

    def boom(_module):
        raise ZeroDivisionError

    with recording(strict=False):
        watcher.after(NAME, boom)
        assert importlib.import_module(NAME).__version__ == "2.5"
    assert guard.counts.total() == faults + 1
