"""Finds the files of a run: by what they say, not by today's date, and not by their names alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

import msgspec

from codeintel_obs.ledger.packs import Held, Packed, names_in, other_name, packed_days
from codeintel_obs.ledger.places import RUNS, SUFFIX, Name, parsed
from codeintel_obs.ledger.reader import Line, first_record, last_record, read_stretches, record_of
from codeintel_obs.runs import accept_id
from codeintel_obs.steps import Record

_DAY_LENGTH: Final = len("2026-11-22")


class File(msgspec.Struct):
    """One file of an attempt: ``place`` is ``<day>/<file>``, as evidence cites it; ``first`` its first whole record.

    A file that lies in a pack keeps the path and the place that it had; `codeintel_obs.ledger.opening` finds it there.
    ``twin`` is the same file in a pack, while it lies in both.
    """

    path: str
    place: str
    segment: int
    first: Record | None
    packed: Packed | None = None
    twin: Packed | None = None


class WriterFiles(msgspec.Struct):
    """What one process wrote into an attempt: its segments in their order."""

    stem: str
    segments: list[File]

    @property
    def begins(self) -> bool:
        """Whether it is the one that began the attempt."""
        first = self.segments[0].first
        return first is not None and first.event == "run.begin"

    @property
    def manifest(self) -> str | None:
        """The name of its process's manifest."""
        for segment in self.segments:
            name = ((segment.first.payload if segment.first else None) or {}).get("manifest")
            if isinstance(name, str):
                return name
        return None


class AttemptFiles(msgspec.Struct):
    """The files of one attempt, the beginner's first. ``attempt`` is empty when no file says which it is."""

    run_id: str
    attempt: str
    day: str
    data_dir: str
    writers: list[WriterFiles]

    @property
    def beginner(self) -> WriterFiles | None:
        """The files of the process that began it, if they are there."""
        return next((writer for writer in self.writers if writer.begins), None)

    @property
    def begun_at(self) -> str:
        """When it began, as far as its files say; sorts by time."""
        firsts = [writer.segments[0].first for writer in self.writers]
        return min((first.ts for first in firsts if first is not None), default="")

    @property
    def last(self) -> Record | None:
        """The last whole record of the beginner."""
        writer = self.beginner
        if writer is None:
            return None
        file = writer.segments[-1]
        return record_of(file.packed.file.last) if file.packed is not None else last_record(file.path)

    def files(self) -> Iterator[File]:
        """Yield all files, writer after writer."""
        for writer in self.writers:
            yield from writer.segments


def batches(attempt: AttemptFiles) -> Iterator[tuple[str, list[Record]]]:
    """Yield the records of an attempt, file after file, many of one file at a time with its place."""
    for file in attempt.files():
        for found in read_stretches(file.path):
            if not isinstance(found, Line):
                yield file.place, found.records
            elif found.record is not None:
                yield file.place, [found.record]


def entries(attempt: AttemptFiles) -> Iterator[tuple[str, Record]]:
    """Yield the records of an attempt with their places, file after file."""
    for place, records in batches(attempt):
        for record in records:
            yield place, record


def find_attempts(data_dirs: Iterable[str], run: str) -> list[AttemptFiles]:
    """Return the attempts of ``run``, oldest first, wherever they lie.

    ``run`` is mapped like any id from outside; when that finds nothing it is tried as it is stored, and then as the
    beginning of exactly one run's id.
    """
    stored, _ = accept_id(run)
    begun = [each for each in _listed(data_dirs) if each[2].startswith((stored, run))] if run else []
    names = [(data_dir, day, name, each) for data_dir, day, each in begun if (name := parsed(each))]
    for candidate in dict.fromkeys((stored, run)):
        found = _of_run(names, candidate)
        if found:
            return found
    known = {name.run for _, _, name, _ in names if name.run.startswith(run)}
    return _of_run(names, known.pop()) if len(known) == 1 else []


def _never() -> bool:
    return False


def list_runs(data_dirs: Iterable[str], stop: Callable[[], bool] = _never) -> Iterator[AttemptFiles]:
    """Yield every attempt, newest first; one day's files are looked at before the next day's.

    ``stop`` is asked before each file, for one who cannot wait for the end.
    """
    days: dict[str, list[tuple[str, str]]] = {}
    for data_dir, day in _days(data_dirs):
        days.setdefault(day, []).append((data_dir, day))
    for day in sorted(days, reverse=True):
        found = list(grouped(_names(days[day]), None, stop))
        yield from sorted(found, key=lambda attempt: attempt.begun_at, reverse=True)


def list_day(data_dir: str, day: str) -> list[AttemptFiles]:
    """Return the attempts of one day of one data directory, in the order of their files' names."""
    return list(grouped(_names([(data_dir, day)])))


def _of_run(names: Iterable[tuple[str, str, Name, str]], run_id: str) -> list[AttemptFiles]:
    of_it = (each for each in names if each[2].run == run_id or each[3] == run_id + SUFFIX)
    return sorted(grouped(of_it, run_id), key=lambda attempt: attempt.begun_at)


