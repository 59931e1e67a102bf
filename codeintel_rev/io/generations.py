"""The index folder: generations that are complete or not there, one pointer to the newest, one lock.

    INDEX/current                 the name of the generation that answers
    INDEX/generations/<name>/     manifest.json catalog.duckdb bm25/ vectors.faiss
    INDEX/generations/.building-* what an unfinished run left; the next run removes it
    INDEX/vectors/                vectors by content, for every generation (vector_store.py)

A process killed at any moment leaves the old pointer, hence the old answers.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from codeintel_rev.errors import BusyError, DamagedIndexError, NotFoundError, RevError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT = 2  # the newest, and the one before for whoever is reading it
_BUILDING = ".building-"


class IndexFolder:
    """One index of one working tree. Nothing is created before the first build."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.vectors = path / "vectors"
        self._generations = path / "generations"
        self._pointer = path / "current"

    def current(self) -> Path:
        """The generation that answers; NotFoundError without one, DamagedIndexError when it is gone."""
        try:
            name = self._pointer.read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise NotFoundError(f"no index in {self.path}", "Mend: codeintel-rev index REPO") from error
        except (OSError, UnicodeDecodeError) as error:
            raise DamagedIndexError(f"{self._pointer} cannot be read: {error}", _REBUILD) from error
        folder = self._generations / name
        if not name or "/" in name or not folder.is_dir():
            raise DamagedIndexError(f"{self._pointer} names {name!r}, which is not there", _REBUILD)
        return folder

    @contextmanager
    def building(self) -> Iterator[Path]:
        """A fresh folder to build in, under the lock; on success it is published, else it is removed.

        Raises BusyError while another process builds. The lock goes with the process, however it ends.
        """
        self._create()
        with self._lock():
            self._remove_unfinished()
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
            draft = self._generations / f"{_BUILDING}{name}"
            draft.mkdir()
            try:
                yield draft
                self._publish(draft, name)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            self._remove_old()

    def _create(self) -> None:
        try:
            self._generations.mkdir(parents=True, exist_ok=True)
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="ascii")
        except OSError as error:
            what = f"no index can be written to {self.path}: {error.strerror}"
            raise RevError(what, "Mend: name another folder with --index-dir") from error

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.path / "lock").open("w", encoding="ascii") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                what = f"another process is indexing into {self.path}"
                raise BusyError(what, "Mend: wait for it; searches are answered meanwhile") from error
            yield

    def _publish(self, draft: Path, name: str) -> None:
        for path in [*draft.rglob("*"), draft]:
            _sync(path)
        draft.rename(self._generations / name)
        _sync(self._generations)
        pointer = self.path / f".current-{name}"
        pointer.write_text(f"{name}\n", encoding="ascii")
        _sync(pointer)
        pointer.replace(self._pointer)
        _sync(self.path)

    def _remove_unfinished(self) -> None:
        for left in [*self._generations.glob(f"{_BUILDING}*")]:
            shutil.rmtree(left, ignore_errors=True)
        for left in self.path.glob(".current-*"):
            left.unlink(missing_ok=True)

    def _remove_old(self) -> None:
        finished = sorted(self._generations.glob("[0-9]*"), key=lambda path: path.name)
        current = self.current()
        for old in [path for path in finished if path != current][: -(KEPT - 1)]:
            shutil.rmtree(old, ignore_errors=True)


_REBUILD = "Mend: codeintel-rev index REPO builds a new one"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
