"""Items whose profile is near to the user's profile, for many users at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.errors import InvalidInput


class ProfileMatch:
    """Cosine between a user's and an item's profile vector, as ``DenseSource`` gives one by one.

    Nothing is learned and no history is read: the profiles say it all. A row of zeros stands
    for somebody or something without a profile. Such an item scores 0, such a user too.

    Args:
        user_vectors: float32 of shape (users, d), any norm.
        item_vectors: float32 of shape (items, d), any norm; of the matrix's columns.
        user_ids: whose ``user_vectors`` are; the rows of a matrix are found by them, and a
            row of anybody else scores 0 everywhere.

    Raises:
        InvalidInput: the vectors are no finite tables, differ in d, or are not one to an id.
    """

    def __init__(
        self,
        user_vectors: NDArray[np.float32],
        item_vectors: NDArray[np.float32],
        user_ids: Sequence[str],
    ) -> None:
        self._users, self._items = _unit(user_vectors), _unit(item_vectors)
        self._place = {user_id: at for at, user_id in enumerate(user_ids)}
        if self._users.shape[1] != self._items.shape[1]:
            raise InvalidInput(
                f"vectors of users have {self._users.shape[1]} dimensions, those of items"
                f" {self._items.shape[1]}",
                "embed both with the same model",
            )
        if not len(self._place) == len(user_ids) == len(self._users):
            raise InvalidInput(
                f"{len(self._users)} vectors for {len(self._place)} different users",
                "give one row to every user, and each user once",
            )
        self._known = np.asarray(self._items.any(axis=1), dtype=np.bool_)
        self._rows: Indices | None = None

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Find the users in the rows.

        Raises:
            InvalidInput: the vectors are of another number of items.
        """
        if matrix.shape[1] != len(self._items):
            raise InvalidInput(
                f"{len(self._items)} vectors for {matrix.shape[1]} items",
                "give one row to every column of the matrix, in its order",
            )
        rows = [self._place.get(user_id, -1) for user_id in matrix.user_ids]
        self._rows = np.array(rows, dtype=np.int64)
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items), in [-1, 1]; 0 without a vector."""
        if self._rows is None:
            raise InvalidInput("ProfileMatch was not fitted", "call fit(matrix) first")
        places = self._rows[user_indices]
        tastes = np.zeros((len(places), self._items.shape[1]), dtype=np.float32)
        tastes[places >= 0] = self._users[places[places >= 0]]
        return np.clip(tastes @ self._items.T, -1, 1)

    @property
    def known(self) -> NDArray[np.bool_]:
        """The items that have a vector; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Nothing: the vectors are given."""
        return {}

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Find the users in the rows as they are now; ``arrays`` holds nothing."""
        return self.fit(matrix)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of norm 1; a row of zeros stays one."""
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise InvalidInput(
            f"vectors of shape {vectors.shape} are no finite table",
            "give a row to each, of zeros where there is no vector",
        )
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), dtype=np.float32)
