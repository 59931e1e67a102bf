"""Removes attempts, one process at a time, and never before the disk holds what says that they were there."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Final, NamedTuple

import msgspec

from codeintel_obs.errors import CompactedError
from codeintel_obs.ledger.attempts import AttemptFiles, list_runs
from codeintel_obs.ledger.candidates import Candidate
from codeintel_obs.ledger.descriptors import lent
from codeintel_obs.ledger.index import forget_gone
from codeintel_obs.ledger.manifest import is_alive, locate
from codeintel_obs.ledger.packs import Pack, clear, drop, packed_days
from codeintel_obs.ledger.places import PROCESSES, RUNS, open_folder
from codeintel_obs.ledger.tombstones import Tombstone, Tombstones, forget_old

LOCK: Final = ".prune"
_STALE_S: Final = 86_400
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_BATCH: Final = 512  # attempts whose tombstones the disk is asked to keep at once: a busy disk takes its time for each


Repack = Callable[[Pack, set[str]], None]
"""Makes a pack anew without the ledger files of these names."""


class Chosen(NamedTuple):
    """An attempt that goes, and why."""

    candidate: Candidate
    reason: str


class Pruned(msgspec.Struct):
    """What was removed, and how many bytes of ledgers are left.

    ``busy`` says that another process was at it. ``gone`` lists what was removed, or would be; ``open`` what was asked
    for and is still written to.
    """

    attempts: int = 0
    files: int = 0
    removed_bytes: int = 0
    kept_bytes: int = 0
    busy: bool = False
    gone: list[Tombstone] = []
    open: list[AttemptFiles] = []


@contextmanager
def only_one(data_dir: str, *, touch: bool = True) -> Iterator[bool]:
    """Hold the data directory's lock; its time says when it was last held by who leaves no pruning to be done."""
    if not os.path.isdir(os.path.join(data_dir, *RUNS)):
        yield False
        return
    try:
        with lent(open_folder(data_dir, RUNS[0])) as folder:
            fd = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640, dir_fd=folder)
    except OSError:
        yield False
        return
    with lent(fd) as lock:
        yield _locked(lock, touch=touch)


def _locked(fd: int, *, touch: bool) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if touch:
            os.utime(fd)
    except OSError:
        return False
    return True


def remove(
    data_dir: str,
    going: Iterable[Chosen],
    done: Pruned,
    *,
    stop: Callable[[], bool] = lambda: False,
    dry_run: bool = False,
    repack: Repack | None = None,
) -> None:
    """Remove ``going`` and count it in ``done``; where no tombstone can be written nothing is removed.

    What lies in packs is taken out of each at once, in the end.
    """
    stones, waiting = Tombstones(data_dir), iter(going)
    packed: list[tuple[Chosen, Tombstone]] = []
    while not stop() and (batch := list(islice(waiting, _BATCH))):
        told = [_tombstone(each) for each in batch]
        if not (dry_run or _noted(stones, batch, told)):
            break
        for each, stone in zip(batch, told, strict=True):
            if stop():
                break
            if dry_run or _unlinked(each.candidate.attempt):
                if each.candidate.packs and not dry_run:
                    packed.append((each, stone))
                else:
                    _count(each, stone, done)
    _take_out(packed, repack, done)


def _take_out(packed: list[tuple[Chosen, Tombstone]], repack: Repack | None, done: Pruned) -> None:
    """Take attempts out of their packs; a pack of which nothing is left goes without being made anew."""
    names: dict[Pack, set[str]] = {}
    for each, _ in packed:
        for held in each.candidate.packed():
            names.setdefault(held.pack, set()).add(held.file.name)
    kept: set[str] = set()
    for pack, going in names.items():
        if going >= set(pack.names()):
            drop(pack)
        elif repack is not None:
            repack(pack, going)
        else:
            kept.add(pack.list_path)
    for each, stone in packed:
        if not each.candidate.packs & kept:
            _count(each, stone, done)


def refuse_parts(going: Iterable[Chosen], repack: Repack | None) -> None:
    """Raise `CompactedError` when something in a pack is to go, and nobody can make the pack anew."""
    held = next((held for each in going for held in each.candidate.packed()), None)
    if held is not None and repack is None:
        raise CompactedError(held.file.name, held.pack.parquet)


def _noted(stones: Tombstones, batch: list[Chosen], told: list[Tombstone]) -> bool:
    """Write the tombstones; on a disk too full for them the first attempts go before theirs, to make room.

    Else a full disk would stay full. Return whether they are written.
    """
    for each in batch:
        try:
            stones.add(told)
        except OSError as exc:
            if exc.errno not in _FULL or not _unlinked(each.candidate.attempt):
                return False
        else:
            return True
    return False


def _tombstone(each: Chosen) -> Tombstone:
    attempt = each.candidate.attempt
    files = sum(len(writer.segments) for writer in attempt.writers)
    return Tombstone(attempt.run_id, attempt.attempt, attempt.day, each.reason, files, each.candidate.size)


def _count(each: Chosen, stone: Tombstone, done: Pruned) -> None:
    done.attempts += 1
    done.files += stone.files
    done.removed_bytes += each.candidate.size
    done.kept_bytes -= each.candidate.size
    done.gone.append(stone)


def _unlinked(attempt: AttemptFiles) -> bool:
    """Remove an attempt, the file that began it last: until then what is left still says whose it is."""
    for file in reversed(list(attempt.files())):
        try:
            os.unlink(file.path)
        except FileNotFoundError:
            continue
        except OSError:
            return False
    with suppress(OSError):  # not empty: other runs of that day are kept
        os.rmdir(os.path.join(attempt.data_dir, *RUNS, attempt.day))
    return True


def remove_manifests(data_dir: str, removed: Iterable[AttemptFiles]) -> None:
    """Remove the manifests of processes that are gone, and that no attempt but the ``removed`` ones named."""
    names = {writer.manifest for attempt in removed for writer in attempt.writers} - _named(data_dir)
    for name in names:
        path = locate(data_dir, name) if name else None
        if path is not None and is_alive(path) is not True:
            with suppress(OSError):
                os.unlink(path)
                os.rmdir(os.path.dirname(path))


def _named(data_dir: str) -> set[str | None]:
    return {writer.manifest for attempt in list_runs([data_dir]) for writer in attempt.writers}


def sweep(data_dir: str, now: float, kept_s: float) -> None:
    """Remove hidden files that a killed process left, old tombstones, and manifests of the dead that no kept run names."""
    forget_old(data_dir, now)
    forget_gone(data_dir)
    for day in packed_days(data_dir):
        with suppress(OSError):
            clear(data_dir, day)
    for folder, _, names in os.walk(os.path.join(data_dir, RUNS[0])):
        for name in names:
            if name.startswith(".") and name.endswith(".tmp"):
                _unlink_older(os.path.join(folder, name), now - _STALE_S)
    named = _named(data_dir)
    top = os.path.join(data_dir, *PROCESSES)
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if f"{os.path.basename(folder)}/{name}" not in named and is_alive(path) is not True:
                _unlink_older(path, now - kept_s)
        with suppress(OSError):
            if folder != top:
                os.rmdir(folder)


def _unlink_older(path: str, than: float) -> None:
    with suppress(OSError):
        if os.lstat(path).st_mtime < than:
            os.unlink(path)
