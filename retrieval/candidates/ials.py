"""Implicit-feedback matrix factorisation (Hu, Koren, Volinsky, ICDM 2008), for large catalogues."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.saved import saved, touched
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
        l2: float = 30.0,
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
        self._known = np.zeros(0, dtype=np.bool_)

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Factorise; users and items without interactions get factors of 0."""
        self._known = touched(matrix)
        self._items = np.zeros((matrix.shape[1], self.factors), dtype=np.float32)
        if matrix.values.nnz:
            # implicit warns about a threaded BLAS below its own threads; one is faster there.
            with threadpool_limits(1, user_api="blas"):
                model = self._model()
                model.fit(csr_matrix(matrix.values), show_progress=False)
            self._items[self._known] = model.item_factors[self._known]
        # The solver ends with the items and solves roughly; one exact step for the users more
        # makes a fit the same as a restore.
        self._users = self.fold_in(matrix, self._items)
        return self

    def fold_in(
        self, matrix: InteractionMatrix, item_factors: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """User factors for given item factors: one exact half step of ALS.

        Args:
            matrix: any rows, and a column for each item factor.
            item_factors: shape (items, factors); 0 for an item that says nothing.

        Returns:
            float32 of shape (users, factors); 0 for a row without a telling item.
        """
        users = matrix.shape[0]
        telling = np.flatnonzero(item_factors.any(axis=1))
        values = csr_matrix(matrix.values.tocsc()[:, telling])
        if values.nnz == 0:
            return np.zeros((users, self.factors), dtype=np.float32)
        with threadpool_limits(1, user_api="blas"):
            model = self._model()
            model.item_factors = item_factors[telling]
            solved = model.recalculate_user(np.arange(users), values)
        return np.asarray(solved, dtype=np.float32)

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items)."""
        return np.asarray(self._users[user_indices] @ self._items.T, dtype=np.float32)

    @property
    def known(self) -> NDArray[np.bool_]:
        """The items touched at the fit; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The item factors; those of users follow from them."""
        return {"items": self._items, "known": self._known}

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Take the item factors as learned and fold in every history as it is now."""
        items = matrix.shape[1]
        self._items = saved(arrays, "items", (items, self.factors)).astype(np.float32, copy=False)
        self._known = saved(arrays, "known", (items,)).astype(np.bool_, copy=False)
        self._users = self.fold_in(matrix, self._items)
        return self

    def _model(self) -> AlternatingLeastSquares:
        return AlternatingLeastSquares(
            factors=self.factors,
            regularization=self.l2,
            alpha=self.alpha,
            iterations=self.iterations,
            num_threads=self.threads,
            random_state=self.seed,
        )