def loose_files(data_dirs: Iterable[str], since: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield data directory, day and name of each ledger file that lies there by itself, of days from ``since`` on."""
    for data_dir, day in _days(data_dirs):
        with suppress(OSError):
            names = sorted(os.listdir(os.path.join(data_dir, *RUNS, day))) if day >= since else ()
            yield from ((data_dir, day, name) for name in names if parsed(name))


class Catalogue:
    """The names of all files, listed once: finds one run's attempts again and again without another look."""

    def __init__(self, data_dirs: Iterable[str]) -> None:
        self.days: dict[str, list[str]] = {}
        """The data directories that hold something of a day, by day."""
        self._files: dict[str, list[tuple[str, str, str]]] = {}
        for data_dir, day, filename in _listed(data_dirs):
            where = self.days.setdefault(day, [])
            if not where or where[-1] != data_dir:
                where.append(data_dir)
            self._files.setdefault(_begin_of(filename), []).append((data_dir, day, filename))

    def attempts(self, run_id: str) -> list[AttemptFiles]:
        """Return the attempts of the run that is stored as ``run_id``, oldest first."""
        files = self._files.get(_begin_of(run_id + SUFFIX), ())
        return _of_run([(*each[:2], name, each[2]) for each in files if (name := parsed(each[2]))], run_id)


def _begin_of(filename: str) -> str:
    """Return what all files of a run's name have in common: an id, without what looks like a segment."""
    stem = filename.removesuffix(SUFFIX).partition("~")[0]
    head, dot, tail = stem.rpartition(".s")
    return head if dot and tail.isdigit() else stem


def _days(data_dirs: Iterable[str]) -> Iterator[tuple[str, str]]:
    for data_dir in dict.fromkeys(map(os.path.abspath, data_dirs)):
        days = set(packed_days(data_dir))
        with suppress(OSError):
            days.update(os.listdir(os.path.join(data_dir, *RUNS)))
        yield from ((data_dir, day) for day in sorted(days) if len(day) == _DAY_LENGTH)


def _listed(data_dirs: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield data directory, day and name of everything that may be a ledger file."""
    for data_dir, day in _days(data_dirs):
        for filename in _in(data_dir, day):
            if filename.endswith(SUFFIX) and not filename.startswith("."):
                yield data_dir, day, filename


def _in(data_dir: str, day: str) -> list[str]:
    """Return the names of a day's files, packed or not."""
    found = _there(data_dir, day)
    packed = names_in(data_dir, day)  # asked after: what is packed in between is not to be missed
    if packed:
        found |= packed | _there(data_dir, day)  # nor what is put back
    return sorted(found)


def _there(data_dir: str, day: str) -> set[str]:
    try:
        return set(os.listdir(os.path.join(data_dir, *RUNS, day)))
    except OSError:
        return set()


def _names(folders: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, Name, str]]:
    for data_dir, day in folders:
        for filename in _in(data_dir, day):
            name = parsed(filename)
            if name is not None:
                yield data_dir, day, name, filename


def grouped(
    names: Iterable[tuple[str, str, Name, str]], run_id: str | None = None, stop: Callable[[], bool] = _never
) -> Iterator[AttemptFiles]:
    """Put files together that share a token; ``run_id`` leaves out those that are another run's after all.

    Each of ``names`` is a data directory, a day, and a file's name in parts and as it is.
    """
    attempts: dict[tuple[str, str, str, str], dict[str, list[File]]] = {}
    days: dict[tuple[str, str], Held] = {}
    for data_dir, day, name, filename in names:
        if stop():
            return
        held = days.get((data_dir, day))
        if held is None:  # looked at after the names: what was packed in between is found
            held = days[data_dir, day] = Held(data_dir, day)
        for file in _files(data_dir, day, name, filename, held.get(filename)):
            run, token, stem, file.segment = _whose(name, os.path.basename(file.path), file.first)
            if run_id is None or run == run_id:
                attempts.setdefault((data_dir, day, run, token), {}).setdefault(stem, []).append(file)
    for (data_dir, day, run, token), stems in attempts.items():
        writers = [WriterFiles(stem, sorted(files, key=lambda file: file.segment)) for stem, files in stems.items()]
        writers.sort(key=lambda writer: (not writer.begins, writer.stem))
        yield AttemptFiles(run, token, day, data_dir, writers)


def _files(data_dir: str, day: str, name: Name, filename: str, held: Packed | None) -> Iterator[File]:
    """Yield the file of that name, as it lies there before as it lies in a pack; both where they are two attempts'.

    A run that was begun again after its file was packed has taken the name again.
    """
    folder = os.path.join(data_dir, *RUNS, day)
    path = os.path.join(folder, filename)
    if held is None:
        yield File(path, f"{day}/{filename}", name.segment, first_record(path))
        return
    packed_first = record_of(held.file.first)
    if not os.path.lexists(path):
        yield File(path, f"{day}/{filename}", name.segment, packed_first, held)
        return
    first, other = first_record(path), other_name(held.file)
    if other and first is not None and not same_begin(first, packed_first):
        yield File(path, f"{day}/{filename}", name.segment, first)
        yield File(os.path.join(folder, other), f"{day}/{other}", name.segment, packed_first, held)
    else:
        yield File(path, f"{day}/{filename}", name.segment, first, twin=held)


def same_begin(one: Record, other: Record | None) -> bool:
    """Whether two first records are one: also when a text in one of them was redacted since."""
    names = ("event", "ts", "mono_ns", "run_id", "attempt")
    return other is not None and all(getattr(one, name) == getattr(other, name) for name in names)


def _whose(name: Name, filename: str, first: Record | None) -> tuple[str, str, str, int]:
    """Return run, attempt, stem and segment of a file: as its first record says, else as its name does."""
    stem = filename[: -len(SUFFIX)]
    if first is None:
        whole = "~".join(part for part in (name.run, name.token, name.writer) if part)
        return name.run, name.token, whole, name.segment
    if first.run_id == stem:
        return first.run_id, first.attempt, stem, 1  # an id that itself ends like a segment's name
    suffix = f".s{name.segment}"
    return first.run_id, first.attempt, stem.removesuffix(suffix) if name.segment > 1 else stem, name.segment
