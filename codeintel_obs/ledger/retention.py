"""Keeps the ledgers from becoming the outage: in bytes, days and runs, and in what is left free on the disk.

What goes is decided first, by pure functions; `codeintel_obs.ledger.removal` then removes it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from codeintel_obs.ledger.candidates import Candidate, candidates, light
from codeintel_obs.ledger.index import forget
from codeintel_obs.ledger.packs import forget_read
from codeintel_obs.ledger.places import RUNS
from codeintel_obs.ledger.removal import (
    LOCK,
    Chosen,
    Pruned,
    Repack,
    only_one,
    refuse_parts,
    remove,
    remove_manifests,
    sweep,
)

DAY_S: Final = 86_400
PAUSE_S: Final = 3600
"""A process that starts prunes only when nobody did for this long."""


class Limits(msgspec.Struct, frozen=True):
    """At most so many bytes, days and attempts, and at least this share of the file system free.

    ``failed_days`` keeps what failed, timed out or was interrupted for another number of days than the rest.
    """

    max_bytes: int = 2 * 1024**3
    max_days: float = 14
    min_free: float = 0.05
    max_runs: int | None = None
    failed_days: float | None = None

    def days(self, *, failed: bool) -> float:
        """Return for how many days an attempt is kept."""
        return self.failed_days if failed and self.failed_days is not None else self.max_days


class Disk(NamedTuple):
    """Bytes of a file system: all, and those free for us."""

    total: int = 0
    free: int = 0


def chosen(
    found: Iterable[Candidate], limits: Limits, now: float, disk: Disk, *, whole: bool = False
) -> Iterator[Chosen]:
    """Yield what goes, in its order, with the reason: the old, then what did not fail, then what failed.

    An open attempt is never chosen. Of packs, ``whole`` says, all attempts go or none: who cannot make packs anew
    keeps one until the last of its attempts may go.
    """
    waiting = sorted(found, key=lambda each: each.order)
    kept, size, free = len(waiting), sum(each.size for each in waiting), disk.free
    for each in sorted(_together(waiting, whole=whole), key=lambda group: group[-1].order):
        last = each[-1]
        reason = _too_old(last, limits, now) or _too_much(kept, size, free, limits, disk)
        if reason and not last.is_open:
            taken = sum(one.size for one in each)
            kept, size, free = kept - len(each), size - taken, free + taken
            yield from (Chosen(one, reason) for one in each)


def _together(waiting: list[Candidate], *, whole: bool) -> Iterable[list[Candidate]]:
    """Put those together that can only go together, in the order that they have; one that is open holds all up."""
    groups: dict[object, list[Candidate]] = {}
    for each in waiting:
        packs = each.packs if whole else frozenset[str]()
        groups.setdefault(packs or id(each), []).append(each)
    for group in groups.values():
        group.sort(key=lambda each: each.is_open)
    return groups.values()


def _too_old(each: Candidate, limits: Limits, now: float) -> str:
    return "age" if each.written < now - limits.days(failed=each.has_failed) * DAY_S else ""


def _too_much(kept: int, size: int, free: int, limits: Limits, disk: Disk) -> str:
    if limits.max_runs is not None and kept > limits.max_runs:
        return "count"
    if size > limits.max_bytes:
        return "bytes"
    return "free" if free < disk.total * limits.min_free else ""


def prune(
    data_dir: str,
    limits: Limits | None = None,
    *,
    now: float | None = None,
    stop: Callable[[], bool] = lambda: False,
    dry_run: bool = False,
    repack: Repack | None = None,
) -> Pruned:
    """Remove what is beyond ``limits``; with ``dry_run`` only say what would go. Open runs stay.

    Without ``repack`` a pack goes as a whole, when the last of its attempts may go.

    One process at a time; another one finds nothing to do, and says ``busy``. ``stop`` is asked before each attempt.
    Raises nothing for files that cannot be removed: they are counted as kept.
    """
    limits = limits or Limits()
    now = time.time() if now is None else now
    with only_one(data_dir) as alone:
        if not alone:
            return Pruned(busy=os.path.isdir(os.path.join(data_dir, *RUNS)))
        found = [] if stop() else list(light(candidates(data_dir, stop)))
        done = Pruned(kept_bytes=sum(each.size for each in found))
        if stop():
            return done
        going = chosen(found, limits, now, _disk(data_dir), whole=repack is None)
        remove(data_dir, going, done, stop=stop, dry_run=dry_run, repack=repack)
        if not stop() and not dry_run:
            sweep(data_dir, now, limits.max_days * DAY_S)
    return done


def delete(
    data_dir: str, wanted: Callable[[Candidate], bool], *, dry_run: bool = False, repack: Repack | None = None
) -> Pruned:
    """Remove the attempts that are ``wanted`` away, and the manifests that only they name; open ones stay, and are told.

    Raises `CompactedError` when one of them lies in a pack with others, and there is no ``repack`` to take it out.
    """
    with only_one(data_dir) as alone:
        if not alone:
            return Pruned(busy=os.path.isdir(os.path.join(data_dir, *RUNS)))
        found = list(candidates(data_dir))
        done = Pruned(kept_bytes=sum(each.size for each in found))
        asked = [each for each in found if wanted(each)]
        done.open = [each.attempt for each in asked if each.is_open]
        going = [Chosen(each, "asked") for each in asked if not each.is_open]
        refuse_parts(going, repack)
        remove(data_dir, going, done, dry_run=dry_run, repack=repack)
        if not dry_run:
            forget(data_dir, {each.candidate.attempt.day for each in going})
            remove_manifests(data_dir, [each.candidate.attempt for each in going])
    return done


def prune_now_and_then(data_dir: str, limits: Limits, stop: Callable[[], bool]) -> None:
    """Prune unless somebody did within the last hour."""
    try:
        last = os.lstat(os.path.join(data_dir, RUNS[0], LOCK)).st_mtime
    except OSError:
        last = 0.0
    if abs(time.time() - last) > PAUSE_S:
        prune(data_dir, limits, stop=stop)
        forget_read()


def _disk(data_dir: str) -> Disk:
    try:
        found = os.statvfs(data_dir)
    except OSError:
        return Disk()
    return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)
