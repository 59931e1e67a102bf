"""Lifts what was changed lately, a little: of two hits that are equally good, the living one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codeintel_rev.retrieval.fusion import Fused, best_first

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAY = 86_400


def recency_boost(
    fused: list[Fused],
    committed: Mapping[int, int],
    newest: int,
    *,
    strength: float,
    half_life_days: float,
) -> list[Fused]:
    """Best first again, each score times `1 + strength * 0.5 ** (age / half life)`.

    `committed`: when each document's file was last committed, in seconds of the epoch; a document without a date
    keeps its score. Age counts back from `newest`, the indexed commit, so that an answer does not change by waiting.
    """
    return best_first([_boosted(item, committed, newest, strength, half_life_days * _DAY) for item in fused])


def _boosted(item: Fused, committed: Mapping[int, int], newest: int, strength: float, half_life: float) -> Fused:
    when = committed.get(item.doc)
    if when is None:
        return item
    factor = 1 + strength * 0.5 ** (max(0, newest - when) / max(half_life, 1.0))
    return Fused(item.doc, item.score * factor, item.channels, round(factor, 6))
