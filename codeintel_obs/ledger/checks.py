"""The checksum that ends every line: compared as text, because half of all bit flips leave a line valid JSON."""

from __future__ import annotations

from typing import Final
from zlib import crc32

TAIL: Final = 18
"""Bytes of ``,"crc":"xxxxxxxx"}``, which end every line."""


def is_whole(line: bytes) -> bool:
    """Whether ``line``, without its newline, ends in the checksum of everything before it."""
    return b',"crc":"%08x"}' % crc32(line[:-TAIL]) == line[-TAIL:]
