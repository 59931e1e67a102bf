"""The index folder: generations that are complete or not there, one pointer to the newest, one lock.

    INDEX/current                 the name of the generation that answers
    INDEX/generations/<name>/     manifest.json catalog.duckdb bm25/ vectors… keys
    INDEX/generations/.building-* what an unfinished run left; the next run removes it
    INDEX/vectors/                vectors by content, for every generation (vector_store.py)
    INDEX/underway.json           how far the running build is (underway.py); true only while the lock is held
    INDEX/lock                    held by the one process that builds; the kernel lets go of it, however that ends

A process killed at any moment leaves the old pointer, hence the old answers.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from codeintel_rev.errors import DamagedIndexError, NotFoundError, RevError
from codeintel_rev.io import build_lock
from codeintel_rev.io.underway import Underway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EARLIER_KEPT = 2  # for a rollback, and for whoever is reading one
_BUILDING = ".building-"
_INTERIM = "-interim"
_NAME = re.compile(rf"(\d{{6,}})-\d{{8}}T\d{{6}}Z(?:{_INTERIM})?")
_REBUILD = "Mend: codeintel-rev index REPO builds a new one"


@dataclass(frozen=True, slots=True)
class Generation:
    """`number` counts up; `interim`: published on the way to a better one of the same run."""

    path: Path
    number: int
    interim: bool
    current: bool


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

    def history(self) -> list[Generation]:
        """All whole generations, newest first; what an older version of this program left is not among them."""
        try:
            current = self.current().name
        except (NotFoundError, DamagedIndexError):
            current = ""
        found = [
            Generation(path, int(match[1]), path.name.endswith(_INTERIM), path.name == current)
            for path in self._generations.glob("[0-9]*")
            if (match := _NAME.fullmatch(path.name))
        ]
        return sorted(found, key=lambda generation: generation.number, reverse=True)

    def rollback(self, name: str | None = None) -> Generation:
        """Answer from that generation, without a name from the newest complete one before the current.

        NotFoundError when it is not there; BusyError while a build runs.
        """
        self.current()
        with build_lock.held(self.path):
            chosen = self._earlier() if name is None else self._named(name)
            self._point_to(chosen.path.name)
        return chosen

    def underway(self) -> Underway | None:
        """What a living process is building now, as far as it has told; None when none does."""
        return Underway.read(self.path) if build_lock.is_held(self.path) else None

    def interrupted(self) -> Underway | None:
        """How far a build came that ended without saying so; None when one runs, or the last one ended well."""
        return None if build_lock.is_held(self.path) else Underway.read(self.path)

    @contextmanager
    def building(self) -> Iterator[Build]:
        """The right to publish, for one process at a time; BusyError, with who has it, for all others."""
        self._create()
        with build_lock.held(self.path):
            self._remove_unfinished()
            yield Build(self)
            self._remove_old()

    def _earlier(self) -> Generation:
        generations = self.history()
        older = generations[[each.current for each in generations].index(True) + 1 :]
        for generation in older:
            if not generation.interim:
                return generation
        raise NotFoundError(f"no earlier generation is kept in {self.path}", "Mend: see codeintel-rev status")

    def _named(self, name: str) -> Generation:
        for generation in self.history():
            if generation.path.name == name:
                return generation
        raise NotFoundError(f"no generation {name!r} in {self.path}", "Mend: see codeintel-rev status")

    def _create(self) -> None:
        try:
            self._generations.mkdir(parents=True, exist_ok=True)
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="ascii")
        except OSError as error:
            what = f"no index can be written to {self.path}: {error.strerror}"
            raise RevError(what, "Mend: name another folder with --index-dir") from error

    def draft(self, *, interim: bool) -> Path:
        """For `Build` alone, which holds the lock."""
        number = max((each.number for each in self.history()), default=0) + 1
        name = f"{number:06}-{datetime.now(UTC):%Y%m%dT%H%M%S}Z{_INTERIM if interim else ''}"
        draft = self._generations / f"{_BUILDING}{name}"
        draft.mkdir()
        return draft

    def publish(self, draft: Path) -> Path:
        """For `Build` alone, which holds the lock."""
        for path in [*draft.rglob("*"), draft]:
            _sync(path)
        published = self._generations / draft.name.removeprefix(_BUILDING)
        draft.rename(published)
        _sync(self._generations)
        self._point_to(published.name)
        return published

    def _point_to(self, name: str) -> None:
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
        """What stays: the current one, complete ones before it, and one interim one that may still be read."""
        generations = self.history()
        others = [each for each in generations if not each.current]
        complete = [each for each in others if not each.interim][:EARLIER_KEPT]
        interim = [each for each in others if each.interim][:1]
        current = [each for each in generations if each.current]
        kept = {each.path for each in (*current, *complete, *interim)}
        for path in [*self._generations.glob("[0-9]*")]:
            if path not in kept:
                shutil.rmtree(path, ignore_errors=True)


class Build:
    """One run's right to publish, as often as it has something better."""

    def __init__(self, folder: IndexFolder) -> None:
        self.folder = folder

    @contextmanager
    def draft(self, *, interim: bool = False) -> Iterator[Path]:
        """A fresh folder to write to: published when the block ends well, else removed."""
        draft = self.folder.draft(interim=interim)
        try:
            yield draft
            self.folder.publish(draft)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
