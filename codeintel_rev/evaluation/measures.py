"""Mean reciprocal rank, and how sure of it one may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

DEPTH = 10
RESAMPLED = 2000
_INTERVAL = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def reciprocal(rank: int | None) -> float:
    """1 / rank, and 0 for what is not among the first ten (MRR@10)."""
    return 1.0 / rank if rank is not None and rank <= DEPTH else 0.0


def bootstrap(values: Sequence[float], seed: int = 0) -> Interval:
    """Queries drawn with replacement; the same seed gives the same interval."""
    means = _resampled(np.asarray(values, np.float64), seed)
    low, high = np.percentile(means, _INTERVAL)
    return Interval(float(np.mean(values)), float(low), float(high))


def paired(values: Sequence[float], others: Sequence[float], seed: int = 0) -> Interval:
    """The mean difference over the same queries: `values` are better beyond chance when `low` is above 0."""
    return bootstrap((np.asarray(values, np.float64) - np.asarray(others, np.float64)).tolist(), seed)


def _resampled(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    draw = np.random.default_rng(seed)
    return np.array([values[draw.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLED)])
