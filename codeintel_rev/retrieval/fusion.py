"""Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): ranks add up, scores never meet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RRF_K = 60


@dataclass(frozen=True, slots=True)
class Ranked:
    """One document in one channel; `rank` counts from 1, `score` is in the channel's own unit."""

    doc: int
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Fused:
    """One document over all channels that found it."""

    doc: int
    score: float
    channels: Mapping[str, Ranked] = field(default_factory=dict)


def fuse(channels: Mapping[str, Sequence[Ranked]], k: int = RRF_K) -> list[Fused]:
    """Best first; equal scores are ordered by document, so the same index gives the same answer."""
    found: dict[int, dict[str, Ranked]] = {}
    for name, ranking in channels.items():
        for ranked in ranking:
            found.setdefault(ranked.doc, {})[name] = ranked
    fused = [Fused(doc, sum(1 / (k + r.rank) for r in by.values()), by) for doc, by in found.items()]
    return sorted(fused, key=lambda item: (-item.score, item.doc))
