"""Vectors by content: what was embedded once is never embedded again, on whatever branch it turns up.

Append-only segments of one model each, written whole or not at all, so a killed run keeps what it had saved.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

KEY_BYTES = 32
SEGMENTS = 16  # more are merged into one
SPARE = 20_000  # vectors that no generation uses but a branch may; some 30 MiB


@dataclass(frozen=True, slots=True)
class _Segment:
    model: str
    keys: list[bytes]
    vectors: NDArray[np.float32]


class VectorStore:
    """Of one model. One writer at a time (the index folder's lock); whoever wants may read meanwhile."""

    def __init__(self, folder: Path, model: str, dim: int) -> None:
        self._folder = folder
        self._model = model
        self._dim = dim
        self._vectors: dict[bytes, NDArray[np.float32]] = {}
        for path in self._own():
            self._take(path)

    def __contains__(self, key: bytes) -> bool:
        return key in self._vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def stacked(self, keys: Sequence[bytes]) -> NDArray[np.float32]:
        """[n, dim] in the order of the keys; KeyError for one that was never added."""
        return np.array([self._vectors[key] for key in keys], np.float32).reshape(-1, self._dim)

    def add(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Saved when this returns."""
        if not keys:
            return
        self._write(keys, vectors)
        self._vectors.update(zip(keys, vectors, strict=True))

    def borrow(self, wanted: Iterable[bytes], folder: Path) -> int:
        """Copy what another store has of these: a new worktree embeds nothing that its sibling has. How many it was."""
        other = VectorStore(folder, self._model, self._dim)
        found = [key for key in dict.fromkeys(wanted) if key not in self and key in other]
        self.add(found, other.stacked(found))
        return len(found)

    def tidy(self, used: Iterable[bytes], models: Iterable[str]) -> None:
        """Bound what is stored, and the number of segments.

        All vectors of `used` stay; of the others, of this model and of those not in `models`, the newest few.
        """
        self._remove_drafts()
        self._tidy_others({_prefix(model) for model in models})
        segments, live = self._own(), frozenset(used)
        spare = [key for key in self._vectors if key not in live]
        if len(segments) <= SEGMENTS and len(spare) <= SPARE:
            return
        kept = spare[-SPARE // 2 :] if len(spare) > SPARE else spare
        keys = [*kept, *(key for key in self._vectors if key in live)]
        if keys:
            self._write(keys, self.stacked(keys))
        for segment in segments:
            segment.unlink(missing_ok=True)
        self._vectors = {key: self._vectors[key] for key in keys}

    def _tidy_others(self, live: set[str]) -> None:
        room = SPARE
        for path in reversed(_by_age(self._folder.glob("*.npz"))):
            prefix = path.name.partition("-")[0]
            if prefix == _prefix(self._model) or prefix in live:
                continue
            segment = _read(path)
            room -= len(segment.keys) if segment else room + 1
            if room < 0:
                path.unlink(missing_ok=True)

    def _own(self) -> list[Path]:
        return _by_age(self._folder.glob(f"{_prefix(self._model)}-*.npz"))

    def _take(self, path: Path) -> None:
        segment = _read(path)
        if segment and segment.model == self._model and segment.vectors.shape[1:] == (self._dim,):
            self._vectors.update(zip(segment.keys, segment.vectors, strict=True))

    def _write(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{_prefix(self._model)}-{secrets.token_hex(8)}"
        draft = self._folder / f".{name}.tmp"
        table = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, KEY_BYTES)
        with draft.open("wb") as stream:
            np.savez(stream, model=np.array(self._model), keys=table, vectors=vectors)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self._folder / f"{name}.npz")

    def _remove_drafts(self) -> None:
        for left in [*self._folder.glob(".*.tmp")]:
            left.unlink(missing_ok=True)


def _prefix(model: str) -> str:
    return hashlib.sha256(model.encode()).hexdigest()[:12]


def _by_age(paths: Iterable[Path]) -> list[Path]:
    aged = []
    for path in paths:
        try:
            aged.append((path.stat().st_mtime_ns, path.name, path))
        except FileNotFoundError:  # a sibling tidies its store while we read it
            continue
    return [path for *_, path in sorted(aged)]


def _read(path: Path) -> _Segment | None:
    """None for a damaged one: what it held is made again."""
    try:
        # opened here: np.load leaves a damaged file open
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            model, keys, vectors = str(data["model"]), data["keys"], data["vectors"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if keys.shape[1:] != (KEY_BYTES,) or vectors.ndim != 2 or len(keys) != len(vectors):  # noqa: PLR2004 - rows, columns
        return None
    return _Segment(model, [key.tobytes() for key in keys], vectors)
