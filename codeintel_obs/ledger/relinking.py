"""Makes the chain of files anew whose lines were changed on purpose: a link that was broken before stays broken."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from zlib import crc32

import msgspec

from codeintel_obs.ledger.chain import LINK, anchor, digest, left, linked
from codeintel_obs.ledger.checks import TAIL, is_whole

if TYPE_CHECKING:
    from codeintel_obs.ledger.attempts import File


class _Linked(msgspec.Struct):
    n: int = 0
    prev: str | None = None


_UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_decode: Final = msgspec.json.Decoder(_Linked).decode


class Relinking:
    """The files of one writer, in their order. ``before`` and ``after`` are the hashes of the last line, then and now.

    ``is_there`` is whether a record of the file at hand is chained.
    """

    def __init__(self) -> None:
        self._left: dict[str, tuple[str, str]] = {}
        self._name = ""
        self._counted: int | None = None
        self.before: str | None = None
        self.after: str | None = None
        self.is_there = False

    def begin(self, file: File, following: File | None) -> None:
        """Begin with ``file``, which ``following`` goes on from."""
        self._name, self._counted = os.path.basename(file.path), left(following)[1]
        self.is_there = False
        predecessor, _ = left(file)
        hashes = self._left.get(predecessor) if predecessor else ("", "")
        token = file.first.attempt if file.first is not None else ""
        self.before, self.after = (anchor(self._name, token, each) for each in hashes) if hashes else (None, None)

    def line(self, raw: bytes, made: bytes) -> bytes:
        """Return ``made``, which stands in the place of ``raw``, with the link that it has now. Both end in a newline."""
        record = _read(raw)
        if record is None:
            self.before = self.after = None
            return made
        self.is_there = self.is_there or record.prev is not None
        if record.prev is not None and record.prev == self.before and self.after is not None:
            made = linked(made[: -TAIL - LINK - 1], self.after)
            made += b',"crc":"%08x"}\n' % crc32(made)
        self.before, self.after = digest(raw[:-1]), digest(made[:-1])
        if record.n == self._counted:
            self._left[self._name] = (self.before, self.after)
        return made


def _read(raw: bytes) -> _Linked | None:
    try:
        return _decode(raw) if raw.endswith(b"\n") and is_whole(raw[:-1]) else None
    except _UNDECODABLE:
        return None
