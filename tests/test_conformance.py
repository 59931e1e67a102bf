"""Every installed plugin keeps the promises to the application; and the kit sees it when one does not."""

from __future__ import annotations

import importlib.util
import random
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
from in_torch import PLUGINS as IN_TORCH
from in_vllm import PLUGINS as IN_VLLM

from codeintel_obs import FieldClass, LibraryInstrumentor, Point
from codeintel_obs.testing import Conformance, Lab, installed_plugins
from codeintel_obs.testing.workouts import Workout, registered

HERE = Path(__file__).parent

# A stranger's plugin is installed for these tests: its entry point stands beside it, as pip would leave it.
sys.path.insert(0, str(HERE / "libraries"))
for path in sorted((HERE / "workouts").glob("*.py")):
    spec = importlib.util.spec_from_file_location(f"workouts_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


class TestConformance(Conformance):
    """All promises, over every plugin that is found through entry points."""

    # those over torch and vLLM run through the same suite where these are: tests/test_in_torch.py, tests/test_in_vllm.py
    elsewhere = (*(() if find_spec("sentence_transformers") else IN_TORCH), *(() if find_spec("vllm") else IN_VLLM))
    plugins = tuple(sorted(set(installed_plugins()) - set(elsewhere)))


def test_the_strangers_plugin_is_found():
    """A plugin that is not ours is found by its entry point alone, and is one of those that the suite ran over."""
    assert {"faiss", "duckdb", "git", "logging", "shapes"} <= set(installed_plugins())


# -- the kit itself: a plugin that breaks a promise fails the test of that promise -------------------------------------

FIELDS = {"seen": FieldClass.COUNT}


def use(_folder):
    import codeintel_shapes

    return list(codeintel_shapes.plain(iter([1, 2, 3]))), codeintel_shapes.answer()


def lab_of(tmp_path, monkeypatch, *points, function=use, fields=FIELDS, canaries=None):
    table = tuple(
        Point(**{"module": "codeintel_shapes", "kind": "broken.plain", "name": "plain"} | each) for each in points
    )
    body = {"plugin": "broken", "library": "codeintel_shapes", "points": table, "fields": fields}
    monkeypatch.setitem(registered, "broken", {"use": Workout("broken", function, canaries or {})})
    return Lab(type("Broken", (LibraryInstrumentor,), body), tmp_path)


def consume(call):
    return {"seen": len(list(call.args[0]))}


def draw(_call):
    return {"seen": random.randrange(9)}


def warn(_call):
    warnings.warn("seen", UserWarning, stacklevel=1)


def undeclared(_call):
    return {"seen": 1, "hidden": "x"}


def replace_argument(call):
    call.args = ([],)
    return call


BROKEN = {
    "results_stay": ({"before": consume}, ("recorded",)),
    "randomness_stays": ({"before": draw}, ()),
    "warnings_stay": ({"before": warn}, ()),
    "payload_keys_are_declared": ({"before": undeclared}, ()),
    "points_are_wrapped": ({"name": "not_there"}, ()),
}


@pytest.mark.parametrize("promise", BROKEN)
def test_kit_sees_a_broken_promise(tmp_path, monkeypatch, promise):
    """A plugin that breaks one promise fails the test of that one, and passes none of it by luck."""
    point, arguments = BROKEN[promise]
    test = getattr(Conformance(), f"test_{promise}")
    test(lab_of(tmp_path, monkeypatch, {}), *arguments)
    with pytest.raises(AssertionError):
        test(lab_of(tmp_path, monkeypatch, point), *arguments)


def test_kit_sees_points_that_stand_twice(tmp_path, monkeypatch):
    """Two rows for the same callable are an error of the table."""
    with pytest.raises(AssertionError, match="twice"):
        Conformance().test_table_is_sound(lab_of(tmp_path, monkeypatch, {}, {}))


def test_kit_asks_for_workouts(tmp_path, monkeypatch):
    """A plugin without workouts fails, and is told what to write."""
    lab = lab_of(tmp_path, monkeypatch, {})
    monkeypatch.delitem(registered, "broken")
    with pytest.raises(
        AssertionError, match=r"write functions that use codeintel_shapes as .*\n?.*workout\('broken'\)"
    ):
        lab.run()


def test_kit_sees_workouts_that_reach_no_point(tmp_path, monkeypatch):
    """Workouts that never come by a point prove nothing, and fail."""
    with pytest.raises(AssertionError, match="no point"):
        Conformance().test_workouts_are_recorded(lab_of(tmp_path, monkeypatch, {}, function=lambda _folder: 1))


def test_kit_sees_a_leaking_canary(tmp_path, monkeypatch):
    """A text declared as less than it is leaks its canary below its level, and the kit says which."""

    def leak(call):
        return {"seen": call.args[0]}

    lab = lab_of(
        tmp_path,
        monkeypatch,
        {"before": leak},
        function=lambda _folder: __import__("codeintel_shapes").plain("canary-9"),
        canaries={"canary-9": FieldClass.TEXT},
    )
    with pytest.raises(AssertionError, match="canary-9"):
        Conformance().test_canaries_of_the_workouts(lab, "none")


def test_kit_sees_an_exchanged_result(tmp_path, monkeypatch):
    """A wrapper that hands on something else than the library's very object is seen by the witnesses."""
    from codeintel_obs.testing.witness import witnessing

    lab = lab_of(tmp_path, monkeypatch, {"name": "answer", "kind": "broken.answer"})
    with witnessing(lab) as witnesses:
        import codeintel_shapes

        codeintel_shapes.answer()
        (seen,) = witnesses.seen
        assert seen.complaint() is None
        seen.application = ("returned", codeintel_shapes.Answer())
        assert "another object" in seen.complaint()
