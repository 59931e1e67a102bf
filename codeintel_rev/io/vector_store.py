"""Vectors by content: what was embedded once is never embedded again, on whatever branch it turns up.

Append-only segments of one model each, written whole or not at all, so a killed run keeps what it had saved.
"""

from __future__ import annotations

import os
import secrets
import zipfile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

KEY_BYTES = 32
SEGMENTS = 16  # more are merged into one
SPARE = 20_000  # vectors that no current chunk uses but another branch may; some 30 MiB


class VectorStore:
    """One writer at a time (the index folder's lock)."""

    def __init__(self, folder: Path, model: str, dim: int) -> None:
        self._folder = folder
        self._model = model
        self._dim = dim
        self._vectors: dict[bytes, NDArray[np.float32]] = {}
        for segment in self._segments():
            self._read(segment)

    def __contains__(self, key: bytes) -> bool:
        return key in self._vectors

    def stacked(self, keys: Sequence[bytes]) -> NDArray[np.float32]:
        """[n, dim] in the order of the keys; KeyError for one that was never added."""
        return np.array([self._vectors[key] for key in keys], np.float32).reshape(-1, self._dim)

    def add(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Saved when this returns."""
        if not keys:
            return
        self._write(keys, vectors)
        self._vectors.update(zip(keys, vectors, strict=True))

    def tidy(self, used: Iterable[bytes]) -> None:
        """Merge many segments to one; of the vectors not in use only the newest are kept."""
        segments = self._segments()
        if len(segments) <= SEGMENTS:
            return
        live = set(used)
        spare = [key for key in self._vectors if key not in live][-SPARE:]
        keys = [*spare, *(key for key in self._vectors if key in live)]
        self._write(keys, self.stacked(keys))
        for segment in segments:
            segment.unlink(missing_ok=True)

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob("*.npz"), key=lambda path: (path.stat().st_mtime_ns, path.name))

    def _read(self, segment: Path) -> None:
        try:
            # opened here: np.load leaves a damaged file open
            with segment.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
                model, keys, vectors = str(data["model"]), data["keys"], data["vectors"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return  # damaged: what it held is made again
        fits = vectors.shape == (len(keys), self._dim) and keys.shape[1:] == (KEY_BYTES,)
        if model == self._model and fits:
            self._vectors.update(zip((key.tobytes() for key in keys), vectors, strict=True))

    def _write(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = secrets.token_hex(8)
        draft = self._folder / f".{name}.tmp"
        table = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, KEY_BYTES)
        with draft.open("wb") as stream:
            np.savez(stream, model=np.array(self._model), keys=table, vectors=vectors)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self._folder / f"{name}.npz")
