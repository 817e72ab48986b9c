"""Learn the weights of S from labelled pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from retrieval.errors import InvalidInput

RIDGE = 10.0
RIDGE_SLOPES = 100.0


@dataclass(frozen=True, eq=False)
class LabelledPool:
    """What one user's sources said, and which rows turned out right.

    Attributes:
        z: float64 (items, sources), as ``pool_features`` gives it.
        positives: rows of ``z``, at least one; never injected, always found by a source.
        g: what the request looks like, shape (features,); ``Context.g``.
    """

    z: NDArray[np.float64]
    positives: tuple[int, ...]
    g: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


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
    stacked = _Stacked(pools, len(start))

    def loss(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, gradients = stacked.loss(np.broadcast_to(w, stacked.targets.shape))
        away = w - start
        return (
            value / stacked.n + ridge / stacked.n * float(away @ away),
            gradients.sum(axis=0) / stacked.n + 2 * ridge / stacked.n * away,
        )

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(start))
    return np.asarray(found.x, dtype=np.float64)


def train_adaptive(
    pools: Sequence[LabelledPool],
    start: NDArray[np.float64],
    ridge: float = RIDGE,
    ridge_slopes: float = RIDGE_SLOPES,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same loss with w_k = max(0, a_k + b_k·g), which a request's context moves.

    Feature-weighted linear stacking (Sill et al., arXiv 0911.0460). Not convex, because of the
    max; L-BFGS-B starts at a = ``start``, b = 0, and where it ends is never worse than that.

    Args:
        pools: one a user; all with the same columns and the same length of g.
        start: weights without context, shape (sources,).
        ridge: as in ``train_weights``, pulling a towards ``start``.
        ridge_slopes: pulls b towards 0.

    Returns:
        a of shape (sources,) and b of shape (features, sources).
    """
    features = len(pools[0].g) if pools else 0
    slopes = np.zeros((features, len(start)))
    if not pools or not features:
        return start.copy(), slopes
    stacked = _Stacked(pools, len(start))
    g = np.array([pool.g for pool in pools])

    def loss(x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        a, b = x[: len(start)], x[len(start) :].reshape(slopes.shape)
        raw = a + g @ b
        value, gradients = stacked.loss(np.maximum(raw, 0.0))
        gradients *= raw > 0
        away = a - start
        penalty = ridge * float(away @ away) + ridge_slopes * float(np.sum(b * b))
        steps = [
            gradients.sum(axis=0) + 2 * ridge * away,
            (g.T @ gradients + 2 * ridge_slopes * b).ravel(),
        ]
        return (value + penalty) / stacked.n, np.concatenate(steps) / stacked.n

    bounds = [(0.0, None)] * len(start) + [(None, None)] * slopes.size
    x = np.concatenate([start, slopes.ravel()])
    found = minimize(loss, x, jac=True, method="L-BFGS-B", bounds=bounds).x
    return found[: len(start)], found[len(start) :].reshape(slopes.shape)


class _Stacked:
    """All pools in one array, cut at ``starts``: one pass a step instead of n."""

    def __init__(self, pools: Sequence[LabelledPool], columns: int) -> None:
        if any(not pool.positives or pool.z.shape[1] != columns for pool in pools):
            raise InvalidInput(
                "a labelled pool lacks a positive or a column", "leave such pools out"
            )
        self.n = len(pools)
        self.targets = np.array([pool.z[list(pool.positives)].mean(axis=0) for pool in pools])
        self.z = np.concatenate([pool.z for pool in pools])
        self.sizes = np.array([len(pool.z) for pool in pools])
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])

    def loss(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Summed −log softmax under weights of shape (pools, columns), and its gradient."""
        scores = np.einsum("ic,ic->i", self.z, np.repeat(weights, self.sizes, axis=0))
        peaks = np.maximum.reduceat(scores, self.starts)
        exponentials = np.exp(scores - np.repeat(peaks, self.sizes))
        sums = np.add.reduceat(exponentials, self.starts)
        softmax = exponentials / np.repeat(sums, self.sizes)
        value = float((np.log(sums) + peaks).sum() - np.sum(self.targets * weights))
        expected = np.add.reduceat(self.z * softmax[:, None], self.starts, axis=0)
        return value, expected - self.targets
