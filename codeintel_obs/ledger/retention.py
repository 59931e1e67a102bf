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
from codeintel_obs.ledger.places import RUNS
from codeintel_obs.ledger.removal import LOCK, Chosen, Pruned, only_one, remove, remove_manifests, sweep

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


def chosen(found: Iterable[Candidate], limits: Limits, now: float, disk: Disk) -> Iterator[Chosen]:
    """Yield what goes, in its order, with the reason: the old, then what did not fail, then what failed.

    An open attempt is never chosen.
    """
    waiting = sorted(found, key=lambda each: each.order)
    kept, size, free = len(waiting), sum(each.size for each in waiting), disk.free
    for each in waiting:
        reason = _too_old(each, limits, now) or _too_much(kept, size, free, limits, disk)
        if reason and not each.is_open:
            kept, size, free = kept - 1, size - each.size, free + each.size
            yield Chosen(each, reason)


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
) -> Pruned:
    """Remove what is beyond ``limits``; with ``dry_run`` only say what would go. Open runs stay.

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
        remove(data_dir, chosen(found, limits, now, _disk(data_dir)), done, stop=stop, dry_run=dry_run)
        if not stop() and not dry_run:
            sweep(data_dir, now, limits.max_days * DAY_S)
    return done


def delete(data_dir: str, wanted: Callable[[Candidate], bool], *, dry_run: bool = False) -> Pruned:
    """Remove the attempts that are ``wanted`` away, and the manifests that only they name; open ones stay, and are told."""
    with only_one(data_dir) as alone:
        if not alone:
            return Pruned(busy=os.path.isdir(os.path.join(data_dir, *RUNS)))
        found = list(candidates(data_dir))
        done = Pruned(kept_bytes=sum(each.size for each in found))
        asked = [each for each in found if wanted(each)]
        done.open = [each.attempt for each in asked if each.is_open]
        going = [Chosen(each, "asked") for each in asked if not each.is_open]
        remove(data_dir, going, done, dry_run=dry_run)
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


def _disk(data_dir: str) -> Disk:
    try:
        found = os.statvfs(data_dir)
    except OSError:
        return Disk()
    return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)
