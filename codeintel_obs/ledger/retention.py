"""Keeps the ledgers from becoming the outage: in bytes, in days, and in what is left free on the disk."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec

from codeintel_obs.ledger.attempts import AttemptFiles, list_runs
from codeintel_obs.ledger.descriptors import lent
from codeintel_obs.ledger.manifest import is_alive, locate
from codeintel_obs.ledger.places import PROCESSES, RUNS, open_folder

DAY_S: Final = 86_400
PAUSE_S: Final = 3600
"""A process that starts prunes only when nobody did for this long."""
_FAILED: Final = frozenset({"failed", "timed_out", "interrupted"})
_STALE_S: Final = DAY_S
_LOCK: Final = ".prune"


class Limits(msgspec.Struct, frozen=True):
    """At most so many bytes and days, and at least this share of the file system free."""

    max_bytes: int = 2 * 1024**3
    max_days: float = 14
    min_free: float = 0.05


class Pruned(msgspec.Struct):
    """What was removed, and how many bytes of ledgers are left."""

    attempts: int = 0
    files: int = 0
    removed_bytes: int = 0
    kept_bytes: int = 0


class _Candidate(msgspec.Struct):
    attempt: AttemptFiles
    size: int
    written: float
    is_open: bool
    has_failed: bool

    @property
    def order(self) -> tuple[bool, float]:
        """What goes first: what did not fail, and of that the oldest."""
        return self.has_failed, self.written


def prune(
    data_dir: str,
    limits: Limits | None = None,
    *,
    now: float | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Pruned:
    """Remove what is beyond ``limits``: the old, then what did not fail, then what failed. Open runs stay.

    One process at a time; another one finds nothing to do. ``stop`` is asked before each attempt. Raises nothing
    for files that cannot be removed: they are counted as kept.
    """
    limits = limits or Limits()
    now = time.time() if now is None else now
    done = Pruned()
    with _only_one(data_dir) as alone:
        if not alone:
            return done
        candidates = [] if stop() else list(_candidates(data_dir, stop))
        done.kept_bytes = sum(each.size for each in candidates)
        for each in sorted(candidates, key=lambda each: each.order):
            if stop():
                return done
            too_old = each.written < now - limits.max_days * DAY_S
            if not each.is_open and (too_old or _is_short(data_dir, done.kept_bytes, limits)):
                _remove(each, done)
        if not stop():
            _sweep(data_dir, limits, now)
    return done


def prune_now_and_then(data_dir: str, limits: Limits, stop: Callable[[], bool]) -> None:
    """Prune unless somebody did within the last hour."""
    try:
        last = os.lstat(os.path.join(data_dir, RUNS[0], _LOCK)).st_mtime
    except OSError:
        last = 0.0
    if abs(time.time() - last) > PAUSE_S:
        prune(data_dir, limits, stop=stop)


@contextmanager
def _only_one(data_dir: str) -> Iterator[bool]:
    """Hold the data directory's prune lock; its time says when it was last held."""
    if not os.path.isdir(os.path.join(data_dir, *RUNS)):
        yield False
        return
    try:
        with lent(open_folder(data_dir, RUNS[0])) as folder:
            fd = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640, dir_fd=folder)
    except OSError:
        yield False
        return
    with lent(fd) as lock:
        yield _locked(lock)


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.utime(fd)
    except OSError:
        return False
    return True


def _candidates(data_dir: str, stop: Callable[[], bool]) -> Iterator[_Candidate]:
    for attempt in list_runs([data_dir], stop):
        if stop():
            return
        size, written, writable = 0, 0.0, False
        for file in attempt.files():
            with suppress(OSError):
                found = os.lstat(file.path)
                size += found.st_blocks * 512
                written = max(written, found.st_mtime)
                writable = writable or bool(found.st_mode & 0o222)
        last = attempt.last
        outcome = ((last.payload if last else None) or {}).get("outcome")
        yield _Candidate(
            attempt, size, written, writable and _may_be_open(attempt), outcome is None or outcome in _FAILED
        )


def _may_be_open(attempt: AttemptFiles) -> bool:
    """Whether a process that wrote into it lives, or cannot be proved to be gone."""
    for writer in attempt.writers:
        name = writer.manifest
        path = locate(attempt.data_dir, name) if name else None
        if path is not None and os.path.exists(path) and is_alive(path) is not False:
            return True
    return False


def _is_short(data_dir: str, kept_bytes: int, limits: Limits) -> bool:
    if kept_bytes > limits.max_bytes:
        return True
    try:
        disk = os.statvfs(data_dir)
    except OSError:
        return False
    return disk.f_bavail < disk.f_blocks * limits.min_free


def _remove(candidate: _Candidate, done: Pruned) -> None:
    """Remove an attempt, the file that began it last: until then what is left still says whose it is."""
    for file in reversed(list(candidate.attempt.files())):
        try:
            os.unlink(file.path)
        except OSError:
            return
        done.files += 1
    done.attempts += 1
    done.removed_bytes += candidate.size
    done.kept_bytes -= candidate.size
    with suppress(OSError):  # not empty: other runs of that day are kept
        os.rmdir(os.path.join(candidate.attempt.data_dir, *RUNS, candidate.attempt.day))


def _sweep(data_dir: str, limits: Limits, now: float) -> None:
    """Remove hidden files that a killed process left, and manifests of dead processes that no kept run names."""
    for folder, _, names in os.walk(os.path.join(data_dir, RUNS[0])):
        for name in names:
            if name.startswith(".") and name.endswith(".tmp"):
                _unlink_older(os.path.join(folder, name), now - _STALE_S)
    named = {writer.manifest for attempt in list_runs([data_dir]) for writer in attempt.writers}
    top = os.path.join(data_dir, *PROCESSES)
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if f"{os.path.basename(folder)}/{name}" not in named and is_alive(path) is not True:
                _unlink_older(path, now - limits.max_days * DAY_S)
        with suppress(OSError):
            if folder != top:
                os.rmdir(folder)


def _unlink_older(path: str, than: float) -> None:
    with suppress(OSError):
        if os.lstat(path).st_mtime < than:
            os.unlink(path)
