"""The weights that a fit would serve, and the order that they give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.fitting.pools import FitPool
from agent.fitting.served import learn_from
from eval.bench.quality.pool_files import Pools
from retrieval.fusion.weights import FusionWeights


def weights_from(labelled: Pools, *, seed: int = 0) -> FusionWeights:
    """Weights learned from labelled pools as ``palate fit`` learns them."""
    return learn_from(labelled.pools, labelled.sources, seed=seed)[0]


def places_by(pool: FitPool, sources: Sequence[str], weights: FusionWeights) -> NDArray[np.int64]:
    """Rows of the pool by S, best first; ties in the order of the columns."""
    score = pool.z @ pool.shares(sources, weights)
    return np.argsort(-score, kind="stable")


def ndcg_of(pools: Pools, weights: FusionWeights) -> NDArray[np.float64]:
    """NDCG@10 of S for each user, in [0, 1]."""
    return np.array([one.ndcg_of(places_by(one, pools.sources, weights)) for one in pools.pools])
