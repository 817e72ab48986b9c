"""Matrix factorisation from pairs of a touched and an untouched item (Rendle et al., UAI 2009)."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from implicit.cpu.bpr import BayesianPersonalizedRanking
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.saved import saved, touched
from retrieval.candidates.user_rows import id_arrays, placed
from retrieval.errors import InvalidInput


class Bpr:
    """Bayesian personalised ranking by stochastic gradient steps; the weights do not count.

    The score is the dot product of the factors plus the item's bias. A user's factors come
    from training alone: who was not there at the fit scores 0 everywhere after ``restore``.

    Args:
        factors: length of a factor vector.
        learning_rate: of a gradient step.
        l2: regularisation.
        iterations: passes; each draws as many pairs as the matrix has.
        threads: of the trainer. More than one is faster and not deterministic.
        seed: of the factors' start and of the drawing.
    """

    def __init__(
        self,
        factors: int = 64,
        learning_rate: float = 0.05,
        l2: float = 0.05,
        iterations: int = 100,
        threads: int = 1,
        seed: int = 0,
    ) -> None:
        if not (
            min(factors, iterations, threads) >= 1
            and 0 < learning_rate < float("inf")
            and 0 <= l2 < float("inf")
        ):
            raise InvalidInput(
                f"factors={factors}, iterations={iterations}, threads={threads}, "
                f"learning_rate={learning_rate}, l2={l2}",
                "counts are >= 1, learning_rate > 0 and l2 >= 0",
            )
        self.factors, self.learning_rate, self.l2 = factors, learning_rate, l2
        self.iterations, self.threads, self.seed = iterations, threads, seed
        self._users = np.zeros((0, factors + 1), dtype=np.float32)
        self._items = np.zeros((0, factors + 1), dtype=np.float32)
        self._known = np.zeros(0, dtype=np.bool_)
        self._user_ids: tuple[str, ...] = ()

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Train; users without interactions score 0 everywhere."""
        users, items = matrix.shape
        self._user_ids = matrix.user_ids
        self._known = touched(matrix)
        if matrix.values.nnz == 0:
            self._users = np.zeros((users, self.factors + 1), dtype=np.float32)
            self._items = np.zeros((items, self.factors + 1), dtype=np.float32)
            return self
        with threadpool_limits(1, user_api="blas"):
            model = BayesianPersonalizedRanking(
                factors=self.factors,
                learning_rate=self.learning_rate,
                regularization=self.l2,
                iterations=self.iterations,
                num_threads=self.threads,
                random_state=self.seed,
            )
            model.fit(csr_matrix(matrix.values), show_progress=False)
        # The last column is the items' bias; users have a 1 there, those without history too.
        self._users = np.array(model.user_factors, dtype=np.float32)
        self._users[np.diff(matrix.values.indptr) == 0] = 0.0
        self._items = np.array(model.item_factors, dtype=np.float32)
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items)."""
        return np.asarray(self._users[user_indices] @ self._items.T, dtype=np.float32)

    @property
    def known(self) -> NDArray[np.bool_]:
        """The items touched at the fit; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Factors, and whose they are."""
        learned = {"users": self._users, "items": self._items, "known": self._known}
        return learned | id_arrays(self._user_ids)

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Find each row's factors by user id; new users get zeros."""
        items, width = matrix.shape[1], self.factors + 1
        self._items = saved(arrays, "items", (items, width)).astype(np.float32, copy=False)
        self._known = saved(arrays, "known", (items,)).astype(np.bool_, copy=False)
        self._users = placed(saved(arrays, "users", (None, width)), arrays, matrix)
        self._user_ids = matrix.user_ids
        return self
