"""Where vectors lie and are searched: one Protocol, a store in the generation (FAISS) or a distributed one (Qdrant).

A generation says itself in which store its vectors are, so changed settings never send a query to the wrong one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from codeintel_rev.errors import DamagedIndexError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from codeintel_rev.config.settings import Settings, Store
    from codeintel_rev.retrieval.fusion import Ranked

FILE = "vectors.json"
_REBUILD = "Mend: codeintel-rev index REPO builds a new index"


class VectorIndex(Protocol):
    """An opened index. Threads may share it."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    def search(self, query: NDArray[np.float32], k: int) -> tuple[Ranked, ...]:
        """`query` is [1, dim] of unit length; scores are cosines, best first, at most k."""

    def close(self) -> None:
        """Gives back memory and connections."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the vectors of a generation are. `collection` and `url` are Qdrant's; `url` is empty when embedded."""

    store: Store
    kind: str
    count: int
    dim: int
    collection: str = ""
    url: str = ""


def build(draft: Path, vectors: NDArray[np.float32], settings: Settings) -> Placed:
    """Rows become documents 0, 1, …; they have unit length. RemoteError when a store elsewhere fails."""
    if settings.vectors.store == "qdrant":
        from codeintel_rev.io import qdrant_index

        placed = qdrant_index.build(draft, vectors, settings.vectors)
    else:
        from codeintel_rev.io import faiss_manager

        kind = faiss_manager.build(draft, vectors, settings.vectors.kind)
        placed = Placed("faiss", kind, len(vectors), vectors.shape[1])
    (draft / FILE).write_text(json.dumps(asdict(placed)) + "\n", encoding="utf-8")
    return placed


def placed_in(folder: Path) -> Placed:
    """A generation that does not say it has FAISS; DamagedIndexError for what cannot be read."""
    if not (folder / FILE).exists():
        return Placed("faiss", "", 0, 0)
    try:
        return Placed(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DamagedIndexError(f"{folder / FILE} cannot be read: {error}", _REBUILD) from error


def open_index(folder: Path, expected: int, settings: Settings) -> VectorIndex:
    """DamagedIndexError when it holds another number of vectors than `expected`; else what its store raises."""
    placed = placed_in(folder)
    if placed.store == "qdrant":
        from codeintel_rev.io.qdrant_index import QdrantIndex

        return QdrantIndex(folder, placed, expected, settings.vectors)
    from codeintel_rev.io.faiss_manager import FaissManager

    return FaissManager(folder, expected, settings.vectors.gpu)
