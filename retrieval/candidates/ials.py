"""Implicit-feedback matrix factorisation (Hu, Koren, Volinsky, ICDM 2008), for large catalogues."""

from __future__ import annotations

from typing import Self

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.errors import InvalidInput


class Ials:
    """Alternating least squares; the score is the dot product of user and item factors.

    Args:
        factors: length of a factor vector.
        l2: regularisation.
        alpha: confidence of one unit of weight over an unobserved pair.
        iterations: passes over users and items.
        threads: threads of the solver; the result does not depend on it.
        seed: of the factors' start.
    """

    def __init__(
        self,
        factors: int = 64,
        l2: float = 0.05,
        alpha: float = 10.0,
        iterations: int = 15,
        threads: int = 1,
        seed: int = 0,
    ) -> None:
        if factors < 1 or iterations < 1 or threads < 1 or l2 < 0 or alpha <= 0:
            raise InvalidInput(
                f"factors={factors}, iterations={iterations}, threads={threads}, "
                f"l2={l2}, alpha={alpha}",
                "counts are >= 1, l2 >= 0 and alpha > 0",
            )
        self.factors, self.l2, self.alpha = factors, l2, alpha
        self.iterations, self.threads, self.seed = iterations, threads, seed
        self._users = np.zeros((0, factors), dtype=np.float32)
        self._items = np.zeros((0, factors), dtype=np.float32)

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Factorise; users and items without interactions get factors of 0."""
        users, items = matrix.shape
        if matrix.values.nnz == 0:
            self._users = np.zeros((users, self.factors), dtype=np.float32)
            self._items = np.zeros((items, self.factors), dtype=np.float32)
            return self
        # implicit warns about a threaded BLAS below its own threads; one thread there is faster.
        with threadpool_limits(1, user_api="blas"):
            model = AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.l2,
                alpha=self.alpha,
                iterations=self.iterations,
                num_threads=self.threads,
                random_state=self.seed,
            )
            model.fit(csr_matrix(matrix.values), show_progress=False)
        self._users = np.array(model.user_factors, dtype=np.float32)
        self._items = np.array(model.item_factors, dtype=np.float32)
        touched = np.bincount(matrix.values.indices, minlength=items) > 0
        self._items[~touched] = 0.0
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items)."""
        return np.asarray(self._users[user_indices] @ self._items.T, dtype=np.float32)
