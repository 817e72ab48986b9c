"""How good an order is for one query, and how sure the mean over queries is; pure.

Fitting and evaluation measure with the same two functions.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.float64]
"""0-based ranks of a query's relevant items, one each: a half where ties share the middle of
their places, ``inf`` for an item that was not ranked."""


def ranks_in(order: Sequence[Hashable], relevant: Collection[Hashable]) -> Ranks:
    """Ranks of the relevant items in an order without ties; ``inf`` for those not in it."""
    found = [float(rank) for rank, item in enumerate(order) if item in relevant]
    return np.array(found + [math.inf] * (len(relevant) - len(found)))


def ndcg(ranks: Ranks, k: int = 10) -> float:
    """Normalised discounted cumulative gain at ``k``, in [0, 1]; NaN without relevant items.

    Binary gains; Järvelin & Kekäläinen (2002).
    """
    if not ranks.size:
        return math.nan
    gains = float(np.sum(1.0 / np.log2(ranks[ranks < k] + 2)))
    ideal = float(np.sum(1.0 / np.log2(np.arange(min(k, ranks.size)) + 2)))
    # Several items that share one middle rank can together gain more than the ideal order.
    return min(1.0, gains / ideal)


def mean_and_interval(
    values: NDArray[np.float64], *, seed: int = 0, resamples: int = 1000
) -> tuple[float, float, float]:
    """Mean and percentile-bootstrap 95 % interval over queries; NaNs are left out.

    Args:
        values: shape (queries,).
        seed: of the resampling.
        resamples: how many bootstrap means.

    Returns:
        (mean, low, high); three NaNs when no value is finite.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return math.nan, math.nan, math.nan
    rng = np.random.default_rng(seed)
    # One multinomial draw per resample: counts of each query, no (resamples x n) index array.
    counts = rng.multinomial(finite.size, np.full(finite.size, 1 / finite.size), size=resamples)
    means = counts @ finite / finite.size
    low, high = np.quantile(means, [0.025, 0.975])
    return float(finite.mean()), float(low), float(high)
