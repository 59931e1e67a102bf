"""Exceptions as facts: a token on the exception object, its chain, and its message at a content level."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

from codeintel_obs.redact import clean
from codeintel_obs.runs import new_span_id
from codeintel_obs.steps import ChainLink, ErrorInfo

MESSAGE_CAP: Final = 2048
_CHAIN_CAP: Final = 32
_ATTRIBUTE: Final = "_codeintel_error"


def token_of(exc: BaseException) -> str:
    """Return the token of ``exc``, setting it on its first sight. It identifies the object, as ``id()`` cannot."""
    return _mark(exc)[0]


def timed_out(exc: BaseException, decided: bool | None = None) -> bool:
    """Return whether ``exc`` is a time-out: as the step that first saw it ``decided``, else only TimeoutError is."""
    mark = _mark(exc)
    if mark[1] is None and decided is not None:
        mark[1] = decided
    return isinstance(exc, TimeoutError) if mark[1] is None else bool(mark[1])


def _mark(exc: BaseException) -> list[Any]:
    mark = exc.__dict__.get(_ATTRIBUTE)
    if mark is None:
        # past any __setattr__ of the exception's own class
        mark = exc.__dict__[_ATTRIBUTE] = [new_span_id(), None]
    found: list[Any] = mark
    return found


def is_cancellation(exc: BaseException) -> bool:
    """Whether ``exc`` is how asyncio cancels."""
    return isinstance(exc, asyncio.CancelledError)


def type_name(cls: type) -> str:
    """Return ``module.qualname``; builtins bare."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def describe(exc: BaseException, message: str | None) -> ErrorInfo:
    """Return ``exc`` as recorded; ``message`` is None where the content level leaves it out."""
    text = clean(message, MESSAGE_CAP) if message else None
    return ErrorInfo(type_name(type(exc)), text, token_of(exc), _chain(exc))


def message_of(exc: BaseException) -> str:
    """Return ``str(exc)``, or that it has none, when its own ``__str__`` raises."""
    try:
        return str(exc)
    except Exception as own:  # noqa: BLE001 - the application's exception class raised; that is a fact to record
        return f"<str() of this exception raised {type_name(type(own))}>"


def _chain(exc: BaseException) -> tuple[ChainLink, ...]:
    """Return what hangs from ``exc``, breadth first: causes, shown contexts and members of groups."""
    links: list[ChainLink] = []
    seen = {id(exc)}
    waiting = deque([exc])
    while waiting and len(links) < _CHAIN_CAP:
        holder = waiting.popleft()
        for via, other in _hanging(holder):
            if id(other) in seen or len(links) >= _CHAIN_CAP:
                continue
            seen.add(id(other))
            links.append(ChainLink(token_of(other), type_name(type(other)), via, token_of(holder)))
            waiting.append(other)
    return tuple(links)


def _hanging(exc: BaseException) -> list[tuple[str, BaseException]]:
    found: list[tuple[str, BaseException]] = []
    if exc.__cause__ is not None:
        found.append(("cause", exc.__cause__))
    if exc.__context__ is not None and exc.__context__ is not exc.__cause__:
        found.append(("context", exc.__context__))
    if isinstance(exc, BaseExceptionGroup):
        found += [("group", member) for member in exc.exceptions]
    return found
