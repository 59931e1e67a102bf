"""File descriptors that an application does not meet by chance, and that are ours when we use them.

An application may close every descriptor it sees and open its own: they get the lowest free numbers. Ours are kept at
high numbers, so a number of ours is free then, or, once in a blue moon, somebody else's. Before each group of writes
(those of one millisecond, see `codeintel_obs.ledger.writer`), and before it is closed, its device, inode and size are
compared with our file's: what is not ours is neither written to nor closed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

Identity = tuple[int, int]
NOBODY: Final[Identity] = (0, 0)
MOST_OPEN: Final = 256
_HIGHEST_BASE: Final = 4096


def raised(fd: int) -> int:
    """Move ``fd`` to a high number, close-on-exec; return the number it has now."""
    try:
        high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _base())
    except OSError:
        return fd  # no high number is free or allowed: a low one is checked just the same
    release(fd, identity_of(high))
    return high


def opened(name: str, flags: int, *, dir_fd: int | None = None) -> int:
    """Open ``name`` at a high number, for a thread of ours. Raises OSError, also when it is not what was opened.

    While this thread waited for the interpreter, an application may have closed every descriptor and been given the low
    number for a file of its own: what is no longer the file of that name is left alone.
    """
    low = os.open(name, flags, 0o600, dir_fd=dir_fd)
    try:
        high = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _base())
    except OSError:
        return low  # no high number is free or allowed: see `raised`
    try:
        about = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except OSError:
        os.close(high)
        raise
    if identity_of(high) != (about.st_dev, about.st_ino):
        os.close(high)
        raise OSError(errno.EBADF, "closed by the application", name)
    release(low, identity_of(high))
    return high


@contextmanager
def lent(fd: int) -> Iterator[int]:
    """Own ``fd`` for a while, at a high number: what background work holds when an application closes everything.

    At the end it is closed only if it is still the same file.
    """
    high = fd if fd >= _base() else raised(fd)
    identity = identity_of(high)
    try:
        yield high
    finally:
        release(high, identity)


def _base() -> int:
    return min(_HIGHEST_BASE, _allowed() // 2)


def _allowed() -> int:
    """Return how many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft >= 0 else 2 * _HIGHEST_BASE


def identity_of(fd: int) -> Identity:
    """Return device and inode of ``fd``, or `NOBODY` when it is closed."""
    try:
        found = os.fstat(fd)
    except OSError:
        return NOBODY
    return found.st_dev, found.st_ino


def is_ours(fd: int, identity: Identity) -> bool:
    """Whether ``fd`` is open, and is the file of ``identity``."""
    return fd >= 0 and identity != NOBODY and identity_of(fd) == identity


def release(fd: int, identity: Identity) -> None:
    """Close ``fd`` if it is still the file of ``identity``."""
    if is_ours(fd, identity):
        os.close(fd)


def is_deleted(fd: int, identity: Identity) -> bool:
    """Whether ``fd`` is the file of ``identity``, and that has no name any more."""
    return is_ours(fd, identity) and os.fstat(fd).st_nlink == 0


def grew_by_lines(fd: int, path: str, size: int) -> bool:
    """Whether the file of ``fd``, named ``path``, is longer than ``size`` and ends in a whole line."""
    try:
        now = os.fstat(fd).st_size
        reading = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return now > size and os.pread(reading, 1, now - 1) == b"\n"
    finally:
        os.close(reading)


class Holder(Protocol):
    """One who holds a descriptor that it can do without for a while."""

    touched: bool
    fd: int

    def evict(self) -> bool:
        """Close the descriptor; return False when it is in use."""


class Clock:
    """Keeps the number of open descriptors under its cap, and under a quarter of what is allowed: idle ones go first.

    Without a lock, because a signal handler may come in anywhere: every operation on the deque is atomic.
    """

    def __init__(self, cap: int = MOST_OPEN) -> None:
        self.cap = cap
        self._held: deque[Holder] = deque()

    def add(self, holder: Holder) -> None:
        """Take note of a descriptor just opened, and close another's if there are too many."""
        self._held.append(holder)
        cap = min(self.cap, max(8, _allowed() // 4))
        for turn in range(2 * len(self._held)):
            if len(self._held) <= cap:
                return
            self._turn(spare=turn < cap)

    def _turn(self, *, spare: bool) -> None:
        try:
            holder = self._held.popleft()
        except IndexError:
            return
        if holder.fd < 0:
            return
        if (spare and holder.touched) or not holder.evict():
            holder.touched = False
            self._held.append(holder)
