"""Items whose text or picture is near to what the user took."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.sequence import recent
from retrieval.errors import InvalidInput


class Content:
    """Cosine between an item's vector and the mean of the vectors of the user's history.

    Nothing is learned of others, so an item that nobody touched is reached as well as any.
    A row of zeros stands for an item without a vector: it scores 0 and teaches nothing.

    Args:
        vectors: float32 of shape (items, d), of the matrix's columns; any norm.
        half_life: steps back in a history that halve an item's say, > 0; ``None`` = no decay.
        last: of the user's latest steps count, >= 1; ``None`` = all.

    Raises:
        InvalidInput: a setting is out of range, or the vectors are no finite table.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32],
        half_life: float | None = None,
        last: int | None = None,
    ) -> None:
        if half_life is not None and not 0 < half_life < float("inf"):
            raise InvalidInput(f"half life of {half_life} steps", "give a positive number")
        if last is not None and last < 1:
            raise InvalidInput(f"last={last}", "give a count >= 1")
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise InvalidInput(
                f"vectors of shape {vectors.shape} are no finite table",
                "give a row to each item, of zeros where it has no vector",
            )
        self.half_life, self.last = half_life, last
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._known: NDArray[np.bool_] = norms[:, 0] > 0
        self._vectors = np.where(norms > 0, vectors / np.where(norms > 0, norms, 1), 0).astype(
            np.float32
        )
        self._latest: csr_array[np.float64, tuple[int, int]] | None = None

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Remember the histories.

        Raises:
            InvalidInput: the vectors are of another number of items.
        """
        if matrix.shape[1] != len(self._vectors):
            raise InvalidInput(
                f"{len(self._vectors)} vectors for {matrix.shape[1]} items",
                "give one row to every column of the matrix, in its order",
            )
        fade = 1.0 if self.half_life is None else 2.0 ** (-1 / self.half_life)
        self._latest = recent(matrix, fade=fade, last=self.last)
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items), in [-1, 1]; 0 without any vector."""
        if self._latest is None:
            raise InvalidInput("Content was not fitted", "call fit(matrix) first")
        tastes = np.asarray(self._latest[user_indices] @ self._vectors, dtype=np.float64)
        norms = np.linalg.norm(tastes, axis=1, keepdims=True)
        tastes /= np.where(norms > 0, norms, 1)
        return np.asarray(tastes.astype(np.float32) @ self._vectors.T, dtype=np.float32)

    @property
    def known(self) -> NDArray[np.bool_]:
        """The items that have a vector; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Nothing: the vectors are given, the histories are the matrix's."""
        return {}

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Look at the histories as they are now; ``arrays`` holds nothing."""
        return self.fit(matrix)
