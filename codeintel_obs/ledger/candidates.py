"""What may be removed: every attempt with its size, its age, how it went, and whether somebody may still write to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

import msgspec

from codeintel_obs.ledger.attempts import AttemptFiles, list_runs
from codeintel_obs.ledger.manifest import is_alive, locate
from codeintel_obs.ledger.packs import Packed

_FAILED: Final = frozenset({"failed", "timed_out", "interrupted"})


class Candidate(msgspec.Struct):
    """One attempt. ``size`` is in bytes on the disk, ``written`` the last write in seconds since the epoch."""

    attempt: AttemptFiles
    size: int
    written: float
    is_open: bool
    has_failed: bool

    @property
    def packs(self) -> frozenset[str]:
        """The packs that it lies in, by the paths of their lists."""
        return frozenset(held.pack.list_path for held in self.packed())

    def packed(self) -> Iterator[Packed]:
        """Yield its files as they lie in packs."""
        for file in self.attempt.files():
            held = file.packed or file.twin
            if held is not None:
                yield held

    @property
    def order(self) -> tuple[bool, float]:
        """What goes first: what did not fail, and of that the oldest."""
        return self.has_failed, self.written


def candidates(data_dir: str, stop: Callable[[], bool] = lambda: False) -> Iterator[Candidate]:
    """Yield every attempt of ``data_dir``; ``stop`` is asked before each."""
    for attempt in list_runs([data_dir], stop):
        if stop():
            return
        yield candidate(attempt)


def light(found: Iterable[Candidate]) -> Iterator[Candidate]:
    """Yield ``found`` without what their files' first records say: 200,000 of those are not to be held at once."""
    for each in found:
        for file in each.attempt.files():
            file.first = None
            file.packed, file.twin = _light(file.packed), _light(file.twin)
        yield each


def _light(held: Packed | None) -> Packed | None:
    return held and held._replace(file=msgspec.structs.replace(held.file, first="", last=""))


def candidate(attempt: AttemptFiles) -> Candidate:
    """Return what pruning has to know of ``attempt``."""
    size, written, writable = 0, 0.0, set()
    for file in attempt.files():
        if file.packed is not None:
            size += file.packed.pack.share(file.packed.file)
            written = max(written, file.packed.file.mtime_ns / 1e9)
            continue
        with suppress(OSError):
            found = os.lstat(file.path)
            size += found.st_blocks * 512
            written = max(written, found.st_mtime)
            if found.st_mode & 0o222:
                writable.add(file.path)
    last = attempt.last
    outcome = ((last.payload if last else None) or {}).get("outcome")
    failed = outcome is None or outcome in _FAILED
    return Candidate(attempt, size, written, bool(writable) and _may_be_open(attempt, writable), failed)


def _may_be_open(attempt: AttemptFiles, writable: set[str]) -> bool:
    """Whether a process lives, or cannot be proved to be gone, whose file is not closed.

    A file that does not say whose it is may be anybody's who wrote into the attempt.
    """
    unclosed = [writer for writer in attempt.writers if any(file.path in writable for file in writer.segments)]
    if any(writer.segments[0].first is None for writer in unclosed):
        unclosed = attempt.writers
    for writer in unclosed:
        name = writer.manifest
        path = locate(attempt.data_dir, name) if name else None
        if path is not None and os.path.exists(path) and is_alive(path) is not False:
            return True
    return False
