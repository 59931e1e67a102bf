"""Derives recoveries: a step completed after one of the same kind under the same parent had failed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from codeintel_obs.report.entries import Held

_KEPT: Final = 1_000
_WAITING: Final = 100  # of one kind under one parent


@dataclass(frozen=True, slots=True)
class Recovered:
    """``failed`` failed before ``completed``, of the same kind under the same parent, began."""

    failed: Held
    completed: Held


class Recoveries:
    """Remembers failures until a step of their kind, begun after them under their parent, completes."""

    __slots__ = ("found", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[tuple[str, str | None], deque[Held]] = {}
        self.found: list[Recovered] = []

    def failed(self, held: Held, parent: str | None) -> None:
        """Take a failed step; one whose begin is lost has no known parent and is left out. The latest wait longest."""
        if held.begin is None:
            return
        key = (held.kind, parent)
        if key not in self.waiting and len(self.waiting) >= _KEPT:
            del self.waiting[next(iter(self.waiting))]
        self.waiting.setdefault(key, deque(maxlen=_WAITING)).append(held)

    def completed(self, held: Held, parent: str | None) -> bool:
        """Take a completed step; return whether it recovers failures, which ended before it began."""
        failures = self.waiting.get((held.kind, parent))
        if not failures or held.begin is None or len(self.found) >= _KEPT:
            return False
        begun = held.begin[1].mono_ns
        over = [failure for failure in failures if failure.end and failure.end[1].mono_ns <= begun]
        self.found += [Recovered(failure, held) for failure in over]
        rest = deque((failure for failure in failures if failure not in over), _WAITING)
        self.waiting[held.kind, parent] = rest
        if not rest:
            del self.waiting[held.kind, parent]
        return bool(over)
