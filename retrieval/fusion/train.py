"""Learn the weights of S from labelled pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from retrieval.errors import InvalidInput

RIDGE = 10.0


@dataclass(frozen=True, eq=False)
class LabelledPool:
    """What one user's sources said, and which rows turned out right.

    Attributes:
        z: float64 (items, sources), as ``pool_features`` gives it.
        positives: rows of ``z``, at least one; never injected, always found by a source.
    """

    z: NDArray[np.float64]
    positives: tuple[int, ...]


def train_weights(
    pools: Sequence[LabelledPool], start: NDArray[np.float64], ridge: float = RIDGE
) -> NDArray[np.float64]:
    """Minimise −mean log softmax of the positive over its pool + (λ/n)·‖w − w₀‖², w >= 0.

    A user with several positives counts as one: the mean over them. Convex, so the
    result does not depend on where L-BFGS-B starts.

    Args:
        pools: one a user; all with the same columns.
        start: w₀ of shape (sources,), usually the best single source.
        ridge: λ; the more labels, the less it matters.

    Returns:
        w of shape (sources,); ``start`` itself when there is no pool.
    """
    if not pools:
        return start.copy()
    if any(not pool.positives or pool.z.shape[1] != len(start) for pool in pools):
        raise InvalidInput("a labelled pool lacks a positive or a column", "leave such pools out")
    targets = np.array([pool.z[list(pool.positives)].mean(axis=0) for pool in pools])
    # All pools in one array, cut at ``starts``: one matrix product a step instead of n.
    z = np.concatenate([pool.z for pool in pools])
    sizes = np.array([len(pool.z) for pool in pools])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    target = targets.sum(axis=0)
    n = len(pools)

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = z @ w
        peaks = np.maximum.reduceat(scores, starts)
        exponentials = np.exp(scores - np.repeat(peaks, sizes))
        sums = np.add.reduceat(exponentials, starts)
        softmax = exponentials / np.repeat(sums, sizes)
        away = w - start
        value = (np.log(sums) + peaks).sum() - target @ w
        gradient = softmax @ z - target
        return (
            float(value / n + ridge / n * (away @ away)),
            gradient / n + 2 * ridge / n * away,
        )

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(start))
    return np.asarray(found.x, dtype=np.float64)
