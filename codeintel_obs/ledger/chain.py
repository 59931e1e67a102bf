"""The hash chain of a ledger file: each record names, as ``prev``, the SHA-256 of the line before it.

A file's first line has none before it. It names its anchor instead: the hash of the file's name, the attempt's token and,
in a segment that follows another, the hash of the last line that was counted there. So the files of one writer are one
chain, and a file under another name is not taken for it. The hash of a closing record is the file's *root*: it stands for
every byte before it, and whoever keeps it elsewhere knows whether they are still the same.

The whole digest is kept, and not a part of it: who can choose what an application records must not be able to prepare
two lines of one hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from zlib import crc32

from codeintel_obs.ledger.checks import TAIL

if TYPE_CHECKING:
    from codeintel_obs.ledger.attempts import File
    from codeintel_obs.ledger.begin import FirstLines
    from codeintel_obs.steps import Record

BROKEN: Final = "chain broken"
LINK: Final = len(',"prev":""') + 64
"""Bytes of a record's ``prev``, which stands right before its checksum."""
_DOMAIN: Final = "codeintel-obs ledger chain 1"


def digest(line: bytes) -> str:
    """Return the hash by which the next record names ``line``, which is given without its newline."""
    return sha256(line).hexdigest()


def anchor(name: str, attempt: str, before: str = "") -> str:
    """Return what the first line of the file ``name`` names; ``before`` is the hash where its predecessor was left."""
    return digest(f"{_DOMAIN}\n{name}\n{attempt}\n{before}".encode())


def linked(tail: bytes, head: str) -> bytes:
    """Return an encoder's ``tail``, or a line without its checksum and brace, with the hash ``head`` as its ``prev``."""
    return b'%b,"prev":"%b"' % (tail, head.encode())


def sealed(content: bytes, head: str) -> tuple[bytes, str]:
    """Return whole lines without a chain as lines that are chained from ``head`` on, and the hash of the last."""
    lines = []
    for each in content.split(b"\n")[:-1]:
        made = linked(each[:-TAIL], head)
        made += b',"crc":"%08x"}' % crc32(made)
        head = digest(made)
        lines.append(made + b"\n")
    return b"".join(lines), head


def left(file: File | None) -> tuple[str | None, int | None]:
    """Return the predecessor that the first record of ``file`` names, and the last line that was counted there."""
    payload = (file.first.payload if file is not None and file.first is not None else None) or {}
    name, last_n = payload.get("predecessor"), payload.get("last_n")
    return (name, last_n) if isinstance(name, str) and isinstance(last_n, int) else (None, None)


class ChainedWords:
    """The first lines of a file, chained as soon as its name is known; ``head`` is then the hash of the last of them."""

    def __init__(self, words: FirstLines, attempt: str, before: str = "") -> None:
        self._words = words
        self._attempt, self._before = attempt, before
        self.head = ""

    def beginning(self) -> bytes:
        """Return the lines of the file that begins the attempt."""
        return self._words.beginning()

    def joining(self, writer: str) -> bytes:
        """Return the lines of one that joins it, or goes on where a segment was left."""
        return self._words.joining(writer)

    def sealed(self, content: bytes, name: str) -> bytes:
        """Return ``content`` as it is written into the file ``name``."""
        made, self.head = sealed(content, anchor(name, self._attempt, self._before))
        return made


class Chain:
    """Follows the chain of one file as it is read. ``head`` is the hash of the last line, None where that is damaged.

    ``is_there`` is None until the first record says whether the file is chained at all. ``counted`` is the last line
    that the next segment names: ``left_at`` is the hash there.
    """

    def __init__(self, first: str | None, counted: int | None = None) -> None:
        self.head = first
        self.is_there: bool | None = None
        self.counted = counted
        self.left_at: str | None = None

    def interrupted(self) -> None:
        """Take note of damage, which is told already: what the next record should name is not known."""
        self.head = None

    def broken(self, lines: list[bytes], records: list[Record]) -> Iterator[int]:
        """Take the next lines of the file, and yield the numbers of those that do not follow the one before."""
        if self.is_there is None:
            self.is_there = records[0].prev is not None
        if not self.is_there:
            yield from (record.n for record in records if record.prev is not None)
            return
        head = self.head
        for line, record in zip(lines, records, strict=True):
            if record.prev != head and (head is not None or record.prev is None):
                yield record.n
            head = digest(line)
            if record.n == self.counted:
                self.left_at = head
        self.head = head
