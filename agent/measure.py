"""How well an order did for one user, and how sure the mean over users is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 1000


def ndcg(order: Sequence[str], positives: frozenset[str], k: int = 10) -> float:
    """NDCG@k with binary gains, in [0, 1]; NaN when there is no positive."""
    if not positives:
        return math.nan
    gain = math.fsum(
        1 / math.log2(rank + 2) for rank, item in enumerate(order[:k]) if item in positives
    )
    return gain / math.fsum(1 / math.log2(rank + 2) for rank in range(min(k, len(positives))))


def mean_interval(values: NDArray[np.float64], seed: int = 0) -> tuple[float, float, float]:
    """Mean and its 95 % bootstrap interval over users; NaNs when there is no value."""
    if len(values) == 0:
        return math.nan, math.nan, math.nan
    random = np.random.default_rng(seed)
    means = [values[random.integers(0, len(values), len(values))].mean() for _ in range(_RESAMPLES)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(values.mean()), float(low), float(high)
