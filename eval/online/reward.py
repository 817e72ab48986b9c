"""The reward model of the doubly robust estimator: how likely an item is taken at a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from retrieval.types import LoggedItem, LoggedRequest

FEATURES = 5
Features = NDArray[np.float64]
"""Shape (pairs, FEATURES): one, S and the log-odds as z-scores within their request, the discount
1 / log2(1 + place) of the place, and S times the discount."""

_RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Scales:
    """z-scores of a request's candidates by item id."""

    score: dict[str, float]
    log_odds: dict[str, float]

    @classmethod
    def of(cls, request: LoggedRequest) -> Scales:
        """Items without log-odds count as average."""
        told = [item for item in request.items if item.log_odds is not None]
        return cls(
            score=_z({item.item_id: item.score for item in request.items}),
            log_odds=_z({item.item_id: item.log_odds or 0.0 for item in told}),
        )

    def row(self, item: LoggedItem, place: int) -> list[float]:
        """Features of an item at a place from 1."""
        discount = 1 / float(np.log2(1 + place))
        score = self.score[item.item_id]
        return [1.0, score, self.log_odds.get(item.item_id, 0.0), discount, score * discount]


def _z(values: dict[str, float]) -> dict[str, float]:
    numbers = np.array(list(values.values()))
    spread = float(numbers.std()) if numbers.size else 0.0
    if spread == 0:
        return dict.fromkeys(values, 0.0)
    return {name: (value - float(numbers.mean())) / spread for name, value in values.items()}


def fit(features: Features, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients of a logistic regression, shape (FEATURES,), with a small ridge on all of them.

    The ridge keeps them finite also where nothing, or everything, was taken. No rows give
    zeros, which predict 1/2.
    """
    if not rewards.size:
        return np.zeros(features.shape[1])

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = features @ w
        value = -float(rewards @ log_expit(margin) + (1 - rewards) @ log_expit(-margin))
        slope = features.T @ (expit(margin) - rewards)
        return value + _RIDGE / 2 * float(w @ w), slope + _RIDGE * w

    found = minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B")
    weights: NDArray[np.float64] = found.x
    return weights


def predict(features: Sequence[Sequence[float]], weights: NDArray[np.float64]) -> Features:
    """Probabilities in (0, 1), one a row; empty for no rows."""
    if not features:
        return np.empty(0)
    probabilities: Features = expit(np.array(features) @ weights)
    return probabilities
