"""What an onnxruntime call is recorded as, and that everything public in it is a point or excluded with a reason."""

from __future__ import annotations

import inspect
import threading
from fnmatch import fnmatchcase

import numpy as np
import onnxruntime
import pytest
from workouts.onnxruntime_ import graph, session

from codeintel_obs import Status
from codeintel_obs.plugins.embeddings import sessions
from codeintel_obs.plugins.embeddings.onnx import OnnxRuntimeInstrumentor
from codeintel_obs.testing import recording

CPU = "CPUExecutionProvider"
ROWS = np.ones((3, 4), dtype="float32")
FEED = {"canary_input": ROWS}


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "model.onnx"
    file.write_bytes(graph())
    return str(file)


def watched(**settings):
    return recording(OnnxRuntimeInstrumentor, **settings)


def test_a_run_says_model_providers_and_shapes(path):
    """The model's file, the providers that run it, and the shapes that go in and come out."""
    loaded = session(path)
    with watched() as told:
        loaded.run(["doubled"], FEED)
    step = told.only("onnxruntime.run")
    given = {"inputs": 1, "shapes": "3x4", "names": "canary_input", "method": "run"}
    assert step.payload == {**given, "model": path, "providers": CPU}
    assert step.end_payload == {"outputs": 1, "output_shapes": "3x4"}


def test_every_sort_of_run_is_one():
    """Values, bindings and vectors of onnxruntime's own run like arrays, each as one step that names its method."""
    loaded = session(graph())
    value = onnxruntime.OrtValue.ortvalue_from_numpy(ROWS)
    binding = loaded.io_binding()
    binding.bind_cpu_input("canary_input", ROWS)
    binding.bind_output("doubled")
    with watched() as told:
        loaded.run_with_ort_values(None, {"canary_input": value})
        loaded.run_with_iobinding(binding)
    first, second = told.of("onnxruntime.run")
    assert (first.payload["shapes"], first.end_payload["output_shapes"]) == ("3x4", "3x4")
    assert second.payload == {"method": "run_with_iobinding", "providers": CPU}


def test_an_asynchronous_run_is_told_as_handed_over():
    """The call returns before the work is done: it says what went in, and nothing of what came out."""
    loaded, done = session(graph()), threading.Event()
    with watched() as told:
        loaded.run_async(None, FEED, lambda *_: done.set(), None)
        assert done.wait(20)
    step = told.only("onnxruntime.run_async")
    assert (step.payload["shapes"], step.end_payload or {}) == ("3x4", {})


def test_a_load_says_what_the_model_asks_for(path):
    """A file has its path, bytes their number; afterwards the inputs, the outputs and the providers that are there."""
    with watched() as told:
        session(path)
        session(graph())
    assert [step.payload for step in told.of("onnxruntime.load")] == [{"model": path}, {"bytes": len(graph())}]
    assert told.steps[1].end_payload == {"providers": CPU, "inputs": 1, "outputs": 1}


def test_a_change_of_providers_says_which_are_there():
    """What is asked for and what is there need not be the same."""
    loaded = session(graph())
    with watched() as told:
        loaded.set_providers([CPU])
    assert told.payload(told.only("onnxruntime.set_providers")) == {"providers": CPU}


@pytest.mark.parametrize("feed", [{"canary_input": ROWS[:, :2]}, {}, {"canary_input": ROWS.astype("int64")}])
def test_a_refused_run_is_failed(feed):
    """What onnxruntime refuses is failed with its own words, beside what it was given."""
    loaded = session(graph())
    with watched() as told, pytest.raises(Exception) as caught:
        loaded.run(None, feed)
    step = told.only("onnxruntime.run")
    assert (step.status, step.error.message) == (Status.FAILED, str(caught.value))
    assert step.payload["inputs"] == len(feed)


def test_a_model_that_does_not_load_is_failed(tmp_path):
    """A file that is not there fails in its load, with the path."""
    with watched() as told, pytest.raises(Exception, match="NO_SUCHFILE"):
        session(str(tmp_path / "none.onnx"))
    assert told.payload(told.only("onnxruntime.load")) == {"model": str(tmp_path / "none.onnx")}


def test_the_embedder_of_the_search_service_is_recorded_untouched(tmp_path):
    """codeintel_rev's own embedder, which knows nothing of us: a load, and one run for each of its batches."""
    from codeintel_rev.config.settings import Settings
    from codeintel_rev.io.embedder import MiniLMEmbedder

    with watched() as told:
        MiniLMEmbedder.load(Settings(cache_dir=tmp_path)).embed(["parse a file"])
    assert told.kinds == ["onnxruntime.load", "onnxruntime.run"]
    assert told.steps[1].end_payload["output_shapes"] == "1x384"


def test_many_inputs_are_counted_and_some_are_shown():
    """A decoder's cache may be a hundred arrays: all are counted, sixteen are shown."""
    shown = sessions._fed({f"key_{number}": ROWS for number in range(100)})
    assert (shown["inputs"], len(shown["shapes"].split()), len(shown["names"].split())) == (100, 16, 16)


def test_a_foreign_object_is_not_asked_for_its_shape():
    """The ``shape`` of what is no array is somebody's code; it is not run."""

    class Lazy:
        @property
        def shape(self):
            raise AssertionError("asked")

    assert sessions.shape_of(Lazy()) is None


# -- completeness ------------------------------------------------------------------------------------------------------


POINTS = {point.name for point in OnnxRuntimeInstrumentor.points}


def public_names():
    """Return the public functions, and the public methods and own constructors of the classes that work."""
    found = set()
    for name, value in vars(onnxruntime).items():
        if name.startswith("_") or inspect.ismodule(value):
            continue
        if inspect.isclass(value):
            methods = [(each, cls) for cls in value.__mro__[:-1] for each in vars(cls)]
            found |= {f"{name}.{each}" for each, cls in methods if is_public(cls, each)}
        elif callable(value):
            found.add(name)
    return found


def is_public(cls, name):
    value = vars(cls)[name]
    ours = cls.__module__.startswith("onnxruntime")
    return ours and not name.startswith("_") and (callable(value) or isinstance(value, (staticmethod, classmethod)))


def kinds_of(name):
    names = {name, name.replace("InferenceSession.", "Session.")}  # most methods are its base's
    excluded = any(fnmatchcase(each, pattern) for each in names for pattern in OnnxRuntimeInstrumentor.exclusions)
    return (["point"] if name in POINTS else []) + (["excluded"] if excluded else [])


def test_every_public_name_is_classified_once():
    """Each public function and method is a point, or excluded with a reason."""
    names = public_names()
    assert len(names) > 100
    assert {name: kinds for name in sorted(names) if len(kinds := kinds_of(name)) != 1} == {}


def test_a_name_that_nobody_classified_is_found():
    """The classification can fail: a new sort of run would have no place in it."""
    assert kinds_of("InferenceSession.run_backwards") == []


def test_no_exclusion_is_left_over():
    """Each pattern excludes something that the installed version has."""
    names = {each for name in public_names() for each in (name, name.replace("InferenceSession.", "Session."))}
    patterns = OnnxRuntimeInstrumentor.exclusions
    assert [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)] == []
