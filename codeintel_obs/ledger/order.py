"""Follows the numbers of a file's lines: which are missing, which came twice, which late."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final, NamedTuple

GAP: Final = "gap"
DUPLICATE: Final = "duplicate"
OUT_OF_ORDER: Final = "out of order"
_MOST_RANGES: Final = 10_000


class Verdict(NamedTuple):
    """What a number says: nothing, or a problem, with the numbers that are missing before it."""

    problem: str = ""
    missing: tuple[int, int] | None = None


class Order:
    """``expected`` is the next number; ``damaged`` counts unreadable lines since the last good one."""

    __slots__ = ("_missing", "damaged", "expected")

    def __init__(self) -> None:
        self.expected = 1
        self.damaged = 0
        self._missing: list[tuple[int, int]] = []

    def place(self, n: int) -> Verdict:
        """Judge the number of a line that can be read."""
        if n < self.expected:
            self.damaged = 0
            return Verdict(OUT_OF_ORDER if self._found(n) else DUPLICATE)
        low, high = self.expected, n - 1
        # A damaged line stands where its number is missing; only what no line stands for is a gap.
        explained, self.damaged = self.damaged, 0
        self.expected = n + 1
        if low > high:
            return Verdict()
        if len(self._missing) < _MOST_RANGES:
            insort(self._missing, (low, high))
        return Verdict(GAP, (low, high)) if high - low + 1 > explained else Verdict()

    def _found(self, n: int) -> bool:
        """Whether ``n`` was missing; it is not any more."""
        at = bisect_left(self._missing, (n + 1,)) - 1
        if at < 0:
            return False
        low, high = self._missing[at]
        if not low <= n <= high:
            return False
        self._missing[at : at + 1] = [part for part in ((low, n - 1), (n + 1, high)) if part[0] <= part[1]]
        return True
