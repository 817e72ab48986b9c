"""Ranking metrics over one query each; pure functions, NaN where there is nothing to measure.

They take the 0-based ranks of the relevant items, one each; ``inf`` for an item that was
not ranked. A rank may be a half: tied items share the middle of their places. Formulas
follow Järvelin & Kekäläinen (2002) for NDCG with binary gains, and the usual definitions
of hit rate and recall.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import InvalidInput

Ranks = NDArray[np.float64]


def ndcg(ranks: Ranks, k: int) -> float:
    """Normalised discounted cumulative gain at ``k``, in [0, 1]; NaN without relevant items."""
    if not ranks.size:
        return math.nan
    gains = float(np.sum(1.0 / np.log2(ranks[ranks < k] + 2)))
    ideal = float(np.sum(1.0 / np.log2(np.arange(min(k, ranks.size)) + 2)))
    # Several items that share one middle rank can together gain more than the ideal order.
    return min(1.0, gains / ideal)


def hit_rate(ranks: Ranks, k: int) -> float:
    """1 when any relevant item stands in the first ``k``, else 0; NaN without relevant items."""
    return float(np.any(ranks < k)) if ranks.size else math.nan


def recall(ranks: Ranks, k: int) -> float:
    """Share of the relevant items in the first ``k``, in [0, 1]; NaN without relevant items."""
    return float(np.mean(ranks < k)) if ranks.size else math.nan


Metric = Callable[[Ranks, int], float]
METRICS: dict[str, Metric] = {"ndcg": ndcg, "hr": hit_rate, "recall": recall}


def parse_metric(name: str) -> tuple[Metric, int]:
    """``"ndcg@10"`` to its function and cut-off.

    Raises:
        InvalidInput: unknown metric, or a cut-off that is no positive whole number.
    """
    kind, at, cut = name.partition("@")
    if kind not in METRICS or not at or not cut.isdecimal() or int(cut) < 1:
        raise InvalidInput(
            f"unknown metric {name!r}", f"write one of {', '.join(METRICS)} with a cut-off: ndcg@10"
        )
    return METRICS[kind], int(cut)


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
