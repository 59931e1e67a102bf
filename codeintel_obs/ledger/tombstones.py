"""What is left of a run that was removed: which, when and why, so that a reader can say *pruned* and not *never was*.

A pass that removes anything writes one file of its own, in the ledger's own format, before it removes. Nothing of what
the run did is in it, and no session: a deletion that was asked for must not be undone by its own record.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from codeintel_obs.ledger.descriptors import lent
from codeintel_obs.ledger.encoding import ids_of, line, own
from codeintel_obs.ledger.places import SUFFIX, open_folder
from codeintel_obs.ledger.reader import read_file
from codeintel_obs.runs import accept_id, new_run_id

PRUNED: Final = ("telemetry", "pruned")
KEPT_S: Final = 400 * 86_400
"""Tombstones older than this are removed by a later pass."""
_NEXT: Final = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_FIRST: Final = _NEXT | os.O_CREAT  # its name is ours alone; a first try that failed left it empty


class Tombstone(NamedTuple):
    """One attempt that was removed; ``ts`` is when, ``reason`` is ``age``, ``bytes``, ``count``, ``free`` or ``asked``."""

    run_id: str
    attempt: str
    day: str
    reason: str
    files: int
    size: int
    ts: str = ""


class Tombstones:
    """The tombstones of one pass: on the disk when `add` returns. The file begins with the first of them."""

    def __init__(self, data_dir: str) -> None:
        self._data_dir = data_dir
        self._name = f"{new_run_id()}{SUFFIX}"
        self._n = 0

    def add(self, stones: Iterable[Tombstone]) -> None:
        """Write ``stones`` and have the disk keep them. Raises OSError: then the file is as it was before."""
        lines = []
        for n, stone in enumerate(stones, self._n + 1):
            told = {name: getattr(stone, name) for name in ("day", "reason", "files", "size")}
            lines.append(line(n, own("pruned", ids_of(stone.run_id, stone.attempt, None), told)))
        with lent(open_folder(self._data_dir, *PRUNED)) as folder:
            with lent(os.open(self._name, _FIRST if not self._n else _NEXT, 0o640, dir_fd=folder)) as fd:
                size = os.fstat(fd).st_size
                try:
                    _write(fd, b"".join(lines))
                    os.fdatasync(fd)
                except OSError:
                    os.ftruncate(fd, size)
                    raise
            os.fsync(folder)
        self._n += len(lines)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def pruned(data_dir: str, run_id: str) -> list[Tombstone]:
    """Return the tombstones of ``run_id`` (hostile input, mapped like any), oldest first; none when it was not pruned.

    They speak of attempts that were removed: one that is still there, or was begun again since, is found as ever.
    """
    stored, _ = accept_id(run_id)
    return [stone for stone in _read(data_dir, stored) if stone.run_id == stored]


def tombstones(data_dir: str) -> Iterator[Tombstone]:
    """Yield every tombstone, oldest pass first."""
    return _read(data_dir, "")


def forget_old(data_dir: str, now: float) -> None:
    """Remove files of tombstones that are older than `KEPT_S`."""
    for path in _paths(data_dir):
        with suppress(OSError):
            if os.lstat(path).st_mtime < now - KEPT_S:
                os.unlink(path)


def _paths(data_dir: str) -> list[str]:
    folder = os.path.join(data_dir, *PRUNED)
    try:
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(SUFFIX)]
    except OSError:
        return []


def _read(data_dir: str, run_id: str) -> Iterator[Tombstone]:
    for path in _paths(data_dir):
        if run_id and not _mentions(path, run_id.encode()):
            continue
        for found in read_file(path):
            record = found.record
            if record is not None and record.event == "pruned":
                told = record.payload or {}
                words = [str(told.get(name, "")) for name in ("day", "reason")]
                counts = [told[name] if isinstance(told.get(name), int) else 0 for name in ("files", "size")]
                yield Tombstone(record.run_id, record.attempt, words[0], words[1], counts[0], counts[1], record.ts)


def _mentions(path: str, run_id: bytes) -> bool:
    """Whether the file holds these bytes: a year of them is searched before one of them is decoded."""
    try:
        with open(path, "rb", opener=_opener) as file:
            return run_id in file.read()
    except OSError:
        return False


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
