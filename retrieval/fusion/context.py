"""What a request looks like, as far as it decides whom to trust: g of the weights w_k(g)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.fusion.features import PoolFeatures

FEATURES = ("history", "disagreement", "pictured")
"""Names of the entries of g, in their order."""

STRANGER = "stranger"
_STRATA = ((2, "1-2"), (5, "3-5"), (10, "6-10"), (20, "11-20"))
_LONGEST = "21+"
STRATA = (STRANGER, *(name for _, name in _STRATA), _LONGEST)
"""Histories by their length, the shortest first."""


@dataclass(frozen=True, slots=True)
class Context:
    """One request.

    Attributes:
        history: items that the user touched before, >= 0; 0 = a stranger.
        disagreement: in [0, 1]; 0 where all sources order the pool alike, 1/2 where they know
            nothing of each other.
        pictured: share of the pool that the ``picture`` source scored, in [0, 1].
    """

    history: int = 0
    disagreement: float = 0.0
    pictured: float = 0.0

    @property
    def stratum(self) -> str:
        """One of ``STRATA``."""
        return stratum_of(self.history)

    @property
    def g(self) -> NDArray[np.float64]:
        """float64 of shape (3,), each entry around 0; a history counts by its logarithm."""
        length = math.log1p(min(max(self.history, 0), 1000)) - 2.0
        return np.array([length, self.disagreement - 0.5, self.pictured - 0.5])


def stratum_of(history: int) -> str:
    """The stratum of a history of so many items."""
    if history <= 0:
        return STRANGER
    return next((name for most, name in _STRATA if history <= most), _LONGEST)


def context_of(features: PoolFeatures, history: int) -> Context:
    """The context of a request with this pool."""
    pictured = 0.0
    if "picture" in features.sources and len(features.item_ids):
        pictured = float(features.present[:, features.sources.index("picture")].mean())
    return Context(history, disagreement(features.z), pictured)


def disagreement(z: NDArray[np.float64]) -> float:
    """(1 - mean correlation of two sources) / 2 over the pool; 0 with fewer than two.

    Args:
        z: shape (items, sources), as ``pool_features`` gives it; constant columns say nothing
            and are left out.
    """
    live = z[:, np.any(z != 0, axis=0)]
    sources = live.shape[1]
    if sources < 2:
        return 0.0
    centred = live - live.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    unit = centred / np.where(norms > 0, norms, 1.0)
    # The sum of all correlations is the squared length of the sum of the unit columns.
    pairs = (np.sum(unit.sum(axis=1) ** 2) - sources) / (sources * (sources - 1))
    return float(np.clip((1.0 - pairs) / 2.0, 0.0, 1.0))
