"""What passes through a watched call besides its result: callables that it is given, messages, the sender's baggage."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from codeintel_obs import guard
from codeintel_obs.guard import quietly
from codeintel_obs.incoming import sound
from codeintel_obs.steps import Call, Point

Watch = Callable[[str, Any], Any]
"""Returns a callable watched by the row of that name."""

_OURS: Final = "codeintel."
_RECEIVE, _SEND = 1, 2


def hand_on(call: Call, hands_on: tuple[tuple[str, str], ...], watch: Watch) -> Call:
    """Return ``call`` with those of its arguments exchanged for watched ones that it hands on."""
    args, kwargs = call.args, call.kwargs
    for where, row in hands_on:
        position, _, name = where.partition(":")
        if not position.isdigit():
            continue
        index = int(position)
        if index < len(args):
            args = (*args[:index], watch(row, args[index]), *args[index + 1 :])
        elif name in kwargs:
            kwargs = {**kwargs, name: watch(row, kwargs[name])}
    return _with(call, args, kwargs)


def hand_on_attributes(call: Call, hands_on: tuple[tuple[str, str], ...], watch: Watch) -> None:
    """Exchange those attributes of the call's instance for watched ones that it hands on."""
    for where, row in hands_on:
        if where.startswith("."):
            found = getattr(call.instance, where[1:], None)
            if found is not None:
                setattr(call.instance, where[1:], watch(row, found))


def messages(point: Point, call: Call, *, change: bool) -> Call:
    """Return the call of an ASGI application with its ``receive`` and ``send`` between it and the server.

    With ``change``, what the row's ``sent`` returns is sent in the place of the application's own message.
    """
    receive, send = call.arg(_RECEIVE, "receive"), call.arg(_SEND, "send")

    async def received() -> Any:
        message = await receive()
        if point.received is not None:
            quietly(point.received, changed, message)
        return message

    async def sent(message: Any) -> Any:
        shown = quietly(point.sent, changed, message) if point.sent is not None else None
        return await send(message if shown is None or not change else shown)

    args, kwargs = call.args, call.kwargs
    if len(args) > _SEND:
        args = (*args[:_RECEIVE], received, sent, *args[_SEND + 1 :])
    else:
        kwargs = {**kwargs, "receive": received, "send": sent}
        args = args[:_RECEIVE]
    changed = _with(call, args, kwargs)
    return changed


def attached(header: str | None) -> Any:
    """Make the baggage of ``header`` OpenTelemetry's current one; return the token of that, or None.

    What is ours in it stays out: the application would send it on to anybody.
    """
    whole = sound(header) if header else ""
    return guard.call(_attach, whole) if whole else None


def _attach(header: str) -> Any:
    api = sys.modules.get("opentelemetry.baggage")
    if api is None:
        import opentelemetry.baggage as api  # who asks for baggage inside the call may import it later
    from opentelemetry import baggage, context
    from opentelemetry.baggage.propagation import W3CBaggagePropagator

    found = W3CBaggagePropagator().extract({"baggage": header})
    around = here = context.get_current()
    for name, value in baggage.get_all(found).items():
        if not name.startswith(_OURS):
            here = baggage.set_baggage(name, value, here)
    return context.attach(here) if here is not around else None


def _with(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    return Call(call.name, call.instance, args, kwargs, call.notes, call.step, call.settings)
