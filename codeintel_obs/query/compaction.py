"""Packs closed and verified runs of past days, and removes their files once the disk has given every line back.

Nothing is removed before its pack is proved and on the disk. A process that is killed at any point leaves files, or packs,
or both: while a file is there readers go by it, and the next compaction finishes what was begun.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from codeintel_obs.ledger.attempts import AttemptFiles, File, list_day
from codeintel_obs.ledger.candidates import Candidate, candidate
from codeintel_obs.ledger.index import DayIndex, facts_of
from codeintel_obs.ledger.packs import Pack, names_in, packed_days, packs_of
from codeintel_obs.ledger.places import RUNS
from codeintel_obs.ledger.removal import only_one
from codeintel_obs.ledger.verifier import verify
from codeintel_obs.query.repacking import settle
from codeintel_obs.query.writing import ChangedError, Draft, same

PACK_BYTES: Final = 256 * 1024 * 1024
"""Bytes of lines from which on a further pack is begun."""
_MERGED: Final = 4  # packs of one day from which on the next compaction makes one of them
_WRITABLE: Final = 0o222


class Wanted(msgspec.Struct, frozen=True):
    """Which runs: those written to last before ``older_than_s`` seconds; ``failed`` ones only when they are asked for.

    With ``keep`` the files stay beside their pack, until a compaction without it.
    """

    older_than_s: float = 86_400
    failed: bool = False
    keep: bool = False
    dry_run: bool = False


class Left(msgspec.Struct, frozen=True):
    """An attempt of a day that is over, and is not packed: ``why`` is ``open``, ``recent``, ``failed`` or ``damaged``."""

    run_id: str
    attempt: str
    day: str
    why: str


class Compacted(msgspec.Struct):
    """What was packed, or would be. ``before`` are bytes of the disk as files, ``after`` as packs.

    ``finished`` counts files that an earlier compaction had packed and not removed.
    """

    attempts: int = 0
    files: int = 0
    records: int = 0
    before: int = 0
    after: int = 0
    finished: int = 0
    left: list[Left] = []
    busy: bool = False


class Loose(NamedTuple):
    """An attempt that is to be packed, and those of its files that are in no pack; ``size`` in bytes of the disk."""

    attempt: AttemptFiles
    files: list[File]
    size: int


def compact(data_dir: str, wanted: Wanted, *, now: float | None = None) -> Compacted:
    """Pack what is ``wanted`` of the days before today (UTC). One process at a time; another one finds it ``busy``."""
    now, data_dir = time.time() if now is None else now, os.path.abspath(data_dir)
    done = Compacted()
    with only_one(data_dir, touch=False) as alone:
        if not alone:
            done.busy = os.path.isdir(os.path.join(data_dir, *RUNS))
            return done
        for day in _days(data_dir, now):
            if not wanted.dry_run:
                done.finished += settle(data_dir, day, finish=not wanted.keep)
            _compact_day(data_dir, day, wanted, now, done)
    return done


def _days(data_dir: str, now: float) -> list[str]:
    """Return the days that are over, oldest first: a run that begins today may still want a name of today's folder."""
    today = time.strftime("%Y-%m-%d", time.gmtime(now))
    days = {*packed_days(data_dir), *os.listdir(os.path.join(data_dir, *RUNS))}
    return sorted(day for day in days if day < today and len(day) == len(today))


def _compact_day(data_dir: str, day: str, wanted: Wanted, now: float, done: Compacted) -> None:
    known, before = facts_of(data_dir, day), done.attempts
    waiting = list(_chosen(data_dir, day, wanted, now, done))
    while waiting:
        together = _together(waiting)
        if wanted.dry_run:
            _count(together, done)
        else:
            _pack(data_dir, day, together, wanted, done)
    if known and done.attempts > before and not wanted.dry_run:
        index = DayIndex(data_dir, day)
        for entry in index.entries:  # what was once read of a run holds for it in its pack
            index.learn(entry, entry.facts or known.get((entry.run_id, entry.attempt)))
        index.save()


def _chosen(data_dir: str, day: str, wanted: Wanted, now: float, done: Compacted) -> Iterator[Loose]:
    """Yield what is packed of a day; what is not is told, unless it is packed already."""
    packed = names_in(data_dir, day)
    for attempt in list_day(data_dir, day):
        files = [file for file in attempt.files() if not file.packed and os.path.basename(file.path) not in packed]
        if files:
            found = candidate(attempt)
            why = _why_not(found, files, wanted, now)
            if why:
                done.left.append(Left(attempt.run_id, attempt.attempt, day, why))
            else:
                yield Loose(attempt, files, found.size)


def _why_not(each: Candidate, files: list[File], wanted: Wanted, now: float) -> str:
    if each.is_open:
        return "open"
    if each.written > now - wanted.older_than_s:
        return "recent"
    if each.has_failed and not wanted.failed:
        return "failed"
    return "" if _is_closed(each.attempt, files) else "damaged"


def _is_closed(attempt: AttemptFiles, files: list[File]) -> bool:
    """Whether all its writers closed it, by the permissions as well, and nothing of it is missing or wrong."""
    with suppress(OSError):
        if not any(os.lstat(file.path).st_mode & _WRITABLE for file in files):
            found = verify(attempt)
            return found.complete is True and not found.problems
    return False


def _together(waiting: list[Loose]) -> list[Loose]:
    """Take from ``waiting`` what goes into one pack."""
    size, count = 0, 0
    for count, each in enumerate(waiting, 1):  # noqa: B007 - how many there are
        size += each.size
        if size >= PACK_BYTES:
            break
    taken, waiting[:] = waiting[:count], waiting[count:]
    return taken


def _pack(data_dir: str, day: str, together: list[Loose], wanted: Wanted, done: Compacted) -> None:
    older = packs_of(data_dir, day)
    with Draft(data_dir, day) as draft:
        taken = [(each, as_it_was) for each in together if (as_it_was := _taken(draft, each, done)) is not None]
        if not taken:
            return
        if len(older) >= _MERGED:
            for pack in older:
                draft.keep(pack, set())
        draft.publish()
    _count([each for each, _ in taken], done)
    done.records += sum(draft.files[os.path.basename(file.path)].lines for each, _ in taken for file in each.files)
    done.after += _size(packs_of(data_dir, day)) - _size(older)
    if not wanted.keep:
        for each, as_it_was in taken:
            _remove(each, as_it_was)
        with suppress(OSError):  # not empty: some of that day stay
            os.rmdir(os.path.join(data_dir, *RUNS, day))


def _taken(draft: Draft, each: Loose, done: Compacted) -> list[os.stat_result] | None:
    """Take all files of an attempt, or none; return how they were."""
    try:
        return [draft.take(file) for file in each.files]
    except (ChangedError, OSError):
        for file in each.files:
            draft.drop(file)
        done.left.append(Left(each.attempt.run_id, each.attempt.attempt, each.attempt.day, "damaged"))
        return None


def _count(together: list[Loose], done: Compacted) -> None:
    done.attempts += len(together)
    done.files += sum(len(each.files) for each in together)
    done.before += sum(each.size for each in together)


def _size(packs: list[Pack]) -> int:
    return sum(pack.head.size + pack.head_size + pack.head.names.size + pack.head.details.size for pack in packs)


def _remove(each: Loose, as_it_was: list[os.stat_result]) -> None:
    """Remove an attempt's files, the one that began it last: until then what is left still says whose it is."""
    for file, before in reversed(list(zip(each.files, as_it_was, strict=True))):
        with suppress(FileNotFoundError):
            if same(before, file.path):
                os.unlink(file.path)
