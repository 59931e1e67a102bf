"""Asks every channel at the same time, fuses what they found, and says of each stage what became of it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from codeintel_rev.errors import ClosedError, DamagedIndexError, RevError, SearchFailedError
from codeintel_rev.io.channels import Channels
from codeintel_rev.io.lazily import Lazy
from codeintel_rev.io.manifest import Manifest
from codeintel_rev.io.outcomes import REBUILD, NotAskedError, Resting, Stages, channel_outcome, told
from codeintel_rev.retrieval.answer import ChannelOutcome, Found, Hit
from codeintel_rev.retrieval.boosters import recency_boost
from codeintel_rev.retrieval.fusion import fuse
from codeintel_rev.retrieval.gating import CHANNELS, budget
from codeintel_rev.retrieval.snippets import snippet
from codeintel_rev.retrieval.terms import query_terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from codeintel_rev.config.settings import Settings
    from codeintel_rev.io.channels import Ask
    from codeintel_rev.io.duckdb_catalog import DuckDBCatalog, Row
    from codeintel_rev.io.embedders import Embedder
    from codeintel_rev.io.reranker import Reranker
    from codeintel_rev.retrieval.fusion import Fused
    from codeintel_rev.retrieval.gating import Budget

# Per channel, so that one whose workers all wait takes none from the others.
WORKERS = 16
_OWN_SHARE = 0.9  # of the time that is left, so that a server's own words and not the clock end the wait

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Wish:
    """What one search wants otherwise than the settings: None leaves it to them. `deadline` is in seconds."""

    weights: Mapping[str, float] = field(default_factory=dict)
    rerank: bool | None = None
    deadline: float | None = None


class HybridSearch:
    """One generation, opened lazily: what no query has needed is not loaded. Reads only; threads may share it."""

    def __init__(self, generation: Path, settings: Settings, embedder: Lazy[Embedder] | None = None) -> None:
        """DamagedIndexError when the manifest cannot be read.

        `embedder` outlives this generation and stays open; without one there is an own one.
        """
        self.manifest = Manifest.read(generation)
        self._folder = generation
        self._settings = settings
        self._embedder = embedder or lazy_embedder(settings)
        self._owns_embedder = embedder is None
        self._channels = Channels(generation, self.manifest, settings, self._embedder)
        self._reranker: Lazy[Reranker] = Lazy(partial(_open_reranker, settings), _close, settings.search.rest)
        self._workers = Workers(Resting(settings.search.rest))
        self._changing = threading.Lock()
        self._users, self._closing = 0, False

    def search(self, query: str, k: int, wish: Wish | None = None, changed: frozenset[str] = frozenset()) -> Found:
        """The best k within the deadline, whatever fails on the way. `changed`: paths that hits are marked with.

        SearchFailedError when no channel ran, DamagedIndexError when the catalog cannot be read, UsageError for a
        weight of a channel that does not exist.
        """
        with self._in_use():
            return self._search(query, k, wish or Wish(), changed)

    def close(self) -> None:
        """Gives everything back; searches that are under way end first, and the last of them does it."""
        with self._changing:
            self._closing = True
            idle = self._users == 0
        if idle:
            self._close()

    def _search(self, query: str, k: int, wish: Wish, changed: frozenset[str]) -> Found:
        own = self._settings.search
        limits = replace(own, deadline=own.deadline if wish.deadline is None else wish.deadline)
        reranks = wish.rerank if wish.rerank is not None else self._settings.rerank.kind != "none"
        stages = Stages(limits.deadline)
        with stages.stage("budget", vital=True) as detail:
            plan = budget(query, k, limits, wish.weights, rerank=reranks)
            detail.update(query_kind=plan.profile.kind, deadline=plan.seconds)
        idle = self._channels.idle(plan.profile)
        channels = gather_channels(self._channels.by_name, query, plan, self._workers, idle)
        _check_any_ran(channels)
        best = self._best(channels, plan, stages)[: max(k, self._settings.rerank.depth if reranks else 0)]
        with stages.stage("hydrate", vital=True) as detail:
            rows = hydrate(self._channels.catalog, [item.doc for item in best], self._folder)
            detail.update(rows=len(rows))
        scores = self._rerank(query, best, rows, stages, asked=reranks)
        words = frozenset(query_terms(query))
        order = sorted(best, key=lambda item: -scores.get(item.doc, 0.0))[:k]  # stable: unscored, it changes nothing
        hits = tuple(_hit(n, item, rows[item.doc], words, changed, scores) for n, item in enumerate(order, 1))
        outcomes, lacking = stages.outcomes, self.manifest.degraded
        return Found(hits, plan.profile.kind, plan.weights, channels, outcomes, stages.elapsed, lacking)

    def _best(self, channels: Sequence[ChannelOutcome], plan: Budget, stages: Stages) -> list[Fused]:
        with stages.stage("fuse", vital=True) as detail:
            fused = fuse({o.channel: o.found for o in channels}, plan.rrf_k, plan.weights)
            detail.update(fused=len(fused), rrf_k=plan.rrf_k)
        return self._boost(fused, stages)

    def _boost(self, fused: list[Fused], stages: Stages) -> list[Fused]:
        with stages.stage("recency_boost") as detail:
            own = self._settings.search
            if not own.recency:
                raise NotAskedError("switched off (search.recency = 0)")
            dates = self._channels.catalog.get().committed(item.doc for item in fused)
            if fused and not dates:
                raise NotAskedError("this index has no commit dates")
            newest = int(datetime.fromisoformat(self.manifest.committed_at).timestamp())
            fused = recency_boost(fused, dates, newest, strength=own.recency, half_life_days=own.half_life_days)
            detail.update(boosted=len(dates))
        return fused

    def _rerank(
        self, query: str, best: list[Fused], rows: Mapping[int, Row], stages: Stages, *, asked: bool
    ) -> dict[int, float]:
        scores: dict[int, float] = {}
        with stages.stage("rerank") as detail:
            if not asked:
                raise NotAskedError("not asked for, or none configured (rerank.kind)")
            texts = [f"{rows[item.doc].path} {rows[item.doc].name}\n{rows[item.doc].text}" for item in best]
            work = partial(_scores, self._reranker, query, texts, stages.left * _OWN_SHARE)
            made = self._workers.within("rerank", work, stages.left) if best else []
            scores = {item.doc: score for item, score in zip(best, made, strict=True)}
            detail.update(scored=len(scores))
        return scores

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        with self._changing:
            if self._closing:
                raise ClosedError(f"the index {self._folder} has been closed", "Mend: open the current one")
            self._users += 1
        try:
            yield
        finally:
            with self._changing:
                self._users -= 1
                last = self._closing and self._users == 0
            if last:
                self._close()

    def _close(self) -> None:
        self._workers.close()
        self._channels.close()
        self._reranker.close()
        if self._owns_embedder:
            self._embedder.close()


class Workers:
    """Threads by channel, started when they are needed, with the memory of which channels have just failed."""

    def __init__(self, resting: Resting) -> None:
        self.resting = resting
        self._pools = {
            name: ThreadPoolExecutor(WORKERS, thread_name_prefix=f"codeintel-rev-{name}")
            for name in (*CHANNELS, "rerank")
        }

    def submit(self, name: str, work: Callable[[], Result]) -> Future[Result]:
        """In the context of the caller, so that whoever follows a request by it can."""
        return self._pools[name].submit(copy_context().run, work)

    def within(self, name: str, work: Callable[[], Result], seconds: float) -> Result:
        """TimeoutError when it has not ended by then; a failure makes it rest like a channel."""
        self.resting.raise_if_resting(name)
        try:
            return self.submit(name, work).result(seconds)
        except RevError as error:
            self.resting.note(name, error, told(error))
            raise

    def close(self) -> None:
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)


def gather_channels(
    channels: Mapping[str, Ask], query: str, plan: Budget, workers: Workers, idle: Mapping[str, str]
) -> tuple[ChannelOutcome, ...]:
    """One outcome per channel of the plan, in its order: all are asked at once, none is waited for beyond its time.

    Not asked are those of no weight, and those of `idle`, for the reason that it gives.
    """
    begun = time.monotonic()
    under_way: dict[str, Future[ChannelOutcome]] = {}
    for name, own in plan.channels.items():
        if own.weight > 0 and name not in idle:
            ask = partial(channels[name], query, plan.profile, own.depth, own.seconds)
            under_way[name] = workers.submit(name, partial(channel_outcome, name, ask, workers.resting))
    return tuple(
        _waited_for(name, under_way[name], begun, own.seconds) if name in under_way else _not_asked(name, plan, idle)
        for name, own in plan.channels.items()
    )


def hydrate(catalog: Lazy[DuckDBCatalog], docs: list[int], folder: Path) -> dict[int, Row]:
    """The chunks of these documents; DamagedIndexError for a catalog that cannot be read or lacks one."""
    import duckdb

    try:
        rows = catalog.get().rows(docs) if docs else {}
    except duckdb.Error as error:
        raise DamagedIndexError(f"the catalog of {folder} cannot be read: {told(error).reason}", REBUILD) from error
    if len(rows) < len(docs):
        raise DamagedIndexError(f"the catalog of {folder} lacks chunks that were found", REBUILD)
    return rows


def lazy_embedder(settings: Settings) -> Lazy[Embedder]:
    """The embedder of these settings, opened at its first use; several generations may share it."""
    return Lazy(partial(_open_embedder, settings), _close, settings.search.rest)


def _waited_for(name: str, future: Future[ChannelOutcome], begun: float, seconds: float) -> ChannelOutcome:
    try:
        return future.result(max(0.0, begun + seconds - time.monotonic()))
    except TimeoutError:
        never_began = future.cancel()
    why = "no worker was free" if never_began else "no answer"
    return ChannelOutcome(name, "timed_out", f"{why} within {seconds:g} s", seconds=time.monotonic() - begun)


def _not_asked(name: str, plan: Budget, idle: Mapping[str, str]) -> ChannelOutcome:
    weightless = plan.channels[name].weight <= 0
    reason = f"its weight for a query of kind {plan.profile.kind} is 0" if weightless else idle[name]
    return ChannelOutcome(name, "skipped", reason, expected=True)


def _check_any_ran(channels: Sequence[ChannelOutcome]) -> None:
    if any(outcome.status == "ran" for outcome in channels):
        return
    told_each = "; ".join(f"{o.channel} {o.status}: {o.reason}" for o in channels)
    mends = [outcome.mend for outcome in channels if outcome.mend]
    raise SearchFailedError(f"no channel could answer: {told_each}", mends[-1] if mends else "")


def _scores(reranker: Lazy[Reranker], query: str, texts: list[str], seconds: float) -> list[float]:
    return reranker.get().scores(query, texts, seconds=seconds)


def _open_embedder(settings: Settings) -> Embedder:
    from codeintel_rev.io.embedders import open_embedder

    return open_embedder(settings)


def _open_reranker(settings: Settings) -> Reranker:
    from codeintel_rev.io.reranker import open_reranker

    return open_reranker(settings)


def _close(thing: Embedder | Reranker) -> None:
    thing.close()


def _hit(
    rank: int, item: Fused, row: Row, words: frozenset[str], changed: frozenset[str], scores: Mapping[int, float]
) -> Hit:
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
        boost=item.boost,
        rerank=scores.get(item.doc),
    )
