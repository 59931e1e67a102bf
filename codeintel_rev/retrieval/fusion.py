"""Weighted reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): ranks add up, scores never meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RRF_K = 10  # the paper's 60 was slightly worse on the development corpora of docs/retrieval.md (0.596, not 0.603)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One document in one channel; `rank` counts from 1 and may be shared, `score` is in the channel's own unit."""

    doc: int
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Fused:
    """One document over all channels that found it. `boost`: the factor in its score that recency gave."""

    doc: int
    score: float
    channels: Mapping[str, Ranked] = field(default_factory=dict)
    boost: float | None = None


def fuse(
    channels: Mapping[str, Sequence[Ranked]],
    k: int = RRF_K,
    weights: Mapping[str, float] | None = None,
) -> list[Fused]:
    """Best first; equal scores are ordered by document, so the same index gives the same answer.

    A channel that `weights` does not name counts once; what only channels of weight 0 found is left out.
    """
    found: dict[int, dict[str, Ranked]] = {}
    for name, ranking in channels.items():
        for ranked in ranking:
            found.setdefault(ranked.doc, {})[name] = ranked
    heavy = weights or {}
    fused = [Fused(doc, _score(by, k, heavy), by) for doc, by in found.items()]
    return best_first([item for item in fused if item.score > 0])


def best_first(fused: list[Fused]) -> list[Fused]:
    return sorted(fused, key=lambda item: (-item.score, item.doc))


def ranking(pairs: Sequence[tuple[int, float]]) -> tuple[Ranked, ...]:
    """Documents with their scores, best first, as a channel hands them over.

    Equal scores share a rank, as in sports (1, 1, 3): which was indexed first is no reason to prefer it.
    """
    made: list[Ranked] = []
    for place, (doc, score) in enumerate(pairs, 1):
        tied = bool(made) and made[-1].score == score
        made.append(Ranked(doc, made[-1].rank if tied else place, score))
    return tuple(made)


def _score(by: Mapping[str, Ranked], k: int, weights: Mapping[str, float]) -> float:
    return sum(weights.get(name, 1.0) / (k + ranked.rank) for name, ranked in by.items())
