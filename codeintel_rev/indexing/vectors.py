"""One vector per chunk, made only where no earlier run has made it, and saved as soon as it is made."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeintel_rev.errors import DamagedIndexError, EmbeddingError, ModelUnavailableError, NotFoundError
from codeintel_rev.io.embedders import open_embedder
from codeintel_rev.io.globs import PathFilter
from codeintel_rev.io.manifest import Manifest
from codeintel_rev.io.vector_store import VectorStore
from codeintel_rev.retrieval.answer import Degraded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from codeintel_rev.config.settings import Settings
    from codeintel_rev.indexing.chunks import Chunk
    from codeintel_rev.indexing.progress import Progress
    from codeintel_rev.io.embedders import Embedder
    from codeintel_rev.io.generations import IndexFolder

# What is embedded at once is saved at once: it grows while that takes less than a second, so that a killed run
# loses seconds of work, and a server that works on many batches at a time gets enough of them.
FIRST_BATCH, LARGEST_BATCH = 16, 1024
_QUICK_SECONDS, _SLOW_SECONDS = 1.0, 4.0
_FAILURES_IN_A_ROW = 3
PROBE_SECONDS = 15.0  # for a remote model's first answer, from which its dimension is learned
_LONGEST = 1200  # characters after which a text is about as long as the model reads
_SHORTEST = 100

SWITCHED_OFF = Degraded("semantic", "indexed with --no-vectors", "Mend: index again without it")


@dataclass(frozen=True, slots=True)
class Model:
    """Whose vectors are wanted; without an `embedder` only those that are stored can be had."""

    identity: str
    dim: int
    embedder: Embedder | None


class ChunkVectors:
    """The vectors of one corpus. Documents that have one come first, so that they can be numbered alike.

    `keys`: of each chunk; empty for one that is left to its words.
    """

    def __init__(
        self,
        chunks: Sequence[Chunk],
        keys: list[bytes],
        store: VectorStore | None,
        model: Model | None,
        problem: Degraded | None,
    ) -> None:
        self.model = model
        self.store = store
        self.keys = keys
        self._problem = problem
        self.missing = {k: c.embedded_text for k, c in zip(keys, chunks, strict=False) if k and not self._has(k)}
        self.words_only = keys.count(b"")
        self._chunks = len(chunks)
        self.reused = sum(map(self._has, self.keys))

    @property
    def order(self) -> list[int]:
        """Positions of the chunks: those with a vector, those that lack one, those that are to have none.

        So an index that is published before its vectors are made numbers its documents as the one after it.
        """
        return sorted(range(self._chunks), key=self._group) if self.keys else list(range(self._chunks))

    def _group(self, place: int) -> int:
        return 2 if not self.keys[place] else 1 - self._has(self.keys[place])

    @property
    def count(self) -> int:
        return sum(map(self._has, self.keys))

    def matrix(self) -> NDArray[np.float32] | None:
        """[count, dim] in document order; None when there is none."""
        held = [key for key in self.keys if self._has(key)]
        return self.store.stacked(held) if held and self.store else None

    def degraded(self) -> tuple[Degraded, ...]:
        """Why not every chunk has a vector, and what mends that."""
        wanted = self._chunks - self.words_only
        lacking = wanted - self.count
        if not lacking:
            return ()
        if self._problem is None:
            left = f"the vectors of {lacking} of {wanted} chunks are being made"
            return (Degraded("semantic", left, "Mend: wait for it, or index again if it was interrupted"),)
        if not self.count:
            return (self._problem,)
        what = f"{lacking} of {wanted} chunks have no vector: {self._problem.reason}"
        return (Degraded("semantic", what, self._problem.mend),)

    def embed(self, progress: Progress, note: str = "") -> None:
        """Makes and saves what is missing. A model that fails is remembered as the reason, and is no error."""
        embedder = self.model.embedder if self.model else None
        if not self.missing or embedder is None:
            return
        keys = sorted(self.missing, key=lambda key: len(self.missing[key]))
        progress.stage(f"embedding {len(keys)} chunks{note}", sum(map(_effort, self.missing.values())))
        at, size, failures = 0, FIRST_BATCH, 0
        while at < len(keys) and failures < _FAILURES_IN_A_ROW:
            batch, begun = keys[at : at + size], time.monotonic()
            failures = 0 if self._made(batch, embedder) else failures + 1
            progress.advance(sum(_effort(self.missing[key]) for key in batch))
            at, size = at + size, _next_size(size, time.monotonic() - begun)

    def close(self) -> None:
        """Gives back the model's connections and memory."""
        if self.model and self.model.embedder:
            self.model.embedder.close()

    def _made(self, keys: list[bytes], embedder: Embedder) -> bool:
        try:
            made = embedder.embed([self.missing[key] for key in keys])
        except (EmbeddingError, ModelUnavailableError) as error:
            self._problem = Degraded("semantic", error.what, error.mend or "Mend: index again")
            return False
        if self.store is not None:
            self.store.add(keys, made)
        return True

    def _has(self, key: bytes) -> bool:
        return self.store is not None and key in self.store


def open_vectors(
    chunks: Sequence[Chunk], folder: IndexFolder, settings: Settings, siblings: Iterable[Path]
) -> ChunkVectors:
    """What the store of this index, or else of a sibling's, has already. Without a usable model that is all there is."""
    model, problem = _model(settings, folder)
    if model is None:
        return ChunkVectors(chunks, [], None, None, problem)
    keys = _keys(chunks, model.identity, settings.embedding.words_only)
    store = VectorStore(folder.vectors, model.identity, model.dim)
    for sibling in siblings:
        missing = [key for key in keys if key and key not in store]
        if not missing:
            break
        store.borrow(missing, sibling)
    return ChunkVectors(chunks, keys, store, model, problem)


def without_vectors(chunks: Sequence[Chunk]) -> ChunkVectors:
    return ChunkVectors(chunks, [], None, None, SWITCHED_OFF)


def _keys(chunks: Sequence[Chunk], model: str, words_only: Sequence[str]) -> list[bytes]:
    left_out = PathFilter(words_only) if words_only else None
    by_words = {path for path in {chunk.path for chunk in chunks} if left_out and left_out(path)}
    return [b"" if chunk.path in by_words else chunk.key(model) for chunk in chunks]


def _model(settings: Settings, folder: IndexFolder) -> tuple[Model | None, Degraded | None]:
    try:
        return _opened(settings), None
    except (ModelUnavailableError, EmbeddingError) as error:
        problem = Degraded("semantic", error.what, error.mend)
    # what an earlier run made stays of use when the model, or the way to it, comes back
    return (None if settings.embedding.kind == "none" else _earlier_model(folder)), problem


def _opened(settings: Settings) -> Model:
    embedder = open_embedder(settings)
    try:
        embedder.embed(["dimension"], seconds=PROBE_SECONDS)  # a server that hangs must not hold up the words
        return Model(embedder.identity, embedder.dim, embedder)
    except EmbeddingError:
        embedder.close()
        raise


def _earlier_model(folder: IndexFolder) -> Model | None:
    try:
        made = Manifest.read(folder.current())
    except (NotFoundError, DamagedIndexError):
        return None
    return Model(made.model, made.dim, None) if made.model else None


def _next_size(size: int, seconds: float) -> int:
    if seconds < _QUICK_SECONDS:
        return min(size * 2, LARGEST_BATCH)
    return max(size // 2, FIRST_BATCH) if seconds > _SLOW_SECONDS else size


def _effort(text: str) -> int:
    """Roughly proportional to time, so that the estimate of what is left means something."""
    return min(max(len(text), _SHORTEST), _LONGEST)
