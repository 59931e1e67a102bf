"""Exceptions as facts: a token on the exception object, its chain, and its message at a content level."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from codeintel_obs import guard
from codeintel_obs.redact import clean
from codeintel_obs.runs import new_span_id
from codeintel_obs.steps import ChainLink, ErrorInfo

MESSAGE_CAP: Final = 2048
_CHAIN_CAP: Final = 32
_ATTRIBUTE: Final = "_codeintel_error"
# The interpreter's own view of an exception, whatever its class answers.
_dict_of: Final = BaseException.__dict__["__dict__"].__get__
_cause_of: Final = BaseException.__dict__["__cause__"].__get__
_context_of: Final = BaseException.__dict__["__context__"].__get__
_members_of: Final = BaseExceptionGroup.__dict__["exceptions"].__get__


def token_of(exc: BaseException) -> str:
    """Return the token of ``exc``, setting it on its first sight. It identifies the object, as ``id()`` cannot."""
    token: str = _mark(exc)[0]
    return token


def is_known(exc: BaseException) -> bool:
    """Whether ``exc`` has a token: a step failed with it."""
    return _ATTRIBUTE in _dict_of(exc)


def timed_out(exc: BaseException, decided: bool | None = None) -> bool:
    """Return whether ``exc`` is a time-out: as the step that first saw it ``decided``, else only TimeoutError is."""
    mark = _mark(exc)
    if mark[1] is None and decided is not None:
        mark[1] = decided
    return isinstance(exc, TimeoutError) if mark[1] is None else bool(mark[1])


def _mark(exc: BaseException) -> list[Any]:
    # past any __getattribute__, __setattr__ and __dict__ of the exception's own class
    kept: dict[str, Any] = _dict_of(exc)
    mark: list[Any] | None = kept.get(_ATTRIBUTE)
    if mark is None:
        mark = kept[_ATTRIBUTE] = [new_span_id(), None, None]
    return mark


def words_of(exc: BaseException, own: Callable[[BaseException], str] | None) -> str | None:
    """Return what is told of ``exc`` where its text is not: what ``own``, or the step that first saw it, leaves of it.

    None when nobody leaves anything out. A plugin's ``own`` that fails leaves nothing: never the text that it was there
    to hide. The words stay with the exception, so every step that it passes on its way out tells no more than the first.
    """
    mark = _mark(exc)
    if own is not None and mark[2] is None:
        mark[2] = guard.quietly(own, exc) or ""
    words: str | None = mark[2]
    return words


def is_cancellation(exc: BaseException) -> bool:
    """Whether ``exc`` is how asyncio cancels."""
    asyncio = sys.modules.get("asyncio.exceptions")  # not imported for its sake: who cancels has imported it
    return asyncio is not None and isinstance(exc, asyncio.CancelledError)


def type_name(cls: type) -> str:
    """Return ``module.qualname``; builtins bare."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def describe(exc: BaseException, message: str | None) -> ErrorInfo:
    """Return ``exc`` as recorded; ``message`` is None where the content level leaves it out."""
    text = None if message is None else clean(message, MESSAGE_CAP)
    return ErrorInfo(type_name(type(exc)), text, token_of(exc), _chain(exc))


def message_of(exc: BaseException) -> str:
    """Return ``str(exc)``, or that it has none, when its own ``__str__`` raises."""
    try:
        return str(exc)
    except Exception as own:  # noqa: BLE001 - the application's exception class raised; that is a fact to record
        return f"<str() of this exception raised {type_name(type(own))}>"


def raised_at(exc: BaseException) -> str | None:
    """Return ``module:line`` of the frame that raised ``exc``; None before it was raised."""
    traceback = exc.__traceback__
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_globals.get('__name__', '?')}:{traceback.tb_lineno}"


def _chain(exc: BaseException) -> tuple[ChainLink, ...]:
    """Return what hangs from ``exc``, breadth first: causes, contexts (``from None`` only hides them), members."""
    links: list[ChainLink] = []
    seen = {id(exc)}
    waiting = deque([exc])
    while waiting and len(links) < _CHAIN_CAP:
        holder = waiting.popleft()
        for via, other in _hanging(holder):
            # each edge once, also to an exception that another edge has led to: a cause may be a context elsewhere
            links.append(ChainLink(token_of(other), type_name(type(other)), via, token_of(holder)))
            if id(other) not in seen:
                seen.add(id(other))
                waiting.append(other)
    return tuple(links[:_CHAIN_CAP])


def _hanging(exc: BaseException) -> list[tuple[str, BaseException]]:
    found: list[tuple[str, BaseException]] = []
    cause, context = _cause_of(exc), _context_of(exc)
    if cause is not None:
        found.append(("cause", cause))
    if context is not None and context is not cause:
        found.append(("context", context))
    if issubclass(type(exc), BaseExceptionGroup):
        found += [("group", member) for member in _members_of(exc)]
    return found
