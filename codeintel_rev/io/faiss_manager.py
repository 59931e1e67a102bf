"""The vector index of one generation: exact up to a size, HNSW above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import faiss

from codeintel_rev.errors import DamagedIndexError
from codeintel_rev.retrieval.fusion import Ranked

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

FILE = "vectors.faiss"
EXACT_UP_TO = 50_000  # 73 MiB of vectors; measured: 8.6 ms a query on one core. HNSW above it is not yet measured
_HNSW_LINKS = 32


def build(folder: Path, vectors: NDArray[np.float32]) -> None:
    """Rows become documents 0, 1, …; they must have unit length, so that the inner product is the cosine."""
    count, dim = vectors.shape
    index = _empty(count, dim)
    index.add(vectors)
    faiss.write_index(index, str(folder / FILE))


def _empty(count: int, dim: int) -> faiss.Index:
    if count > EXACT_UP_TO:
        return faiss.IndexHNSWFlat(dim, _HNSW_LINKS, faiss.METRIC_INNER_PRODUCT)
    return faiss.IndexFlatIP(dim)


class FaissManager:
    """A loaded index; read-only, so threads may share it."""

    def __init__(self, folder: Path, expected: int) -> None:
        """RuntimeError from FAISS for a file it cannot read; DamagedIndexError when the number differs."""
        self._index = faiss.read_index(str(folder / FILE))
        if self._index.ntotal != expected:
            what = f"{folder / FILE} holds {self._index.ntotal} vectors for {expected} chunks"
            raise DamagedIndexError(what, "Mend: codeintel-rev index REPO")

    def search(self, query: NDArray[np.float32], k: int) -> tuple[Ranked, ...]:
        """`query` is [1, dim] of unit length; scores are cosines, best first."""
        scores, docs = self._index.search(query, min(k, self._index.ntotal))
        pairs = zip(docs[0].tolist(), scores[0].tolist(), strict=True)
        found = [(doc, score) for doc, score in pairs if doc >= 0]  # HNSW fills up with -1
        return tuple(Ranked(doc, rank, score) for rank, (doc, score) in enumerate(found, 1))
