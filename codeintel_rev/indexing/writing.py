"""All files of one generation, from chunks and vectors; what fails of them degrades it and is named in it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from codeintel_rev.errors import EmbeddingError, ModelUnavailableError, RemoteError, RevError
from codeintel_rev.indexing.words import write_words
from codeintel_rev.io import vector_index
from codeintel_rev.retrieval.answer import Degraded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from codeintel_rev.config.settings import Settings
    from codeintel_rev.indexing.chunks import Chunk
    from codeintel_rev.indexing.progress import Progress
    from codeintel_rev.indexing.vectors import ChunkVectors

KEYS_FILE = "keys"  # what the vectors are called in the store, in document order


@dataclass(frozen=True, slots=True)
class Written:
    """How many documents have a vector, and of which length."""

    vectors: int
    dim: int
    degraded: tuple[Degraded, ...]


def write_generation(
    draft: Path,
    chunks: Sequence[Chunk],
    dates: Mapping[str, int],
    vectors: ChunkVectors,
    settings: Settings,
    progress: Progress,
) -> Written:
    """Documents are numbered in the order of the vectors. RevError when the files cannot be written."""
    progress.stage("writing the index", 4)
    ordered = [chunks[place] for place in vectors.order]
    indexed = {chunk.path for chunk in chunks}
    with _told(draft):
        write_words(draft, ordered, {path: date for path, date in dates.items() if path in indexed}, progress)
        written = _write_vectors(draft, vectors, settings)
        progress.advance()
        sparse = _write_sparse(draft, ordered, settings)
        progress.advance()
    return Written(written.vectors, written.dim, (*written.degraded, *sparse))


@contextmanager
def _told(draft: Path) -> Iterator[None]:
    """A full disk has as many names as there are libraries that write: the last is FAISS's."""
    try:
        yield
    except RevError:
        raise
    except (OSError, duckdb.Error, RuntimeError) as error:
        what = f"{draft.parent} cannot be written: {next(iter(str(error).splitlines()), 'no message')}"
        raise RevError(what, "Mend: make room, or name another folder with --index-dir") from error


def _write_vectors(draft: Path, vectors: ChunkVectors, settings: Settings) -> Written:
    (draft / KEYS_FILE).write_bytes(b"".join(vectors.keys))
    matrix = vectors.matrix()
    if matrix is None:
        return Written(0, 0, vectors.degraded())
    try:
        vector_index.build(draft, matrix, settings)
    except (RemoteError, ModelUnavailableError) as error:  # a store elsewhere; words are still found
        return Written(0, 0, (Degraded("semantic", error.what, error.mend or "Mend: index again"),))
    return Written(len(matrix), matrix.shape[1], vectors.degraded())


def _write_sparse(draft: Path, chunks: Sequence[Chunk], settings: Settings) -> tuple[Degraded, ...]:
    if not settings.splade.model:
        return ()
    from codeintel_rev.io import splade_manager

    try:
        splade_manager.build(draft, [c.embedded_text for c in chunks], splade_manager.SparseEncoder(settings.splade))
    except (ModelUnavailableError, EmbeddingError) as error:
        return (Degraded("splade", error.what, error.mend or "Mend: index again"),)
    return ()
