"""EASE: a linear item-item model in closed form (Steck, WWW 2019, arXiv 1905.03375)."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import csr_array

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.saved import saved, touched
from retrieval.errors import InvalidInput


class Ease:
    """Weights B = I - P diag(1/P_ii) with P = (X'X + l2 I)^-1 and a zero diagonal.

    Args:
        l2: regularisation. 300 is the reference setting.

    Cost: items^3 time and one items x items float64 array while fitting; keep to
    20,000 items. Solved in float64, kept in float32.
    """

    def __init__(self, l2: float = 300.0) -> None:
        if not 0 < l2 < float("inf"):
            raise InvalidInput(f"l2={l2}", "give a positive number")
        self.l2 = l2
        self._users: csr_array[np.float32, tuple[int, int]] | None = None
        self._weights = np.zeros((0, 0), dtype=np.float32)
        self._known = np.zeros(0, dtype=np.bool_)

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Invert the regularised Gram matrix by Cholesky, which is exact and deterministic."""
        self._users = matrix.values
        self._known = touched(matrix)
        items = matrix.shape[1]
        if items == 0:
            self._weights = np.zeros((0, 0), dtype=np.float32)
            return self
        values = matrix.values.astype(np.float64)
        gram = np.asfortranarray((values.T @ values).toarray())
        gram[np.diag_indices(items)] += self.l2
        factor, failed = lapack.dpotrf(gram, lower=1, overwrite_a=1)
        if failed:
            raise InvalidInput(f"l2={self.l2} leaves the item matrix singular", "use a larger l2")
        inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
        for item in range(items):  # LAPACK fills the lower triangle only
            inverse[item, item + 1 :] = inverse[item + 1 :, item]
        inverse /= -np.diag(inverse).copy()
        inverse[np.diag_indices(items)] = 0.0
        self._weights = np.ascontiguousarray(inverse, dtype=np.float32)
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items)."""
        if self._users is None:
            raise InvalidInput("Ease was not fitted", "call fit(matrix) first")
        return np.asarray(self._users[user_indices] @ self._weights, dtype=np.float32)

    @property
    def known(self) -> NDArray[np.bool_]:
        """The items touched at the fit; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The item-item weights, items x items."""
        if self._users is None:
            raise InvalidInput("Ease was not fitted", "call fit(matrix) first")
        return {"weights": self._weights, "known": self._known}

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Take the weights as learned and the histories as they are now."""
        items = matrix.shape[1]
        self._weights = saved(arrays, "weights", (items, items)).astype(np.float32, copy=False)
        self._known = saved(arrays, "known", (items,)).astype(np.bool_, copy=False)
        self._users = matrix.values
        return self
