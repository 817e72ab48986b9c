"""Ways to combine a pool that need no labels: what S has to beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agent.fitting.pools import FitPool

RRF_K = 60


def combsum(pool: FitPool) -> NDArray[np.int64]:
    """Rows in the order of the sum of the z-scores (Fox & Shaw, TREC-2)."""
    return np.argsort(-pool.z.sum(axis=1), kind="stable")


def reciprocal_ranks(pool: FitPool, k: int = RRF_K) -> NDArray[np.int64]:
    """Rows in the order of Σ 1/(k + rank) over the sources (Cormack et al., SIGIR 2009).

    A source ranks what it scored; what it left out gains nothing from it.
    """
    gains = np.zeros(len(pool.items))
    for column in range(pool.z.shape[1]):
        there = np.flatnonzero(pool.present[:, column])
        order = there[np.argsort(-pool.z[there, column], kind="stable")]
        gains[order] += 1.0 / (k + 1 + np.arange(len(order)))
    return np.argsort(-gains, kind="stable")
