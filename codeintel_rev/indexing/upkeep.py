"""Keeps the store of vectors from growing for ever: what no kept generation uses may go, except for the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeintel_rev.errors import DamagedIndexError
from codeintel_rev.indexing.writing import KEYS_FILE
from codeintel_rev.io.manifest import Manifest
from codeintel_rev.io.vector_store import KEY_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from codeintel_rev.io.generations import IndexFolder
    from codeintel_rev.io.vector_store import VectorStore


def tidy_vectors(folder: IndexFolder, store: VectorStore | None) -> None:
    """For the process that holds the lock."""
    if store is None:
        return
    generations = [generation.path for generation in folder.history()]
    used = {key for path in generations for key in _keys(path)}
    store.tidy(used, {model for path in generations if (model := _model(path))})


def _keys(generation: Path) -> list[bytes]:
    try:
        content = (generation / KEYS_FILE).read_bytes()
    except OSError:
        return []
    return [content[at : at + KEY_BYTES] for at in range(0, len(content), KEY_BYTES)]


def _model(generation: Path) -> str | None:
    try:
        return Manifest.read(generation).model
    except DamagedIndexError:
        return None
