"""The vectors of one generation as one collection of Qdrant: a server by its URL, or embedded in the generation.

A collection is written whole before its generation is published, and removed when no generation names it any more.
"""

from __future__ import annotations

import json
import secrets
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from codeintel_rev.errors import DamagedIndexError, ModelUnavailableError, RemoteError
from codeintel_rev.io.vector_index import FILE, Placed
from codeintel_rev.retrieval.fusion import ranking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from codeintel_rev.config.settings import VectorSettings
    from codeintel_rev.retrieval.fusion import Ranked

EMBEDDED = "qdrant"
_ID_FILE = "qdrant-id"
_MEND = "Mend: see whether Qdrant answers at vectors.url"
_UPLOADED_TOGETHER = 256


def build(draft: Path, vectors: NDArray[np.float32], settings: VectorSettings) -> Placed:
    """Writes the collection, counts it, and removes those of this index that no generation names any more."""
    prefix = _prefix(draft.parent.parent)
    collection = f"{prefix}{secrets.token_hex(6)}"
    placed = Placed("qdrant", "hnsw", len(vectors), vectors.shape[1], collection, settings.url)
    with _client(draft, placed, settings) as client, _told(settings):
        if settings.url:
            _remove_unnamed(client, prefix, draft.parent)
        _fill(client, placed.collection, vectors)
        _check(client, placed, len(vectors))
    return placed


class QdrantIndex:
    """An open collection. An embedded one is held by this process alone, and is searched by one thread at a time."""

    def __init__(self, folder: Path, placed: Placed, expected: int, settings: VectorSettings) -> None:
        """ModelUnavailableError without the client, RemoteError without the server, DamagedIndexError for another count."""
        self._placed = placed
        self._settings = settings
        self._turn = threading.Lock()
        self._opened = _client(folder, placed, settings)
        self._client = self._opened.__enter__()
        try:
            with _told(settings):
                _check(self._client, placed, expected)
        except BaseException:
            self.close()
            raise

    @property
    def dim(self) -> int:
        return self._placed.dim

    def search(self, query: NDArray[np.float32], k: int) -> tuple[Ranked, ...]:
        """`query` is [1, dim] of unit length; scores are cosines, best first."""
        if self._placed.url:
            return self._search(query, k)
        with self._turn:
            return self._search(query, k)

    def close(self) -> None:
        self._opened.__exit__(None, None, None)

    def _search(self, query: NDArray[np.float32], k: int) -> tuple[Ranked, ...]:
        with _told(self._settings):
            found = self._client.query_points(
                self._placed.collection, query=query[0].tolist(), limit=k, with_payload=False, with_vectors=False
            )
        return ranking([(int(point.id), float(point.score)) for point in found.points])


@contextmanager
def _client(folder: Path, placed: Placed, settings: VectorSettings) -> Iterator[Any]:
    try:
        from qdrant_client import QdrantClient
    except ImportError as error:
        what = f"the module {error.name or 'qdrant_client'} is missing"
        raise ModelUnavailableError(what, "Mend: pip install 'codeintel-obs[qdrant]'") from error
    with _told(settings):
        if placed.url:
            # the check would be one more request, and a warning instead of an error
            options: dict[str, Any] = {"url": settings.url or placed.url, "check_compatibility": False}
            options |= {"api_key": settings.api_key or None, "timeout": max(1, round(settings.timeout))}
        else:
            options = {"path": str(folder / EMBEDDED), "force_disable_check_same_thread": True}
        client = QdrantClient(**options)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _told(settings: VectorSettings) -> Iterator[None]:
    """The client's errors share no base: those of the HTTP library, of gRPC, and its own come out as RemoteError."""
    try:
        yield
    except (DamagedIndexError, ModelUnavailableError):
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise RemoteError(f"Qdrant at {settings.url or 'the index folder'} failed: {said}", _MEND) from error


def _fill(client: Any, collection: str, vectors: NDArray[np.float32]) -> None:
    from qdrant_client import models

    count, dim = vectors.shape
    client.create_collection(collection, vectors_config=models.VectorParams(size=dim, distance=models.Distance.COSINE))
    client.upload_collection(collection, vectors=vectors, ids=range(count), batch_size=_UPLOADED_TOGETHER, wait=True)


def _check(client: Any, placed: Placed, expected: int) -> None:
    if not client.collection_exists(placed.collection):
        raise DamagedIndexError(f"Qdrant has no collection {placed.collection}", "Mend: codeintel-rev index REPO")
    held = client.count(placed.collection, exact=True).count
    if held != expected:
        what = f"Qdrant's collection {placed.collection} holds {held} vectors for {expected} chunks"
        raise DamagedIndexError(what, "Mend: codeintel-rev index REPO")


def _prefix(index_folder: Path) -> str:
    """By an id that is drawn once per index: two machines may keep theirs under the same path."""
    path = index_folder / _ID_FILE
    if not path.is_file():
        path.write_text(secrets.token_hex(8), encoding="ascii")
    return f"codeintel-rev-{path.read_text(encoding='ascii').strip()}-"


def _remove_unnamed(client: Any, prefix: str, generations: Path) -> None:
    named = {_collection(file) for file in generations.glob(f"*/{FILE}")}
    for found in client.get_collections().collections:
        if found.name.startswith(prefix) and found.name not in named:
            client.delete_collection(found.name)


def _collection(file: Path) -> str:
    try:
        return str(json.loads(file.read_text(encoding="utf-8")).get("collection", ""))
    except (OSError, ValueError, AttributeError):
        return ""
