"""Writes a file whose records are chained, in place of the plain writer: chosen once, when a run gets its file."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from codeintel_obs.ledger.begin import FirstLines
from codeintel_obs.ledger.chain import ChainedWords, digest, linked
from codeintel_obs.ledger.encoding import line
from codeintel_obs.ledger.writer import RunWriter
from codeintel_obs.steps import Root

_NOTHING: Final = (0, "")


class ChainedWriter(RunWriter):
    """A writer that names in each record the line before it, and tells the root of each file that it closes.

    What was counted as written decides, here too: of the two hashes that are held, the one for the number of the last
    counted line is the chain's, wherever a signal handler's exception struck.
    """

    __slots__ = ("before", "closed", "first", "latest", "previous")

    def _be_born(self) -> None:
        super()._be_born()
        self.first: ChainedWords | None = None
        self.previous: tuple[int, str] = _NOTHING
        self.latest: tuple[int, str] = _NOTHING
        self.before = ""
        self.closed: deque[Root] = deque()

    def _words(self) -> FirstLines:
        self.first = ChainedWords(super()._words(), self.ids.attempt, self.before)
        return self.first

    def _put(self, tail: bytes) -> bool:
        n, head = self.n, self._head()
        chained = linked(tail, head)
        self.previous = (n, head)
        self.latest = (n + 1, digest(line(n + 1, chained)[:-1]))
        return super()._put(chained)

    def _head(self) -> str:
        """Return the hash of the last line that was counted."""
        if self.n == 1 and self.first is not None:
            return self.first.head
        return self.latest[1] if self.latest[0] == self.n else self.previous[1]

    def _retire(self, reason: str) -> None:
        if self.name is not None:
            self.before = self._head()
        super()._retire(reason)

    # -- the root -----------------------------------------------------------------------------------------------------

    def _close(self) -> None:
        root = Root(self.run, f"{self.run.day}/{self.name}", self.n, self._head())
        super()._close()
        self.closed.append(root)

    def end(self, event: str, payload: dict[str, Any], error: Any = None, *, close: bool = True) -> None:
        """Do what a writer does, and tell the root of what was closed."""
        super().end(event, payload, error, close=close)
        self._tell_roots()

    def finish_again(self) -> bool:
        """Do what a writer does, and tell the root of what was closed."""
        done = super().finish_again()
        self._tell_roots()
        return done

    def _tell_roots(self) -> None:
        """Tell of closed files outside the lock: who listens may do what is itself recorded."""
        while self.closed:
            try:
                root = self.closed.popleft()
            except IndexError:
                return  # another thread told it
            self.home.tell_root(root)
