"""Knows when the garbage collector runs, because before Python 3.12 no context variable may be set meanwhile.

There the collector runs inside allocations, those of `ContextVar.set` and `copy_context` among them, which hold a
borrowed reference to the context's mapping. A finalizer that sets a variable of the same context frees that mapping under
them, and the interpreter crashes, be it in a set of ours or of the application's. So what we do in a finalizer that the
collector runs, we do in a context of its own. From 3.12 on the collector runs between two instructions, and nothing of
this is needed.
"""

from __future__ import annotations

import gc
import sys
from _thread import get_ident
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Final, TypeVar

T = TypeVar("T")
NEEDED: Final = sys.version_info < (3, 12)


class _Collector:
    """The thread that is collecting; 0 when none is, or when it is in a context of its own. One collects at a time."""

    __slots__ = ("thread",)

    def __init__(self) -> None:
        self.thread = 0

    def told(self, phase: str, _facts: object) -> None:
        """Called by `gc` when a collection begins and when it has ended."""
        self.thread = get_ident() if phase == "start" else 0


collector: Final = _Collector()


def watch(on: bool) -> None:
    """Have the collector tell us of its collections from now on, or no longer."""
    if collector.told in gc.callbacks:
        gc.callbacks.remove(collector.told)
    if on and NEEDED:
        gc.callbacks.append(collector.told)
    collector.thread = 0


def is_here() -> bool:
    """Whether this code runs in a collection, in the context that the collection came upon."""
    return collector.thread != 0 and collector.thread == get_ident()


def safely(function: Callable[..., T], *args: Any) -> T:
    """Return ``function(*args)``, which may set context variables: called `apart` where that has to be."""
    return apart(function, *args) if is_here() else function(*args)


def apart(function: Callable[..., T], *args: Any) -> T:
    """Return ``function(*args)``, called in a copy of this context."""
    thread, collector.thread = collector.thread, 0
    try:
        return copy_context().run(function, *args)
    finally:
        collector.thread = thread
