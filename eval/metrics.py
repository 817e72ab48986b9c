"""Ranking metrics over one query each; pure functions, NaN where there is nothing to measure.

They take the ranks of the relevant items (``agent.measure.Ranks``). NDCG is the one that
fitting optimises for; hit rate and recall have their usual definitions.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from agent.measure import Ranks, ndcg
from retrieval.errors import InvalidInput


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
