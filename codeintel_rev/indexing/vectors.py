"""One vector per chunk, made only where no earlier run has made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codeintel_rev.config.model import MINILM
from codeintel_rev.errors import ModelUnavailableError
from codeintel_rev.io.vector_store import VectorStore
from codeintel_rev.retrieval.answer import Degraded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from codeintel_rev.config.settings import Settings
    from codeintel_rev.indexing.chunks import Chunk
    from codeintel_rev.indexing.progress import Progress
    from codeintel_rev.io.embedder import Embedder

SAVED_TOGETHER = 256  # what a killed run may lose: some seconds of work
_LONGEST = 1200  # characters after which a text is about as long as the model reads
_SHORTEST = 100


@dataclass(frozen=True, slots=True)
class Vectors:
    """`matrix` is [chunks, dim], or None with the reason in `degraded`."""

    matrix: NDArray[np.float32] | None
    model: str | None = None
    dim: int = 0
    embedded: int = 0
    reused: int = 0
    degraded: tuple[Degraded, ...] = ()


SWITCHED_OFF = Vectors(
    None, degraded=(Degraded("semantic", "indexed with --no-vectors", "Mend: index again without it"),)
)


def make_vectors(chunks: Sequence[Chunk], folder: Path, settings: Settings, progress: Progress) -> Vectors:
    """Without a usable model the result has no matrix and says why; that is no error."""
    store = VectorStore(folder, MINILM.identity, MINILM.dim)
    keys = [chunk.key(MINILM.identity) for chunk in chunks]
    missing = {key: chunk.embedded_text for key, chunk in zip(keys, chunks, strict=True) if key not in store}
    if missing:
        try:
            embedder = _load(settings)
        except ModelUnavailableError as error:
            return Vectors(None, degraded=(Degraded("semantic", error.what, error.mend),))
        _embed(missing, embedder, store, progress)
    store.tidy(keys)
    reused = sum(key not in missing for key in keys)
    return Vectors(store.stacked(keys), MINILM.identity, MINILM.dim, len(keys) - reused, reused)


def _load(settings: Settings) -> Embedder:
    from codeintel_rev.io.embedder import MiniLMEmbedder  # a run that embeds nothing needs no model

    return MiniLMEmbedder.load(settings)


def _embed(missing: dict[bytes, str], embedder: Embedder, store: VectorStore, progress: Progress) -> None:
    keys = sorted(missing, key=lambda key: len(missing[key]))
    progress.stage(f"embedding {len(keys)} chunks", sum(map(_effort, missing.values())))
    for start in range(0, len(keys), SAVED_TOGETHER):
        _embed_some(keys[start : start + SAVED_TOGETHER], missing, embedder, store, progress)


def _embed_some(
    keys: list[bytes], texts: dict[bytes, str], embedder: Embedder, store: VectorStore, progress: Progress
) -> None:
    import numpy as np

    made: NDArray[np.float32] = np.empty((len(keys), embedder.dim), np.float32)
    for places, vectors in embedder.batches([texts[key] for key in keys]):
        made[places] = vectors
        progress.advance(sum(_effort(texts[keys[place]]) for place in places))
    store.add(keys, made)


def _effort(text: str) -> int:
    """Roughly proportional to time, so that the estimate of what is left means something."""
    return min(max(len(text), _SHORTEST), _LONGEST)
