"""Systems that rank the pools: S, its prior, and the two fusions that need no labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.bench.quality.outcomes import Outcome, from_orders
from eval.bench.quality.pool_files import Pools
from eval.bench.quality.protocols import Asked
from eval.bench.quality.served import places_by
from retrieval.fusion.weights import FusionWeights

RRF_K = 60
_PER_SOURCE = 50

Raw = NDArray[np.float32]


def fused(asked: Asked, pools: Pools, weights: FusionWeights, meta: Mapping[str, Any]) -> Outcome:
    """S: the pool by the weights of each request."""
    orders = [one.items[places_by(one, pools.sources, weights)] for one in pools.pools]
    return from_orders(asked, orders, meta)


def rrf(asked: Asked, pools: Pools) -> Outcome:
    """Reciprocal rank fusion of the sources' top lists (Cormack et al., SIGIR 2009), k = 60."""
    return _by(asked, pools, reciprocal, {"k": RRF_K})


def comb_sum(asked: Asked, pools: Pools) -> Outcome:
    """The sum of scores scaled to [0, 1] over the pool (Fox & Shaw, TREC-2, 1994)."""
    return _by(asked, pools, scaled_sum, {})


def reciprocal(raw: Raw, per_source: int = _PER_SOURCE) -> NDArray[np.float64]:
    """Sum over the sources of 1 / (60 + rank); rank from 1, none behind ``per_source``.

    Args:
        raw: shape (items, sources); NaN where a source said nothing.
        per_source: length of a source's list.

    Returns:
        Shape (items,).
    """
    total = np.zeros(len(raw))
    for own in raw.T:
        said = np.flatnonzero(np.isfinite(own))
        best = said[np.argsort(-own[said], kind="stable")][:per_source]
        total[best] += 1.0 / (RRF_K + 1 + np.arange(len(best)))
    return total


def scaled_sum(raw: Raw) -> NDArray[np.float64]:
    """Sum over the sources of the score between its least (0) and its largest (1).

    A source that says nothing, or the same of everything, adds 0.

    Args:
        raw: shape (items, sources); NaN where a source said nothing.

    Returns:
        Shape (items,).
    """
    total = np.zeros(len(raw))
    for own in raw.T.astype(np.float64):
        said = np.isfinite(own)
        if said.any() and np.ptp(own[said]) > 0:
            total[said] += (own[said] - own[said].min()) / np.ptp(own[said])
    return total


def _by(
    asked: Asked,
    pools: Pools,
    score: Callable[[Raw], NDArray[np.float64]],
    meta: Mapping[str, Any],
) -> Outcome:
    orders = [
        pool.items[np.argsort(-score(raw), kind="stable")]
        for pool, raw in zip(pools.pools, pools.raw, strict=True)
    ]
    return from_orders(asked, orders, meta)
