"""Reads what an MCP request says besides its method: which run it asks for, and the sender's baggage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from codeintel_obs import incoming
from codeintel_obs.incoming import carrier_in
from codeintel_obs.steps import Call, Link, RunRequest

_ROWS: Final = {
    "tools/call": "tool",
    "resources/read": "resource",
    "prompts/get": "prompt",
    "completion/complete": "completion",
}


def row_of(call: Call) -> str | None:
    """Return the row that describes this request; None for those that only tell of the server."""
    context = call.arg(0, "ctx")
    return _ROWS.get(context.method) if context.request_id is not None else None


def params_of(call: Call) -> Mapping[str, Any]:
    """Return the request's parameters, as a handler gets them."""
    return call.arg(0, "ctx").params or {}


def asked_run(call: Call) -> RunRequest | None:
    """Return the run that the request asks for; None where it is a part of the run around it."""
    step = call.step
    if step is not None and not step.run.is_process and not step.run.ended:
        return None
    method, params = call.arg(1, "method"), call.arg(2, "params") or {}
    meta = _meta(params)
    name = params.get("name")
    return RunRequest(
        name=f"{method} {name}" if isinstance(name, str) else method,
        run_id=_text(meta, "run_id"),
        session_id=_text(meta, "session_id"),
        join=None if is_over_http(call.arg(0, "dctx")) else carrier_in(_text(meta, "baggage")),
        traceparent=_text(meta, "traceparent"),
    )


def asked_place(call: Call) -> tuple[Link, ...]:
    """Return a link to what the sender asked for, of a handler inside an HTTP request: that request's run it is."""
    if call.arg(0, "ctx").request is None:
        return ()
    meta = _meta(params_of(call))
    return incoming.asked_place(_text(meta, "run_id"), _text(meta, "traceparent"))


def baggage(call: Call) -> str | None:
    """Return the sender's baggage."""
    return _text(_meta(call.arg(2, "params") or {}), "baggage")


def is_over_http(context: Any) -> bool:
    """Whether a message came over a network: its transport has its request's headers."""
    return getattr(getattr(context, "transport", None), "headers", None) is not None


def _meta(params: Mapping[str, Any]) -> Mapping[str, Any]:
    found = params.get("_meta")
    return found if isinstance(found, Mapping) else {}


def _text(meta: Mapping[str, Any], key: str) -> str | None:
    value = meta.get(key)
    return value if isinstance(value, str) and value else None
