"""Gives back ledger files out of their packs: the bytes that they were, under a descriptor."""

from __future__ import annotations

import errno
import os
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from typing import IO, Any, Final

from codeintel_obs.ledger.packs import Pack, Packed, PackedFile
from codeintel_obs.query.library import connected, duckdb

_TOGETHER: Final = 256  # files of a pack that are read at once: they lie in the same row groups
_LARGE: Final = 1_048_576  # a file of more is read alone, and not kept
_KEPT: Final = 4
_BATCH: Final = 8192

Block = dict[str, bytes]


def _nameless(file: PackedFile) -> IO[bytes]:
    """Return a new file that has no name: in memory, unless it is large."""
    if file.size <= _LARGE and hasattr(os, "memfd_create"):
        return open(os.memfd_create(file.name[:64], os.MFD_CLOEXEC), "wb")
    return tempfile.TemporaryFile()


class Unpacker:
    """Reads packs; keeps what was read last, because runs are mostly read in their order."""

    def __init__(self) -> None:
        self._con: Any = None
        self._blocks: OrderedDict[tuple[str, int], Block] = OrderedDict()
        self._order: tuple[str, dict[str, int], list[PackedFile]] = ("", {}, [])

    def open(self, held: Packed) -> int:
        """Return a descriptor of the file's bytes, with the permissions and the time that it had. Raises OSError."""
        with _nameless(held.file) as out:
            for data in self._bytes(held):
                out.write(data)
            out.flush()
            os.utime(out.fileno(), ns=(held.file.mtime_ns, held.file.mtime_ns))
            os.fchmod(out.fileno(), held.file.mode)
            os.lseek(out.fileno(), 0, os.SEEK_SET)
            return os.dup(out.fileno())

    def _bytes(self, held: Packed) -> Iterator[bytes]:
        try:
            if held.file.size > _LARGE:
                yield from self._alone(held)
            else:
                yield self._block(held).get(held.file.name, b"")
        except duckdb("reading a compacted run").Error as exc:
            raise OSError(errno.EIO, f"the pack cannot be read: {exc}", held.pack.parquet) from exc

    def _block(self, held: Packed) -> Block:
        path, at, files = self._placed(held.pack)
        number = at[held.file.name] // _TOGETHER
        block = self._blocks.get((path, number))
        if block is None:
            part = files[number * _TOGETHER : (number + 1) * _TOGETHER]
            block = self._blocks[path, number] = self._read(held.pack, part)
            if len(self._blocks) > _KEPT:
                self._blocks.popitem(last=False)
        return block

    def _placed(self, pack: Pack) -> tuple[str, dict[str, int], list[PackedFile]]:
        """Return the small files of ``pack`` in the order of its rows, and where in it each stands."""
        if self._order[0] != pack.parquet:
            files = [file for file in pack.files().values() if file.size <= _LARGE]
            self._order = (pack.parquet, {file.name: at for at, file in enumerate(files)}, files)
        return self._order

    def _read(self, pack: Pack, files: list[PackedFile]) -> Block:
        lines: dict[str, list[str]] = {file.name: [] for file in files}
        rows = self._rows(
            "SELECT file, raw FROM read_parquet($1) WHERE file BETWEEN $2 AND $3 AND list_contains($4, file)"
            " ORDER BY file, n",  # not only between: a large file may stand there
            [pack.parquet, files[0].name, files[-1].name, list(lines)],
        )
        for name, raw in rows:
            lines[name].append(raw)
        return {name: "".join(f"{line}\n" for line in told).encode() for name, told in lines.items()}

    def _alone(self, held: Packed) -> Iterator[bytes]:
        query = "SELECT n, raw FROM read_parquet($1) WHERE file = $2"  # in the order of their rows: nothing is sorted
        for at, (n, raw) in enumerate(self._rows(query, [held.pack.parquet, held.file.name]), 1):
            if n != at:
                raise OSError(errno.EIO, "the pack's rows are not in their order", held.pack.parquet)
            yield raw.encode() + b"\n"

    def _rows(self, query: str, values: list[Any]) -> Iterator[tuple[Any, ...]]:
        if self._con is None:
            self._con = connected("reading a compacted run")
        found = self._con.execute(query, values)
        while rows := found.fetchmany(_BATCH):
            yield from rows
