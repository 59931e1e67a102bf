"""Proves whether a ledger holds what its writers wrote, and cites the place of everything that it does not."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from codeintel_obs.ledger.attempts import AttemptFiles, File, WriterFiles
from codeintel_obs.ledger.chain import BROKEN, Chain, anchor, left
from codeintel_obs.ledger.manifest import is_alive, locate
from codeintel_obs.ledger.order import DUPLICATE, GAP
from codeintel_obs.ledger.reader import BAD_CRC, TORN, UNPARSABLE, Line, Stretch, read_stretches
from codeintel_obs.report_model import IntegrityFacts
from codeintel_obs.steps import Record

CITED: Final = 1000
"""How many places are cited of one sort; the counts go on."""

OPEN: Final = "open"
UNKNOWN: Final = "liveness unknown"
DROPPED: Final = "dropped"
SPANS: Final = "spans"
_BROKEN: Final = f"{BROKEN}: the record does not name what stands before it now"


class Problem(msgspec.Struct):
    """One thing that is wrong: its kind, where, and in words."""

    kind: str
    evidence: str
    message: str


class Integrity(msgspec.Struct):
    """What was found. ``complete`` is None when only the liveness of a writer stands in the way of knowing it."""

    complete: bool | None = True
    files: int = 0
    records: int = 0
    gaps: list[str] = []
    bad_crc: list[str] = []
    torn_tail: list[str] = []
    duplicates: list[str] = []
    dropped: int = 0
    problems: list[Problem] = []
    counts: dict[str, int] = {}
    open: list[str] = []
    """Files that a living process still writes."""
    roots: dict[str, str] = {}
    """The root of each chained file that its closing record ends, by place."""

    def facts(self) -> IntegrityFacts:
        """Return what a Run Report says of it."""
        return IntegrityFacts(
            complete=self.complete,
            files=self.files,
            records=self.records,
            gaps=self.gaps,
            bad_crc=self.bad_crc,
            torn_tail=self.torn_tail,
            duplicates=self.duplicates,
            dropped=self.dropped,
        )


def verify(attempt: AttemptFiles) -> Integrity:
    """Read every file of ``attempt`` and return what was found."""
    verifier = Verifier(attempt)
    for _ in verifier.entries():
        pass
    return verifier.integrity


class _Seen:
    """What was seen of one file."""

    def __init__(self, file: File, chain: Chain) -> None:
        self.file = file
        self.chain = chain
        self.lines = 0
        self.highest = 0
        self.last: Record | None = None
        self.first: Record | None = None
        self.torn: str | None = None
        self.mode = 0

    def take(self, records: list[Record]) -> None:
        """Take the next records of the file: several only where they are in their order."""
        self.lines += len(records)
        self.highest = max(self.highest, records[-1].n)
        self.first = self.first or records[0]
        self.last = records[-1]

    @property
    def closes(self) -> bool:
        """Whether its last record closes it."""
        if self.last is None or self.torn:
            return False
        payload = self.last.payload or {}
        return self.last.event == "writer.end" or (self.last.event == "run.end" and not payload.get("open"))

    @property
    def is_marked_closed(self) -> bool:
        """Whether its writer took the write permission away, which it does after the closing record."""
        return self.mode != 0 and not self.mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)


class Verifier:
    """One pass over an attempt: yields its records and, at the end, knows its integrity."""

    def __init__(self, attempt: AttemptFiles) -> None:
        self.attempt = attempt
        self.integrity = Integrity()
        self.alive: dict[str, bool | None] = {}
        """Whether the writers' processes lived when their files were read, by the names of their manifests."""
        self._counts: Counter[str] = Counter()
        self._unknown = False
        self._damaged = False

    def entries(self) -> Iterator[tuple[str, Record]]:
        """Yield every record with its place; ``integrity`` is whole when this is exhausted."""
        begun = False
        for writer in self.attempt.writers:
            # Asked before the files are read: of one who is gone, all that there will ever be is read then.
            alive = self._alive(writer)
            counts = self._counts.total()
            seen: list[_Seen] = []
            for file, following in zip(writer.segments, [*writer.segments[1:], None], strict=True):
                seen.append(_Seen(file, _chain_of(file, following, seen)))
                for records in self._file(seen[-1]):
                    for record in records:
                        yield file.place, record
            begun = begun or any(each.first is not None and each.first.event == "run.begin" for each in seen)
            self._segments(seen)
            self._writer(seen, alive, clean=counts == self._counts.total())
        if not begun:
            place = f"{self.attempt.day}/{self.attempt.run_id}.jsonl:1"
            self._tell(GAP, place, "no file holds the begin of the attempt")
        self._conclude()

    def _alive(self, writer: WriterFiles) -> bool | None:
        name = writer.manifest
        path = locate(self.attempt.data_dir, name) if name else None
        alive = is_alive(path) if path else None
        if name:
            self.alive[name] = alive
        return alive

    def _file(self, seen: _Seen) -> Iterator[list[Record]]:
        self.integrity.files += 1
        # Before it is read: a file that is closed now may have been open when its last line was looked for.
        seen.mode = _mode(seen.file.path)
        for found in read_stretches(seen.file.path):
            if isinstance(found, Stretch):
                lines, records = found.lines, found.records
            else:
                if found.problem is not None:
                    self._line(found, seen)
                    seen.chain.interrupted()
                lines, records = ([found.raw], [found.record]) if found.record is not None else ([], [])
            if records:
                seen.take(records)
                for n in seen.chain.broken(lines, records):
                    self._tell(BROKEN, f"{seen.file.place}:{n}", _BROKEN)
                for drop in [record for record in records if record.event == "drop"]:
                    self._drop(drop, seen.file.place)
                yield records
        self.integrity.records += seen.lines

    def _line(self, line: Line, seen: _Seen) -> None:
        place = f"{seen.file.place}:{line.number}"
        if line.kind == TORN:
            seen.torn = place
        elif line.missing is not None:
            low, high = line.missing
            span = f"{low}" if low == high else f"{low}-{high}"
            self._tell(GAP, f"{seen.file.place}:{span}", line.problem or "")
        else:
            self._tell(line.kind, place, line.problem or "")

    def _drop(self, record: Record, place: str) -> None:
        payload = record.payload or {}
        if payload.get("sink") or payload.get("what") == SPANS:
            return  # not lost here: a stranger's sink was too slow, or spans of others reached their declared limit
        count = payload.get("count")
        self.integrity.dropped += count if isinstance(count, int) else 1
        self._tell(DROPPED, f"{place}:{record.n}", f"{count} records could not be written: {payload.get('reason')}")

    def _tell(self, kind: str, place: str, message: str) -> None:
        self._damaged = True
        self._note(kind, place, message)

    def _note(self, kind: str, place: str, message: str) -> None:
        self._counts[kind] += 1
        if self._counts[kind] > CITED:
            return
        self.integrity.problems.append(Problem(kind, place, message))
        found = self.integrity
        lists = {GAP: found.gaps, BAD_CRC: found.bad_crc, UNPARSABLE: found.bad_crc, TORN: found.torn_tail}
        lists[DUPLICATE] = found.duplicates
        if kind in lists:
            lists[kind].append(place)

    # -- one writer's files -------------------------------------------------------------------------------------------

    def _writer(self, seen: list[_Seen], alive: bool | None, *, clean: bool) -> None:
        last = seen[-1]
        place = f"{last.file.place}:{last.highest}"
        for each in seen:
            if each.torn and (each is not last or not alive or each.is_marked_closed):
                self._note(TORN, each.torn, "the last line has no end")
            if each.is_marked_closed and not each.closes:
                missing = f"{each.file.place}:{each.highest + 1}"
                self._tell(GAP, missing, "the file was closed, and its closing record is gone")
        self._roots(seen)
        if last.closes:
            if clean:
                self._total(seen, place)
        elif alive:
            self.integrity.open.append(last.file.place)
            self._note(OPEN, place, "still being written")
        elif alive is None:
            self._unknown = True
            self._note(UNKNOWN, place, "not closed, and whether its writer lives is unknown")

    def _roots(self, seen: list[_Seen]) -> None:
        """Note the roots of one writer's files, which are one chain, or none."""
        chained = [each for each in seen if each.chain.is_there]
        for each in seen if chained else []:
            chain = each.chain
            if chain.is_there is False:
                self._tell(BROKEN, f"{each.file.place}:1", f"{BROKEN}: another segment of this writer has a chain")
            if chain.counted is not None and each.highest > chain.counted:
                place = f"{each.file.place}:{chain.counted + 1}"
                self._tell(BROKEN, place, f"{BROKEN}: the next segment names {chain.counted} as the last line here")
            if each.closes and chain.head is not None:
                self.integrity.roots[each.file.place] = chain.head

    def _segments(self, seen: list[_Seen]) -> None:
        """Check that every segment's predecessor is there, as far as the segment says that it went."""
        by_name = {os.path.basename(each.file.path): each for each in seen}
        for index, each in enumerate(seen):
            payload = (each.first.payload if each.first else None) or {}
            name, last_n = payload.get("predecessor"), payload.get("last_n")
            if not isinstance(name, str):
                if index and each.first is not None:
                    self._tell(GAP, f"{each.file.place}:1", f"segment {each.file.segment} names no predecessor")
                continue
            place = f"{self.attempt.day}/{name}"
            before = by_name.get(name)
            if before is None:
                if payload.get("reason") != "deleted":  # else a drop record counts what was in it
                    self._tell(GAP, f"{place}:1-{last_n}", "the segment is missing")
            elif isinstance(last_n, int) and before.highest < last_n:
                self._tell(GAP, f"{place}:{before.highest + 1}-{last_n}", "lines at the segment's end are missing")

    def _total(self, seen: list[_Seen], place: str) -> None:
        """Compare the closing record's count with what was read, where no finer finding tells of it."""
        last = seen[-1].last
        records = ((last.payload if last else None) or {}).get("records")
        lines = sum(each.lines for each in seen)
        if isinstance(records, int) and lines < records:
            self._tell(GAP, place, f"{records} records were written, {lines} are here")

    def _conclude(self) -> None:
        found = self.integrity
        found.counts = dict(self._counts)
        if self._damaged or found.open:
            found.complete = False
        elif self._unknown:
            found.complete = None


def _chain_of(file: File, following: File | None, before: list[_Seen]) -> Chain:
    """Return what follows the chain of ``file``; its anchor is not known where its predecessor is not there."""
    first = file.first
    predecessor, _ = left(file)
    name, (following_name, counted) = os.path.basename(file.path), left(following)
    counted = counted if following_name == name else None
    left_at = next((each.chain.left_at for each in before if os.path.basename(each.file.path) == predecessor), None)
    if first is None or first.n != 1 or (predecessor and left_at is None):
        return Chain(None, counted)
    return Chain(anchor(name, first.attempt, left_at or ""), counted)


def _mode(path: str) -> int:
    try:
        return stat.S_IMODE(os.lstat(path).st_mode)
    except OSError:
        return 0
