"""Reads a ledger file in bounded memory, and says of every line that is not as it was written what is wrong with it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import Final

import msgspec

from codeintel_obs.ledger.checks import is_whole, sums
from codeintel_obs.ledger.order import Order
from codeintel_obs.steps import SCHEMA_VERSION, Record

BLOCK: Final = 65_536  # stays in a processor's own cache between the checksum and the decode
END: Final = 262_144  # of a file's begin or end, where one record is looked for: several of the longest
LONGEST: Final = 1_048_576
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

BAD_CRC: Final = "bad crc"
TORN: Final = "torn tail"
UNPARSABLE: Final = "unparsable"
UNKNOWN_VERSION: Final = "unknown version"
UNREADABLE: Final = "unreadable"


class Line(msgspec.Struct, gc=False):
    """One line: its number in the file from 1, where it begins, and its record or what is wrong with it.

    ``problem`` begins with one of the kinds above, or of `codeintel_obs.ledger.order`, and a colon. A gap is told
    before the line that follows it, with ``missing``. A record out of its order is there, and so is the problem.
    """

    number: int
    offset: int
    record: Record | None
    problem: str | None = None
    raw: bytes = b""
    """Its bytes, where it has a record."""
    missing: tuple[int, int] | None = None

    @property
    def kind(self) -> str:
        """The kind of the problem, or empty."""
        return (self.problem or "").partition(":")[0]


class Stretch(msgspec.Struct, gc=False):
    """Whole lines in a row, each with its record and the next number: nearly all of every file, judged many at a time.

    ``number`` and ``offset`` are the first line's.
    """

    number: int
    offset: int
    lines: list[bytes]
    records: list[Record]


class _Version(msgspec.Struct):
    v: int = 0
    n: int = 0


_UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_decode: Final = msgspec.json.Decoder(Record).decode
_decode_version: Final = msgspec.json.Decoder(_Version).decode


def read_file(path: str) -> Iterator[Line]:
    """Yield the lines of ``path`` as far as it is written now. Never raises for what a file holds, or lacks."""
    for found in read_stretches(path):
        if isinstance(found, Line):
            yield found
        else:
            yield from _lines_of(found)


def read_stretches(path: str) -> Iterator[Stretch | Line]:
    """Yield the same as `read_file`, but sound lines in a row together: for who reads a million of them."""
    try:
        fd = os.open(path, _READ)
    except OSError as exc:
        yield Line(0, 0, None, f"{UNREADABLE}: {errno.errorcode.get(exc.errno or 0, 'OSError')}")
        return
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            yield from _read(fd)
        else:
            yield Line(0, 0, None, f"{UNREADABLE}: not a regular file")
    finally:
        os.close(fd)


def read_marked(path: str, mark: bytes) -> Iterator[Record]:
    """Yield the whole records of the lines of ``path`` that hold ``mark``, and the first of each block.

    Of a large file hardly a line is decoded. Who looks for what was written before a time may stop at a block after it.
    """
    try:
        fd = os.open(path, _READ)
    except OSError:
        return
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            for lines, ended in _blocks(fd):
                for index, raw in enumerate(lines):
                    record = _decoded(raw) if ended and (not index or mark in raw) and is_whole(raw) else None
                    if record is not None and record.v == SCHEMA_VERSION:
                        yield record
    finally:
        os.close(fd)


def _lines_of(stretch: Stretch) -> Iterator[Line]:
    offset = stretch.offset
    for number, (raw, record) in enumerate(zip(stretch.lines, stretch.records, strict=True), stretch.number):
        yield Line(number, offset, record, raw=raw)
        offset += len(raw) + 1


def _read(fd: int) -> Iterator[Stretch | Line]:
    order = Order()
    number, offset = 1, 0
    for lines, ended in _blocks(fd):
        if not ended:
            yield Line(number, offset, None, f"{TORN}: {len(lines[0])} bytes without an end")
            return
        records = _records(lines, order.expected)
        if records is not None:
            order.expected += len(records)
            order.damaged = 0
            yield Stretch(number, offset, lines, records)
        else:
            yield from _one_by_one(lines, order, number, offset)
        number += len(lines)
        offset += sum(map(len, lines)) + len(lines)


def _records(lines: list[bytes], expected: int) -> list[Record] | None:
    """Return the records of ``lines`` when all are whole and number on from ``expected``, else None."""
    try:
        records = list(map(_decode, lines))
    except _UNDECODABLE:
        return None
    # That the decoded checksum is this one also proves the bytes around it: in as many bytes there is no other way to
    # write them.
    whole = "".join([record.crc or "" for record in records]) == sums(lines)
    if whole and [record.n for record in records] == list(range(expected, expected + len(records))):
        return records if all([record.v == SCHEMA_VERSION for record in records]) else None  # noqa: C419 - faster so
    return None


def _one_by_one(lines: list[bytes], order: Order, number: int, offset: int) -> Iterator[Line]:
    for raw in lines:
        record = _decoded(raw) if is_whole(raw) else None
        yield from _judged(raw, record, order, number, offset)
        number += 1
        offset += len(raw) + 1


def _blocks(fd: int) -> Iterator[tuple[list[bytes], bool]]:
    """Yield whole lines, many at a time, and last of all what has no end; a line beyond measure comes in pieces."""
    rest = b""
    while True:
        try:
            chunk = os.read(fd, BLOCK)
        except OSError:
            break  # a bad sector: the file ends here, and what was begun is told as torn
        if not chunk:
            break
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if len(rest) > LONGEST:
            lines.append(rest)
            rest = b""
        if lines:
            yield lines, True
    if rest:
        yield [rest], False


def _decoded(raw: bytes) -> Record | None:
    try:
        return _decode(raw)
    except _UNDECODABLE:
        return None


def _judged(raw: bytes, record: Record | None, order: Order, number: int, offset: int) -> Iterator[Line]:
    """Yield what there is to say of a line that is not simply the next one; ``record`` is None unless it is whole."""
    if not is_whole(raw):
        order.damaged += 1
        yield Line(number, offset, None, f"{BAD_CRC}: {len(raw)} bytes that are not as they were written")
        return
    version = _version(raw)
    if version is None or (record is None and version.v == SCHEMA_VERSION):
        order.damaged += 1
        yield Line(number, offset, None, f"{UNPARSABLE}: whole by its checksum, but no record of this schema")
        return
    verdict = order.place(version.n)
    if verdict.missing is not None:
        low, high = verdict.missing
        yield Line(number, offset, None, f"{verdict.problem}: {low} to {high}", missing=verdict.missing)
    if version.v != SCHEMA_VERSION:
        yield Line(number, offset, None, f"{UNKNOWN_VERSION}: {version.v}")
    elif verdict.missing is None and verdict.problem:
        yield Line(number, offset, record, f"{verdict.problem}: number {version.n}", raw)
    else:
        yield Line(number, offset, record, raw=raw)


def _version(raw: bytes) -> _Version | None:
    try:
        return _decode_version(raw)
    except _UNDECODABLE:
        return None


def last_record(path: str) -> Record | None:
    """Return the last whole record of ``path`` without reading what is before it."""
    lines = _end_of(path, first=False)
    return next((_decoded(raw) for raw in reversed(lines) if is_whole(raw)), None)


def first_record(path: str, within: int = 50) -> Record | None:
    """Return the first whole record of ``path`` among its first lines."""
    for raw in _end_of(path, first=True)[:within]:
        record = _decoded(raw) if is_whole(raw) else None
        if record is not None and record.v == SCHEMA_VERSION:
            return record
    return None


def _end_of(path: str, *, first: bool) -> list[bytes]:
    """Return the lines that have an end, of the first or last bytes of a file; none when it cannot be read."""
    try:
        fd = os.open(path, _READ)
    except OSError:
        return []
    try:
        found = os.fstat(fd)
        at = 0 if first else max(0, found.st_size - END)
        return os.pread(fd, END, at).split(b"\n")[:-1] if stat.S_ISREG(found.st_mode) else []
    except OSError:
        return []
    finally:
        os.close(fd)
