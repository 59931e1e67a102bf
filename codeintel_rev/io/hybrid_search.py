"""Asks every channel, fuses what they found, and says of each what became of it."""

from __future__ import annotations

import time
from functools import cached_property, partial
from typing import TYPE_CHECKING

from codeintel_rev.errors import DamagedIndexError, ModelUnavailableError
from codeintel_rev.io.manifest import Manifest
from codeintel_rev.retrieval.answer import ChannelOutcome, Hit
from codeintel_rev.retrieval.fusion import Fused, fuse
from codeintel_rev.retrieval.snippets import snippet
from codeintel_rev.retrieval.terms import query_terms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from codeintel_rev.config.settings import Settings
    from codeintel_rev.io.bm25_manager import BM25Manager
    from codeintel_rev.io.duckdb_catalog import Row
    from codeintel_rev.io.embedder import MiniLMEmbedder
    from codeintel_rev.io.faiss_manager import FaissManager
    from codeintel_rev.retrieval.fusion import Ranked

DEPTH = 100  # documents a channel hands to the fusion
_REBUILD = "Mend: codeintel-rev index REPO builds a new index"


class HybridSearch:
    """One generation, opened lazily: what a query does not need is not loaded. Reads only."""

    def __init__(self, generation: Path, settings: Settings) -> None:
        """DamagedIndexError when the manifest cannot be read."""
        self._folder = generation
        self._settings = settings
        self.manifest = Manifest.read(generation)

    def gather(self, query: str, depth: int = DEPTH) -> tuple[ChannelOutcome, ...]:
        """One outcome per channel, whatever happens in it."""
        channels = {"semantic": self._semantic, "bm25": self._bm25}
        return tuple(_outcome(name, partial(ask, query, depth)) for name, ask in channels.items())

    def hits(self, query: str, outcomes: tuple[ChannelOutcome, ...], k: int, changed: frozenset[str]) -> list[Hit]:
        """The best k, with their text. DamagedIndexError when the catalog cannot be read."""
        fused = fuse({outcome.channel: outcome.found for outcome in outcomes})[:k]
        if not fused:
            return []
        rows, words = self._hydrate(fused), frozenset(query_terms(query))
        return [_hit(rank, item, rows[item.doc], words, changed) for rank, item in enumerate(fused, 1)]

    @cached_property
    def _faiss(self) -> FaissManager:
        from codeintel_rev.io.faiss_manager import FaissManager

        return FaissManager(self._folder, self.manifest.chunks)

    @cached_property
    def _lexical(self) -> BM25Manager:
        from codeintel_rev.io.bm25_manager import BM25Manager

        return BM25Manager(self._folder, self.manifest.chunks)

    @cached_property
    def _embedder(self) -> MiniLMEmbedder:
        from codeintel_rev.io.embedder import MiniLMEmbedder

        return MiniLMEmbedder.load(self._settings)

    def _semantic(self, query: str, depth: int) -> tuple[Ranked, ...]:
        if self.manifest.model is None:
            why = self.manifest.degraded[0] if self.manifest.degraded else None
            reason = f": {why.reason}" if why else ""
            raise ModelUnavailableError(f"this index holds no vectors{reason}", why.mend if why else _REBUILD)
        if self._embedder.identity != self.manifest.model:
            what = f"the index was made with {self.manifest.model}, the model here is {self._embedder.identity}"
            raise ModelUnavailableError(what, _REBUILD)
        return self._faiss.search(self._embedder.embed(query), depth)

    def _bm25(self, query: str, depth: int) -> tuple[Ranked, ...]:
        return self._lexical.search(query, depth)

    def _hydrate(self, fused: list[Fused]) -> dict[int, Row]:
        import duckdb

        from codeintel_rev.io.duckdb_catalog import DuckDBCatalog

        try:
            with DuckDBCatalog(self._folder) as catalog:
                rows = catalog.rows(item.doc for item in fused)
        except duckdb.Error as error:
            what = f"the catalog of {self._folder} cannot be read: {_first_line(error)}"
            raise DamagedIndexError(what, _REBUILD) from error
        if len(rows) < len(fused):
            raise DamagedIndexError(f"the catalog of {self._folder} lacks chunks that were found", _REBUILD)
        return rows


def _outcome(channel: str, ask: Callable[[], tuple[Ranked, ...]]) -> ChannelOutcome:
    begun = time.monotonic()
    try:
        found = ask()
    except ModelUnavailableError as error:
        return ChannelOutcome(channel, "skipped", error.what, error.mend, time.monotonic() - begun)
    except Exception as error:  # noqa: BLE001 - whatever one channel raises, the other may have the answer
        reason = f"{type(error).__name__}: {_first_line(error)}"
        return ChannelOutcome(channel, "failed", reason, _REBUILD, time.monotonic() - begun)
    return ChannelOutcome(channel, "ran", seconds=time.monotonic() - begun, found=found)


def _hit(rank: int, item: Fused, row: Row, words: frozenset[str], changed: frozenset[str]) -> Hit:
    offset, text = snippet(row.text, words)
    return Hit(
        rank=rank,
        score=item.score,
        path=row.path,
        start_line=row.start_line,
        end_line=row.end_line,
        kind=row.kind,
        name=row.name,
        blob=row.blob,
        snippet=text,
        snippet_line=row.start_line + offset,
        changed=row.path in changed,
        channels=item.channels,
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "no message")
