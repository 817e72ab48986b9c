"""People whose histories hold the user's latest items, and what else they took."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.neighbours import keep_best
from retrieval.candidates.saved import touched
from retrieval.candidates.sequence import recent
from retrieval.errors import InvalidInput

_BLOCK = 256

Weights = csr_array[np.float64, tuple[int, int]]


class SessionKnn:
    """Session-based nearest neighbours (Jannach and Ludewig, RecSys 2017), vector variant.

    A history is one session. Neighbours are the ``k`` other users with the most of the
    user's latest items, each item weighing fade^step back; an item scores the sum of its
    owners' similarities, times log(users / its owners), so that what everybody has says little.

    Args:
        k: neighbours of a user, plus those exactly as similar as the k-th; >= 1.
        sample: of an item's owners only the latest this many can be neighbours; bounds the
            cost of popular items; >= 1.
        last: of the user's latest steps count, >= 1.
        fade: what one step back leaves of an item's say; in (0, 1].

    It learns nothing that the matrix does not hold: ``restore`` is another ``fit``.
    """

    def __init__(
        self, k: int = 500, sample: int = 1000, last: int = 20, fade: float = 0.85
    ) -> None:
        if not (min(k, sample, last) >= 1 and 0 < fade <= 1):
            raise InvalidInput(
                f"k={k}, sample={sample}, last={last}, fade={fade}",
                "counts are >= 1 and fade is in (0, 1]",
            )
        self.k, self.sample, self.last, self.fade = k, sample, last, fade
        self._known = np.zeros(0, dtype=np.bool_)
        self._latest: Weights | None = None
        self._owners: Weights | None = None
        self._tastes: Weights | None = None

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Keep each item's latest owners and every user's latest items."""
        users = matrix.shape[0]
        values = matrix.values.astype(np.float64)
        owners = np.bincount(values.indices, minlength=matrix.shape[1])
        rarity = np.log((users + 1) / np.maximum(owners, 1))
        length = np.sqrt(np.maximum(np.diff(values.indptr), 1))
        self._tastes = csr_array(
            (values.data * rarity[values.indices], values.indices, values.indptr),
            shape=values.shape,
        )
        self._owners = self._latest_owners(matrix, 1 / length)
        self._latest = recent(matrix, fade=self.fade, last=self.last)
        self._known = touched(matrix)
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items); 0 for what no neighbour has."""
        if self._latest is None or self._owners is None or self._tastes is None:
            raise InvalidInput("SessionKnn was not fitted", "call fit(matrix) first")
        scores = np.zeros((len(user_indices), self._latest.shape[1]), dtype=np.float32)
        for start in range(0, len(user_indices), _BLOCK):
            rows = user_indices[start : start + _BLOCK]
            shared = (self._latest[rows] @ self._owners).tocsr()
            own = np.repeat(rows, np.diff(shared.indptr))
            shared.data[shared.indices == own] = 0.0  # nobody is their own neighbour
            near = keep_best(shared, self.k)
            scores[start : start + _BLOCK] = (near @ self._tastes).toarray()
        return scores

    @property
    def known(self) -> NDArray[np.bool_]:
        """The items that anybody touched; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Nothing: the matrix holds it all."""
        return {}

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Look at the histories as they are now; ``arrays`` holds nothing."""
        return self.fit(matrix)

    def _latest_owners(self, matrix: InteractionMatrix, say: NDArray[np.float64]) -> Weights:
        """Shape (items, users): an owner's weight, times ``say`` of the user."""
        values = matrix.values
        user = np.repeat(np.arange(matrix.shape[0]), np.diff(values.indptr))
        order = np.lexsort((user, -matrix.seconds, values.indices))
        item = values.indices[order]
        starts = np.searchsorted(item, np.arange(matrix.shape[1]))
        order = order[np.arange(len(order)) - starts[item] < self.sample]
        return csr_array(
            (
                values.data[order].astype(np.float64) * say[user[order]],
                (values.indices[order], user[order]),
            ),
            shape=(matrix.shape[1], matrix.shape[0]),
        )
