"""The channels of one generation: four ways to rank its chunks for a query, each opened when it is first asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeintel_rev.errors import ModelUnavailableError
from codeintel_rev.io.lazily import Lazy
from codeintel_rev.io.outcomes import REBUILD, NotAskedError
from codeintel_rev.retrieval import exact

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codeintel_rev.config.settings import Settings
    from codeintel_rev.io.bm25_manager import BM25Manager
    from codeintel_rev.io.duckdb_catalog import DuckDBCatalog
    from codeintel_rev.io.embedders import Embedder
    from codeintel_rev.io.manifest import Manifest
    from codeintel_rev.io.splade_manager import SparseEncoder, SpladeManager
    from codeintel_rev.io.vector_index import VectorIndex
    from codeintel_rev.retrieval.fusion import Ranked
    from codeintel_rev.retrieval.gating import Profile

    Ask = Callable[[str, Profile, int, float], tuple[Ranked, ...]]

_OWN_SHARE = 0.9  # of a channel's time for a remote model, so that its own words and not the clock end the wait


class Channels:
    """Threads may share it. Each channel takes (query, profile, depth, seconds) and gives its ranking."""

    def __init__(self, folder: Path, manifest: Manifest, settings: Settings, embedder: Lazy[Embedder]) -> None:
        rest = settings.search.rest
        self._manifest = manifest
        self._settings = settings
        self._embedder = embedder
        self._vectors: Lazy[VectorIndex] = Lazy(lambda: _vectors(folder, manifest, settings), _close, rest)
        self._bm25: Lazy[BM25Manager] = Lazy(lambda: _bm25(folder, manifest), _forget, rest)
        self._splade: Lazy[SpladeManager] = Lazy(lambda: _splade(folder, manifest), _forget, rest)
        self._encoder: Lazy[SparseEncoder] = Lazy(lambda: _encoder(settings), _forget, rest)
        self.catalog: Lazy[DuckDBCatalog] = Lazy(lambda: _catalog(folder), _close, rest)
        self.by_name: dict[str, Ask] = {
            "semantic": self.semantic,
            "bm25": self.bm25,
            "splade": self.splade,
            "exact": self.exact,
        }

    def semantic(self, query: str, profile: Profile, depth: int, seconds: float) -> tuple[Ranked, ...]:  # noqa: ARG002
        """ModelUnavailableError for an index without vectors, and for vectors of another model or dimension.

        NotAskedError where all files are left to their words.
        """
        made = self._manifest
        if made.model is None:
            if made.words_only == made.chunks:
                raise NotAskedError("every indexed file is left to its words (embedding.words_only)")
            why = next((item for item in made.degraded if item.channel == "semantic"), None)
            reason = f": {why.reason}" if why else ""
            raise ModelUnavailableError(f"this index holds no vectors{reason}", why.mend if why else REBUILD)
        embedder = self._embedder.get()
        vector = embedder.embed_query(query, seconds=seconds * _OWN_SHARE)
        if embedder.identity != made.model or vector.shape[1] != made.dim:
            what = f"the index was made with {made.model}, the model here is {embedder.identity}"
            raise ModelUnavailableError(what, f"{REBUILD} with the present model")
        return self._vectors.get().search(vector, depth)

    def bm25(self, query: str, profile: Profile, depth: int, seconds: float) -> tuple[Ranked, ...]:  # noqa: ARG002
        return self._bm25.get().search(query, depth)

    def splade(self, query: str, profile: Profile, depth: int, seconds: float) -> tuple[Ranked, ...]:  # noqa: ARG002
        """NotAskedError when no model is configured; ModelUnavailableError when it cannot be used."""
        if not self._settings.splade.model:
            raise NotAskedError("no SPLADE model is configured (splade.model)")
        index, encoder = self._splade.get(), self._encoder.get()
        if encoder.identity != index.identity:
            what = f"the index was made with {index.identity}, the model here is {encoder.identity}"
            raise ModelUnavailableError(what, REBUILD)
        return index.search(encoder.query(query), depth)

    def exact(self, query: str, profile: Profile, depth: int, seconds: float) -> tuple[Ranked, ...]:  # noqa: ARG002
        """Chunks that the query names: by definition, path, or regular expression; NotAskedError if it names none."""
        if profile.kind == "path":
            return exact.by_path(query.strip(), self.catalog.get().under(query.strip().strip("/"), depth))
        if profile.kind == "regex":
            return exact.by_text(self.catalog.get().matching(query.strip(), depth))
        if not profile.names:
            raise NotAskedError("the query names no identifier")
        catalog = self.catalog.get()
        return exact.merged([exact.by_name(name, catalog.named(name, depth)) for name in profile.names])[:depth]

    def close(self) -> None:
        for lazy in (self._vectors, self._bm25, self._splade, self._encoder, self.catalog):
            lazy.close()


def _vectors(folder: Path, manifest: Manifest, settings: Settings) -> VectorIndex:
    from codeintel_rev.io.vector_index import open_index

    return open_index(folder, manifest.vectors, settings)


def _bm25(folder: Path, manifest: Manifest) -> BM25Manager:
    from codeintel_rev.io.bm25_manager import BM25Manager

    return BM25Manager(folder, manifest.chunks)


def _splade(folder: Path, manifest: Manifest) -> SpladeManager:
    from codeintel_rev.io.splade_manager import FILE, SpladeManager

    if not (folder / FILE).exists():
        raise ModelUnavailableError("this index was made without SPLADE", REBUILD)
    return SpladeManager(folder, manifest.chunks)


def _encoder(settings: Settings) -> SparseEncoder:
    from codeintel_rev.io.splade_manager import SparseEncoder

    return SparseEncoder(settings.splade)


def _catalog(folder: Path) -> DuckDBCatalog:
    from codeintel_rev.io.duckdb_catalog import DuckDBCatalog

    return DuckDBCatalog(folder)


def _close(thing: VectorIndex | DuckDBCatalog) -> None:
    thing.close()


def _forget(_: object) -> None:
    """Its memory goes with the last reference."""
