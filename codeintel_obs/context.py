"""Where the current step is kept, and how it reaches threads, executors and child processes."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from codeintel_obs.collecting import is_here
from codeintel_obs.guard import suppressed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codeintel_obs.runs import Run
    from codeintel_obs.steps import Step

__all__ = ["current", "enclosing", "leave", "suppress", "suppressed"]

current: ContextVar[Step | Run | None] = ContextVar("codeintel_obs.current", default=None)
"""The innermost open step of this context, or the run when no step is open in it, or None: the process run."""


def leave(token: Token[Any] | None, previous: Step | Run | None) -> None:
    """Undo a `current.set`; where the context is another one by now (a moved coroutine), set what was there.

    What the garbage collector closes is in no context of its own: there is nothing to undo in the one that it came upon.
    """
    if token is None or is_here():
        return
    try:
        current.reset(token)
    except (ValueError, RuntimeError):
        current.set(previous)


class suppress:  # noqa: N801 - reads as a statement: `with suppress():`
    """Record nothing in this context for the length of a ``with`` block."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = suppressed.set(True)

    def __exit__(self, *_: object) -> None:
        suppressed.reset(self._token)


def enclosing(step: Step | None) -> Iterator[Step]:
    """Yield ``step`` and the steps around it, innermost first."""
    while step is not None:
        yield step
        step = step.parent
