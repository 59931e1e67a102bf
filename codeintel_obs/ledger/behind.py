"""Writes behind the application's back where a write may hang: on a network file system, and only there.

A record then waits in memory for the flusher's thread. That is a weaker promise than the ledger's, and docs/durability.md
says so: what waits is lost with the process.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, Final

from codeintel_obs.ledger.writer import RunWriter

MOST: Final = 4096
"""How many records of one run may wait; what comes on top is counted."""
FULL: Final = "queue full"
_TOGETHER: Final = 1024


class Behind:
    """Stands before a run's writer, in its order. Safe in threads and signal handlers: it takes no lock."""

    def __init__(self, writer: RunWriter, most: int = MOST) -> None:
        self.writer = writer
        self.ids = writer.ids
        self._flusher = writer.home.flusher
        self._most = most
        self._waiting: deque[bytes] = deque()
        self._lost: deque[int] = deque()

    def begin(self) -> None:
        """Have the attempt's file begun."""
        self._flusher.run(self.writer.begin)

    def append(self, tail: bytes) -> None:
        """Have one record written; beyond what may wait it is counted as dropped."""
        if len(self._waiting) >= self._most:
            self._lose()
            return
        self._waiting.append(tail)
        self._flusher.run(self._write)

    def end(self, event: str, payload: dict[str, Any], error: Any = None, *, close: bool = True) -> None:
        """Have the last words written, with the count of what was lost before them."""
        self._flusher.run(self._tell)
        self._flusher.run(partial(self.writer.end, event, payload, error, close=close))

    def _write(self) -> None:
        self.writer.append(self._waiting.popleft())
        if self._lost:
            self._tell()

    def _lose(self) -> None:
        self._lost.append(1)
        if len(self._lost) > _TOGETHER:
            self._lost.append(self._taken())

    def _taken(self) -> int:
        """Take the counts out, each by one thread only, and return their sum."""
        total = 0
        while True:
            try:
                total += self._lost.popleft()
            except IndexError:
                return total

    def _tell(self) -> None:
        lost = self._taken()
        if lost:
            self.writer.tell_dropped(FULL, lost)
