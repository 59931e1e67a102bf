"""Reads a ledger file in bounded memory, and says of every line that is not as it was written what is wrong with it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import Final
from zlib import crc32

import msgspec

from codeintel_obs.ledger.checks import TAIL, is_whole
from codeintel_obs.ledger.order import Order
from codeintel_obs.steps import SCHEMA_VERSION, Record

CHUNK: Final = 262_144
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
    missing: tuple[int, int] | None = None

    @property
    def kind(self) -> str:
        """The kind of the problem, or empty."""
        return (self.problem or "").partition(":")[0]


class _Version(msgspec.Struct):
    v: int = 0
    n: int = 0


_UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_decode: Final = msgspec.json.Decoder(Record).decode
_decode_version: Final = msgspec.json.Decoder(_Version).decode


def read_file(path: str) -> Iterator[Line]:
    """Yield the lines of ``path`` as far as it is written now. Never raises for what a file holds, or lacks."""
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


def _read(fd: int) -> Iterator[Line]:
    order = Order()
    number = offset = 0
    decode, checksum = _decode, crc32
    for lines, whole in _blocks(fd):
        if not whole:
            yield Line(number + 1, offset, None, f"{TORN}: {len(lines[0])} bytes without an end")
            return
        for raw in lines:
            number += 1
            # The common case in place: one decode, one checksum, one comparison of numbers. That the decoded checksum
            # is this one also proves the bytes around it: there is no other way to write them in as many bytes.
            try:
                record = decode(raw)
            except _UNDECODABLE:
                record = None
            if record is None or record.crc != "%08x" % checksum(raw[:-TAIL]):  # noqa: UP031 - twice as fast as an f-string
                yield from _judged(raw, None, order, number, offset)
            elif record.n == order.expected and record.v == SCHEMA_VERSION:
                order.expected += 1
                order.damaged = 0
                yield Line(number, offset, record)
            else:
                yield from _judged(raw, record, order, number, offset)
            offset += len(raw) + 1


def _blocks(fd: int) -> Iterator[tuple[list[bytes], bool]]:
    """Yield whole lines, many at a time, and last of all what has no end; a line beyond measure comes in pieces."""
    rest = b""
    while True:
        try:
            chunk = os.read(fd, CHUNK)
        except OSError:
            break  # a bad sector: the file ends here, and what was begun is told as torn
        if not chunk:
            break
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        if len(rest) > LONGEST:
            lines.append(rest)
            rest = b""
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
        yield Line(number, offset, None, f"{verdict.problem}: {low} to {high}", verdict.missing)
    if version.v != SCHEMA_VERSION:
        yield Line(number, offset, None, f"{UNKNOWN_VERSION}: {version.v}")
    elif verdict.missing is None and verdict.problem:
        yield Line(number, offset, record, f"{verdict.problem}: number {version.n}")
    else:
        yield Line(number, offset, record)


def _version(raw: bytes) -> _Version | None:
    try:
        return _decode_version(raw)
    except _UNDECODABLE:
        return None


def last_record(path: str) -> Record | None:
    """Return the last whole record of ``path`` without reading what is before it."""
    try:
        fd = os.open(path, _READ)
    except OSError:
        return None
    try:
        size = os.fstat(fd).st_size
        tail = os.pread(fd, CHUNK, max(0, size - CHUNK))
    except OSError:
        return None
    finally:
        os.close(fd)
    for raw in reversed(tail.split(b"\n")[:-1]):
        if is_whole(raw):
            return _decoded(raw)
    return None


def first_record(path: str, within: int = 50) -> Record | None:
    """Return the first whole record of ``path`` among its first lines."""
    for line in read_file(path):
        if line.record is not None:
            return line.record
        if line.number >= within:
            break
    return None
