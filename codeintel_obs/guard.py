"""The one place where an error of ours is swallowed: counted, told, re-raised under our own tests.

Nothing of ours may raise into a watched application. What is *not* ours passes through untouched: every
exception that is not an `Exception`, and any exception that the application's own signal handler raised
(a deadline) while our code happened to run.
"""

from __future__ import annotations

import functools
import signal
import threading
from _signal import getsignal as _getsignal  # type: ignore[import-not-found]  # signal's own makes 64 enums, at 0.5 ms for every error
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

from codeintel_obs.collecting import apart, collector, is_here

T = TypeVar("T")

suppressed: ContextVar[bool] = ContextVar("codeintel_obs.suppressed", default=False)
"""True while our own code uses a library: nothing is recorded then."""

strict = False
"""Whether errors of ours are raised: our own tests switch this on."""

counts: Counter[str] = Counter()
"""Faults so far in this process, by where they happened."""

_on_fault: Callable[[str, Exception, object], None] | None = None
_telling = threading.local()


def on_fault(listener: Callable[[str, Exception, object], None] | None) -> None:
    """Set who is told of each fault (the recorder, which writes a ``fault`` record)."""
    global _on_fault
    _on_fault = listener


def call(function: Callable[..., T], *args: Any) -> T | None:
    """Return ``function(*args)``, or None when it raises an error of ours."""
    try:
        return function(*args)
    except Exception as exc:  # noqa: BLE001 - this module is where errors of ours end
        swallow(_name(function), exc)
        return None


def quietly(function: Callable[..., T], *args: Any) -> T | None:
    """Return a plugin's ``function(*args)``, or None when it raises; what it uses of a library is not recorded."""
    if collector.thread and is_here():
        return apart(quietly, function, *args)
    token = suppressed.set(True)
    try:
        return function(*args)
    except Exception as exc:  # noqa: BLE001 - this module is where errors of ours end
        swallow(_name(function), exc)
        return None
    finally:
        suppressed.reset(token)


def each(listeners: Sequence[Callable[[Any], Any]], subject: Any) -> None:
    """Hand ``subject`` to every listener, each behind its own guard; all are called before anything is raised."""
    foreign = None
    for listener in listeners:
        try:
            listener(subject)
        except Exception as exc:  # noqa: BLE001 - one sink's error is no other's, and never the application's
            foreign = _kept(_name(listener), exc, listener) or foreign
    if foreign is not None:
        raise foreign


def swallow(where: str, exc: Exception) -> None:
    """Count and tell an error of ours; raise it again when it is the application's own or when tests are strict."""
    foreign = _kept(where, exc)
    if foreign is not None:
        raise foreign


def _kept(where: str, exc: Exception, listener: object = None) -> Exception | None:
    """Return ``exc`` when it has to be raised again, after counting and telling it when it is ours."""
    if strict or from_signal_handler(exc):
        return exc
    counts[where] += 1
    if _on_fault is not None and not getattr(_telling, "busy", False):
        _telling.busy = True
        try:
            _on_fault(where, exc, listener)
        except Exception as second:  # noqa: BLE001 - telling of a fault failed too; the count stays
            if from_signal_handler(second):
                return second
            counts["guard.on_fault"] += 1
        finally:
            _telling.busy = False
    return None


def from_signal_handler(exc: BaseException) -> bool:
    """Whether a frame of ``exc`` runs the code of a handler that the application installed for a signal."""
    traceback = exc.__traceback__
    # Python runs signal handlers in the main thread only; current_thread() would make a dummy of a foreign one
    if traceback is None or threading.get_ident() != threading.main_thread().ident:
        return False
    codes = {_code_of(_getsignal(number)) for number in range(1, signal.NSIG)} - {None}
    while traceback is not None:
        if traceback.tb_frame.f_code in codes:
            return True
        traceback = traceback.tb_next
    return False


def _code_of(handler: Any) -> Any:
    """Return the code that a signal's handler runs, or None when it is no Python function."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    function = getattr(handler, "__func__", handler)
    return getattr(function, "__code__", None) or getattr(type(handler).__call__, "__code__", None)


def _name(function: Callable[..., Any]) -> str:
    owner = getattr(function, "__module__", None) or "?"
    return f"{owner}.{getattr(function, '__qualname__', repr(type(function).__name__))}"
