"""Ties vLLM's own spans, when they are on, to the step that asked for them: through arguments that vLLM has for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakValueDictionary

from codeintel_obs.runs import place_in
from codeintel_obs.steps import Call, Step

_HEADERS: Final = "trace_headers"
_POSITION: Final = {"AsyncLLM.generate": 5, "AsyncLLM.encode": 4}
_ADDED: Final = 6
_ATTRIBUTES: Final = 3
_REQUEST: Final = "gen_ai.request.id"

_asking: WeakValueDictionary[str, Step] = WeakValueDictionary()
"""The step in flight that each request id belongs to."""


def place(step: Step) -> str:
    """Return the place of a step in its trace (W3C)."""
    return f"00-{step.trace_id}-{step.span_id}-{'01' if step.sampled else '00'}"


def with_context(call: Call) -> Call:
    """Return the call of a request with trace headers that name its step; the same call where vLLM has tracing off.

    Headers of the application's own stay, unless they name a place further up in the very trace of the step.
    """
    step = call.step
    if step is None or not _traces(call.instance):
        return call
    added = call.name.endswith(".add_request")
    request_id = call.arg(0 if added else 2, "request_id")
    if isinstance(request_id, str):
        _asking[request_id] = step
    position = _ADDED if added else _POSITION.get(call.name, _ADDED)
    theirs = call.arg(position, _HEADERS)
    if theirs and not _is_above(theirs, step):
        return call
    headers = {**(theirs or {}), "traceparent": place(step)}
    return _with(call, position, _HEADERS, headers)


def _with(call: Call, position: int, name: str, value: Any) -> Call:
    """Return ``call`` with another argument, where its caller has put it."""
    args, kwargs = call.args, call.kwargs
    if position < len(args):
        args = (*args[:position], value, *args[position + 1 :])
    else:
        kwargs = {**kwargs, name: value}
    return Call(call.name, call.instance, args, kwargs, call.notes, call.step, call.settings)


def _traces(engine: Any) -> bool:
    """Whether the engine makes spans: headers for one that does not would only bring a warning."""
    return getattr(getattr(engine, "observability_config", None), "otlp_traces_endpoint", None) is not None


def _is_above(headers: Any, step: Step) -> bool:
    found = place_in(headers.get("traceparent") or "") if isinstance(headers, Mapping) else None
    return found is not None and found[0] == step.trace_id


def annotated(call: Call) -> Call:
    """Return the making of a request's span with two attributes more: whose run and step it is.

    A synchronous engine makes it inside the step, an asynchronous one in a task of its own.
    """
    attributes = call.arg(_ATTRIBUTES, "attributes")
    if not isinstance(attributes, Mapping):
        return call
    step = _asking.get(str(attributes.get(_REQUEST))) or call.step
    if step is None:
        return call
    said = {**attributes, "codeintel.run.id": step.run.run_id, "codeintel.step.id": step.span_id}
    return _with(call, _ATTRIBUTES, "attributes", said)
