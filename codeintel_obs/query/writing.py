"""Writes a pack, and proves from what the disk gives back that every line of it is there, before anybody may rely on it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from typing import Any, Final, Self

from codeintel_obs.errors import CodeIntelObsError
from codeintel_obs.ledger.attempts import File
from codeintel_obs.ledger.checks import is_whole
from codeintel_obs.ledger.descriptors import lent
from codeintel_obs.ledger.packs import LIST, PARQUET, Pack, PackedFile, clear, encoded, folder_of, parts_of
from codeintel_obs.ledger.places import open_folder
from codeintel_obs.ledger.reader import Stretch, read_stretches
from codeintel_obs.query.library import connected, duckdb
from codeintel_obs.runs import new_run_id

_COLUMNS: Final = """file, n, raw->>'run_id' AS run_id, raw->>'attempt' AS attempt, raw->>'event' AS event,
    TRY_CAST(raw->>'ts' AS TIMESTAMP) AS ts, raw->>'kind' AS kind, raw->>'status' AS status, raw"""
_ROW_GROUP: Final = 4096  # rows that are unpacked to read one run
_BATCH: Final = 8192  # lines that are handed over at once: each time costs as much as a hundred lines
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class PackError(CodeIntelObsError):
    """A pack could not be written, or does not give back what was put into it: no ledger file was removed."""

    exit_code = 4


class ChangedError(Exception):
    """A ledger file is not whole, or not as it was when it was verified."""


class Draft:
    """A pack in the making: takes ledger files, and what is kept of older packs, and publishes them as one pack."""

    def __init__(self, data_dir: str, day: str) -> None:
        self.data_dir, self.day, self.stamp = data_dir, day, new_run_id()
        self.files: dict[str, PackedFile] = {}
        self.size = 0
        self._replaced: list[Pack] = []
        self._waiting: list[tuple[str, int, str]] = []
        clear(data_dir, day)
        with lent(open_folder(data_dir, *parts_of(day))):  # made, and by no link
            pass
        self._folder = folder_of(data_dir, day)
        self._work = os.path.join(self._folder, f".{self.stamp}")
        os.mkdir(self._work, 0o750)
        self._con: Any = connected("compaction", os.path.join(self._work, "spill"))
        self._con.execute("CREATE TABLE staged(file VARCHAR, n BIGINT, raw VARCHAR)")
        self._con.execute("CREATE TABLE gone(parquet VARCHAR, file VARCHAR)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._con.close()
        shutil.rmtree(self._work, ignore_errors=True)
        with suppress(OSError):
            os.rmdir(self._folder)  # nothing came of it

    def take(self, file: File) -> os.stat_result:
        """Take the lines of ``file``, to which nobody may write any more; return what it was. Raises `ChangedError`."""
        name = os.path.basename(file.path)
        before = os.lstat(file.path)
        digest, count, first, last = hashlib.sha256(), 0, b"", b""
        for lines in _sound(file):
            self._stage(name, count, lines)
            digest.update(b"\n".join(lines) + b"\n")
            first, last, count = first or lines[0], lines[-1], count + len(lines)
        if not count or not same(before, file.path):
            raise ChangedError(name)
        self.files[name] = PackedFile(
            name, count, before.st_size, digest.hexdigest(), before.st_mode & 0o7777, before.st_mtime_ns,
            first.decode(), last.decode(),
        )  # fmt: skip
        self.size += before.st_size
        return before

    def drop(self, file: File) -> None:
        """Let go of the lines of ``file`` again, of as many as were taken."""
        name = os.path.basename(file.path)
        known = self.files.pop(name, None)
        self.size -= known.size if known else 0
        self._waiting = [each for each in self._waiting if each[0] != name]
        self._con.execute("DELETE FROM staged WHERE file = $1", [name])

    def keep(self, pack: Pack, without: set[str]) -> None:
        """Take over what ``pack`` holds but for the files ``without``; the new pack replaces it."""
        kept = {name: file for name, file in pack.files().items() if name not in without}
        self.files.update(kept)
        self._replaced.append(pack)
        for name in pack.files().keys() - kept.keys():
            self._con.execute("INSERT INTO gone VALUES ($1, $2)", [pack.parquet, name])

    def publish(self) -> None:
        """Write the pack, prove it, and let it be found; then remove those that it replaces. Raises `PackError`."""
        made = os.path.join(self._work, "lines")
        try:
            self._write(made)
            os.chmod(made, 0o440)
            _flush(made)
            prove(made, self.files, self._con)
            self._list(made)
        except (OSError, duckdb("compaction").Error) as exc:
            raise PackError(f"{self._folder}: the pack cannot be written ({exc}); no ledger file was removed") from exc
        clear(self.data_dir, self.day)

    def _stage(self, name: str, count: int, lines: list[bytes]) -> None:
        try:
            self._waiting += [(name, n, line.decode()) for n, line in enumerate(lines, count + 1)]
        except UnicodeDecodeError as exc:
            raise ChangedError(name) from exc
        if len(self._waiting) >= _BATCH:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._waiting:
            columns = [list(column) for column in zip(*self._waiting, strict=True)]
            try:
                self._con.execute("INSERT INTO staged SELECT unnest($1), unnest($2), unnest($3)", columns)
            except duckdb("compaction").Error as exc:  # no room for what memory does not hold
                raise PackError(f"{self._folder}: lines cannot be held ({exc}); no ledger file was removed") from exc
            self._waiting = []

    def _write(self, path: str) -> None:
        self._hand_over()
        sources = ["SELECT file, n, raw FROM staged"]
        for pack in self._replaced:
            quoted = text(pack.parquet)
            sources.append(
                f"SELECT file, n, raw FROM read_parquet({quoted}) WHERE file NOT IN"
                f" (SELECT file FROM gone WHERE parquet = {quoted})"
            )
        self._con.execute(
            f"COPY (SELECT {_COLUMNS} FROM ({' UNION ALL '.join(sources)}) ORDER BY file, n) TO {text(path)}"
            f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})"
        )

    def _list(self, made: str) -> None:
        """Publish: first the lines, then the list, which makes them count; each on the disk before the next."""
        files = [self.files[name] for name in sorted(self.files)]
        about = os.path.join(self._work, "list")
        size = os.lstat(made).st_size
        with open(os.open(about, _NEW, 0o440), "wb") as out:
            out.write(encoded(self.day, size, files, [pack.stamp for pack in self._replaced]))
            out.flush()
            os.fsync(out.fileno())
        for made_as, suffix in ((made, PARQUET), (about, LIST)):
            os.rename(made_as, os.path.join(self._folder, self.stamp + suffix))
            _flush(self._folder)
        _flush(os.path.dirname(self._folder))
        _flush(os.path.dirname(os.path.dirname(self._folder)))


def prove(parquet: str, files: dict[str, PackedFile], con: Any) -> None:
    """Read ``parquet`` back: every line whole, and each file byte for byte what it was. Raises `PackError`."""
    missing = dict(files)
    for name, rows in groupby(_rows(con, parquet), key=lambda row: str(row[0])):
        file, digest, count = missing.pop(name, None), hashlib.sha256(), 0
        for count, (_, n, raw) in enumerate(rows, 1):
            line = raw.encode()
            digest.update(line + b"\n")
            if n != count or not is_whole(line):
                raise PackError(f"{parquet}: line {n} of {name} is not as it was; no ledger file was removed")
        if file is None or (count, digest.hexdigest()) != (file.lines, file.sha256):
            raise PackError(f"{parquet}: {name} is not as it was; no ledger file was removed")
    if missing:
        raise PackError(f"{parquet}: {len(missing)} files are not there; no ledger file was removed")


def _rows(con: Any, parquet: str) -> Iterator[tuple[str, int, str]]:
    found = con.execute(f"SELECT file, n, raw FROM read_parquet({text(parquet)})")
    while rows := found.fetchmany(_BATCH):
        yield from rows


def _sound(file: File) -> Iterator[list[bytes]]:
    for found in read_stretches(file.path):
        if not isinstance(found, Stretch):
            raise ChangedError(file.place)
        yield found.lines


def same(before: os.stat_result, path: str) -> bool:
    """Whether ``path`` is still the very file that it was, not written to since."""
    now = os.lstat(path)
    return (before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns,
    )  # fmt: skip


def _flush(path: str) -> None:
    """Have the disk keep ``path``, and what is read next of it come from there."""
    fd = os.open(path, _READ)
    try:
        os.fsync(fd)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def text(value: str) -> str:
    """Return ``value`` as a text of SQL: where a statement takes no parameter."""
    return "'" + value.replace("'", "''") + "'"
