"""What all ledger files of a process share: the data directory, the flusher, the descriptors, what is left untold."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs.ledger.descriptors import NOBODY, Clock, Identity, identity_of, lent, opened, release
from codeintel_obs.ledger.flusher import Flusher
from codeintel_obs.ledger.process import at_fork

if TYPE_CHECKING:
    from codeintel_obs.ledger.durable import Closing
    from codeintel_obs.ledger.writer import RunWriter
    from codeintel_obs.steps import Root

POLICIES: Final = ("none", "group", "step")
_MOST_UNFINISHED: Final = 1024
_RESERVE: Final = 32_768
_SETTLED_S: Final = 5.0
_TIDY_AT_EXIT_S: Final = 0.5  # an exit is held up no longer, and by that once an hour in one data directory
_MOST_HELD: Final = 128  # descriptors of closed files that wait to be made durable
_MOST_WAITING: Final = 4096


def _nobody(_root: Root) -> None:
    pass


class _AtLeisure:
    """Waits on the flusher's thread until the process has settled.

    What it does opens folders in ways that give their descriptors low numbers, and an application closes every
    descriptor, if ever, when it starts.
    """

    once = False

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._due = time.monotonic() + _SETTLED_S

    def sync(self) -> bool:
        """Call the function if it is time; return whether it is still to be called."""
        if time.monotonic() < self._due:
            return True
        self._function()
        return False


class Home:
    """Shared by the writers of one process; a forked child keeps the object and starts from nothing."""

    def __init__(self, data_dir: str, fsync: str = "group", facts: Callable[[], dict[str, Any]] | None = None) -> None:
        self.data_dir = os.path.abspath(data_dir)
        self.fsync = fsync
        self.facts = facts or dict
        self.tidy: Callable[[Callable[[], bool]], object] | None = None
        """Removes what is beyond the limits, once in each process; asks the function that it is given when to stop."""
        self.tell_root: Callable[[Root], object] = _nobody
        """Is told the root of each chained file that was closed."""
        self.flusher = Flusher()
        self._forget()
        at_fork(in_child=self._after_fork)

    def _forget(self) -> None:
        self.clock = Clock()
        self.live: dict[RunWriter, None] = {}
        """Writers with a file that has no closing record yet."""
        self.unfinished: deque[RunWriter] = deque()
        """Writers whose last words could not be written."""
        self.untold: Counter[str] = Counter()
        """Records dropped, by reason, that no file of their own can tell of."""
        self.reserve: tuple[int, Identity] = (-1, NOBODY)
        self.unsynced = 0
        """Closed files that were not made durable, because too many waited."""
        self._started = False
        self._tidied = False

    def _after_fork(self) -> None:
        inherited = [(writer.fd, writer.identity) for writer in self.live]
        for fd, identity in [*inherited, self.reserve]:
            release(fd, identity)
        self._forget()

    def opened(self, writer: RunWriter) -> None:
        """Take note of a file just begun."""
        self.live[writer] = None
        self.clock.add(writer)
        if not self._started:
            self._started = True
            self.flusher.run(self.keep_reserve, optional=True)
            if self.tidy is not None:
                self.flusher.put(_AtLeisure(self._tidy_up))

    def closed(self, writer: RunWriter, closing: Closing) -> None:
        """Take note of a file just closed, and have it made durable."""
        self.live.pop(writer, None)
        waiting = self.flusher.waiting
        if self.fsync != "group" or waiting > _MOST_WAITING:
            self.unsynced += self.fsync == "group"
            closing.release()
            return
        if waiting > _MOST_HELD:
            closing.release()
        self.flusher.put(closing)

    def _tidy_up(self) -> None:
        self._tidied = True
        if self.tidy is not None:
            self.tidy(lambda: self.flusher.stopping)

    def keep_reserve(self) -> None:
        """Hold a little space on the disk, in a file without a name, so that a full disk can still be told of."""
        if self.reserve[0] < 0:
            with suppress(OSError):  # full already, read-only, or deleted under us: then there is none
                self._take_reserve()

    def _take_reserve(self) -> None:
        name = f".reserve-{os.urandom(8).hex()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        where = os.path.join(self.data_dir, "telemetry")
        with lent(opened(where, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)) as folder:
            fd = opened(name, flags, dir_fd=folder)
            os.unlink(name, dir_fd=folder)
        self.reserve = (fd, identity_of(fd))
        os.write(fd, b"\0" * _RESERVE)

    def spend_reserve(self) -> bool:
        """Give the reserved space back to the disk; return whether there was any."""
        (fd, identity), self.reserve = self.reserve, (-1, NOBODY)
        release(fd, identity)
        return fd >= 0

    def give_up(self, writer: RunWriter) -> None:
        """Keep a writer whose last words could not be written; the oldest of too many is only counted."""
        self.live.pop(writer, None)
        self.unfinished.append(writer)
        if len(self.unfinished) > _MOST_UNFINISHED:
            oldest = self.unfinished.popleft()
            self.untold.update(oldest.drops)
            self.untold[oldest.reason] += 1  # its last words, which nobody will write any more
            oldest.drops.clear()

    def retry_unfinished(self, most: int = 8) -> None:
        """Try again to write the last words of writers that could not."""
        for _ in range(min(most, len(self.unfinished))):
            try:
                writer = self.unfinished.popleft()
            except IndexError:
                return  # another thread took the last one
            if not writer.finish_again():
                return

    def flush(self, timeout_s: float) -> bool:
        """Make everything durable that is written by now, within ``timeout_s``; return whether that was done."""
        if self.fsync == "none":
            return True
        for writer in list(self.live):
            self.flusher.put(writer)
        return self.flusher.flush(timeout_s)

    def close(self) -> None:
        """Write the closing record of every file, tell what was dropped, make all durable, stop the thread."""
        for writer in list(self.live):
            writer.end("writer.end", {})
        if self.unfinished:
            self.spend_reserve()
            self.retry_unfinished(most=len(self.unfinished))
        self.flusher.drain()
        self.spend_reserve()
        if self._started and not self._tidied and self.tidy is not None:
            deadline = time.monotonic() + _TIDY_AT_EXIT_S
            self._tidied = True
            self.tidy(lambda: time.monotonic() > deadline)
