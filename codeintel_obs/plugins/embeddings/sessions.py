"""What an onnxruntime call says of itself: its model, its providers, the shapes that go in and come out. Pure.

A shape is read off an array or off onnxruntime's own value, never off anything else: it may be anybody's code.
"""

from __future__ import annotations

import os
from typing import Any, Final

from codeintel_obs.steps import Call

Payload = dict[str, Any]

_ARRAYS: Final = frozenset({"numpy", "torch"})
_VALUES: Final = "onnxruntime.capi.onnxruntime_inference_collection"
_SHOWN: Final = 16  # shapes: a decoder's cache alone may have a hundred inputs
_DISPATCHED: Final = "run_async"


def shape_of(value: Any) -> str | None:
    """Return the shape of an array, a tensor or an ``OrtValue`` as ``8x128``; None for anything else."""
    cls = type(value)
    if cls.__module__ in _ARRAYS:
        return "x".join(map(str, value.shape)) or "scalar"
    if cls.__module__ == _VALUES and cls.__name__ == "OrtValue" and value.is_tensor():
        return "x".join(map(str, value.shape())) or "scalar"
    return None


def shapes_of(values: list[Any]) -> str:
    """Return the shapes of the first of ``values``: one text, because a list of lists takes far longer to write down."""
    return " ".join(shape_of(value) or type(value).__name__ for value in values[:_SHOWN])


def session_facts(session: Any) -> Payload:
    """Return the model's file, where it came from one, and the execution providers in use."""
    inside = vars(session)
    path, providers = inside.get("_model_path"), inside.get("_providers")
    found: Payload = {"model": path} if isinstance(path, str) else {}
    if isinstance(providers, list):
        found["providers"] = " ".join(map(str, providers))
    return found


# -- runs -----------------------------------------------------------------------------------------------------------


def before_run(call: Call) -> Payload:
    """Say what goes in: how many inputs, their shapes and their names."""
    feed = call.arg(1, "input_feed", call.kwargs.get("input_dict_ort_values"))
    return {**_fed(feed), **_method(call)}


def before_bound(call: Call) -> Payload:
    """Say which method it is: what was bound before is the binding's own."""
    return _method(call)


def _method(call: Call) -> Payload:
    found = {"method": call.name.rpartition(".")[2], **session_facts(call.instance)}
    call.notes = found.get("providers")
    return found


def _fed(feed: Any) -> Payload:
    if type(feed) is not dict:
        return {}
    return {"inputs": len(feed), "shapes": shapes_of(list(feed.values())), "names": " ".join(list(feed)[:_SHOWN])}


def after_run(call: Call, result: Any) -> Payload:
    """Say what came out; and which providers did it, if those that failed were replaced during the call."""
    found: Payload = {}
    if type(result) is list and not call.name.endswith(_DISPATCHED):
        found = {"outputs": len(result), "output_shapes": shapes_of(result)}
    providers = session_facts(call.instance).get("providers")
    return found if providers == call.notes else {**found, "providers": providers}


# -- models ---------------------------------------------------------------------------------------------------------


def before_load(call: Call) -> Payload:
    """Say which model is to be loaded: a file, or so many bytes."""
    given = call.arg(0, "path_or_bytes")
    if isinstance(given, (str, os.PathLike)):
        return {"model": os.fspath(given)}
    return {"bytes": len(given)} if type(given) is bytes else {}


def after_load(call: Call, _result: Any) -> Payload:
    """Say what the model asks for, and which providers run it: asked for and had are not the same."""
    return _loaded(call.instance)


def after_made(_call: Call, result: Any) -> Payload:
    """Describe the session that a function returned."""
    return _loaded(result)


def _loaded(session: Any) -> Payload:
    inside = vars(session)
    inputs, outputs = inside.get("_inputs_meta"), inside.get("_outputs_meta")
    found = session_facts(session)
    if isinstance(inputs, list) and isinstance(outputs, list):
        found |= {"inputs": len(inputs), "outputs": len(outputs)}
    return found


def after_providers(call: Call, _result: Any) -> Payload:
    """Say which providers the session has now."""
    return session_facts(call.instance)


def before_compile(call: Call) -> Payload:
    """Say where the compiled model goes, if into a file."""
    path = call.arg(0, "output_model_path")
    return {"path": path} if isinstance(path, str) else {}
