"""What readers remember of a day's files, so that a list of 200,000 runs is not read from 200,000 files each time.

One file per day, ``telemetry/index/<day>.json``, made by readers alone and from the ledger alone: it may be deleted at
any time. It is never trusted over the ledger. An entry counts only while every file of its attempt has the size, the
change time and the inode that it had, and no other file joined it; the file itself ends in a checksum.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Final
from zlib import crc32

import msgspec

from codeintel_obs.ledger.attempts import AttemptFiles, grouped
from codeintel_obs.ledger.checks import TAIL, is_whole
from codeintel_obs.ledger.packs import Held, packed_days
from codeintel_obs.ledger.places import RUNS, open_folder, parsed

INDEX: Final = ("telemetry", "index")
VERSION: Final = 1
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Stamp = tuple[str, int, int, int]
"""A file as it was: name, size, change time in ns, inode."""


class Facts(msgspec.Struct, array_like=True):
    """What filters ask of an attempt whose outcome will not change any more."""

    outcome: str
    session_id: str | None
    trace_ids: list[str]
    kinds: list[str]
    started_at: str | None


class Entry(msgspec.Struct, array_like=True):
    """One attempt: ``facts`` is None until somebody had to read it, and while its outcome may change."""

    run_id: str
    attempt: str
    begun_at: str
    files: list[Stamp]
    facts: Facts | None = None


class _Page(msgspec.Struct):
    v: int
    day: str
    entries: list[Entry]
    crc: str = ""


_decode: Final = msgspec.json.Decoder(_Page).decode


class DayIndex:
    """The attempts of one day of one data directory, as they lie there now; ``news`` counts what is not saved."""

    def __init__(self, data_dir: str, day: str, *, use: bool = True) -> None:
        self.data_dir, self.day = data_dir, day
        self.use = use
        stamps = _stamps(data_dir, day)
        kept = [each for each in (_read(data_dir, day) if use else []) if _is_current(each, stamps)]
        names = stamps.keys() - {stamp[0] for each in kept for stamp in each.files}
        fresh = self._group(names)
        joined = {(each.run_id, each.attempt) for each in fresh}
        changed = [each for each in kept if (each.run_id, each.attempt) in joined]
        if changed:
            fresh = self._group(names | {stamp[0] for each in changed for stamp in each.files})
        self.entries = [each for each in kept if (each.run_id, each.attempt) not in joined]
        self.entries += [_entry(each, stamps) for each in fresh]
        self.news = len(fresh)

    def _group(self, names: Iterable[str]) -> list[AttemptFiles]:
        known = ((self.data_dir, self.day, name, each) for each in sorted(names) if (name := parsed(each)))
        return list(grouped(known))

    def learn(self, entry: Entry, facts: Facts | None) -> None:
        """Take what was read of ``entry``; it is saved with the rest."""
        if entry.facts != facts:
            entry.facts = facts
            self.news += 1

    def save(self, least: int = 1) -> None:
        """Write the page anew if it lacks ``least`` attempts or facts; one that cannot be written is done without."""
        if not self.use or self.news < max(1, least):
            return
        page = msgspec.json.encode(_Page(VERSION, self.day, self.entries))[: -len(b',"crc":""}')]
        with suppress(OSError):
            _replace(self.data_dir, f"{self.day}.json", page + b',"crc":"%08x"}' % crc32(page))
            self.news = 0


def facts_of(data_dir: str, day: str) -> dict[tuple[str, str], Facts]:
    """Return what the page of ``day`` holds that still is so, by run and attempt; nothing is read for it."""
    page = _read(data_dir, day)
    stamps = _stamps(data_dir, day) if page else {}
    return {(each.run_id, each.attempt): each.facts for each in page if each.facts and _is_current(each, stamps)}


def forget(data_dir: str, days: Iterable[str]) -> None:
    """Remove the pages of these days: what was deleted on purpose is not to be read there either."""
    for day in days:
        with suppress(OSError):
            os.unlink(os.path.join(data_dir, *INDEX, f"{day}.json"))


def forget_gone(data_dir: str) -> None:
    """Remove the pages of days of which nothing is left."""
    folder = os.path.join(data_dir, *INDEX)
    with suppress(OSError):
        days = {name.removesuffix(".json") for name in os.listdir(folder)} - set(packed_days(data_dir))
        forget(data_dir, days - set(os.listdir(os.path.join(data_dir, *RUNS))))


def _entry(attempt: AttemptFiles, stamps: dict[str, Stamp]) -> Entry:
    names = [file.packed.file.name if file.packed else os.path.basename(file.path) for file in attempt.files()]
    return Entry(attempt.run_id, attempt.attempt, attempt.begun_at, [stamps[name] for name in names])


def _is_current(entry: Entry, stamps: dict[str, Stamp]) -> bool:
    return bool(entry.files) and all(stamps.get(stamp[0]) == stamp for stamp in entry.files)


def _stamps(data_dir: str, day: str) -> dict[str, Stamp]:
    """Return the files of a day as they are; asked before they are read, so that a change since shows next time.

    What lies in a pack has the time when it was written, and of its hash what stands for an inode.
    """
    found: dict[str, Stamp] = {}
    with suppress(OSError), os.scandir(os.path.join(data_dir, *RUNS, day)) as entries:
        for each in entries:
            with suppress(OSError):
                if parsed(each.name):
                    about = each.stat(follow_symlinks=False)
                    found[each.name] = (each.name, about.st_size, about.st_ctime_ns, about.st_ino)
    for name, held in Held(data_dir, day).all().items():
        found.setdefault(name, (name, held.file.size, held.file.mtime_ns, int(held.file.sha256[:12], 16)))
    return found


def _read(data_dir: str, day: str) -> list[Entry]:
    """Return the page's entries; none when it is damaged, of another version, or not there."""
    path = os.path.join(data_dir, *INDEX, f"{day}.json")
    try:
        with open(path, "rb", opener=_opener) as file:
            data = file.read()
        page = _decode(data) if len(data) > TAIL and is_whole(data) else None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return []
    return page.entries if page is not None and (page.v, page.day) == (VERSION, day) else []


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _replace(data_dir: str, name: str, data: bytes) -> None:
    folder = open_folder(data_dir, *INDEX)
    hidden = f".{name}.{os.urandom(4).hex()}.tmp"
    try:
        with open(os.open(hidden, _NEW, 0o640, dir_fd=folder), "wb") as file:
            file.write(data)
        os.rename(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        with suppress(OSError):
            os.unlink(hidden, dir_fd=folder)
        os.close(folder)
