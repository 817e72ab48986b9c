"""Unit vectors in memory: exact search among any subset, which beats an index at small sizes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.ports import Vectors
from retrieval.types import ScoredItem


class ExactVectors:
    """Id to unit vector, kept in one matrix that grows by doubling. Not thread-safe."""

    def __init__(self, dimension: int) -> None:
        self._matrix: Vectors = np.empty((0, dimension), dtype=np.float32)
        self._ids: list[str] = []
        self._row: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def put(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Insert or replace rows; ``vectors`` has shape (len(ids), dimension)."""
        new = len(self._ids) + sum(identifier not in self._row for identifier in ids)
        if new > len(self._matrix):
            grown = np.empty((max(new, 2 * len(self._matrix)), self._matrix.shape[1]), np.float32)
            grown[: len(self._ids)] = self._matrix[: len(self._ids)]
            self._matrix = grown
        for identifier, vector in zip(ids, vectors, strict=True):
            row = self._row.setdefault(identifier, len(self._ids))
            if row == len(self._ids):
                self._ids.append(identifier)
            self._matrix[row] = vector

    def remove(self, ids: Collection[str]) -> None:
        """Forget; unknown ids are ignored. The last row moves into the gap."""
        for identifier in ids:
            row = self._row.pop(identifier, None)
            if row is None:
                continue
            last = self._ids.pop()
            if last != identifier:
                self._ids[row] = last
                self._row[last] = row
                self._matrix[row] = self._matrix[len(self._ids)]

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: Collection[str]
    ) -> list[ScoredItem]:
        """The ``k`` best by dot product among ``allowed``; equal scores in id order."""
        rows = [self._row[identifier] for identifier in allowed if identifier in self._row]
        if not rows or k <= 0:
            return []
        # One product over everything is faster than gathering most of the rows first.
        if 4 * len(rows) > len(self._ids):
            scores = (self._matrix[: len(self._ids)] @ vector)[rows]
        else:
            scores = self._matrix[rows] @ vector
        return best([self._ids[row] for row in rows], scores, k)


def best(ids: Sequence[str], scores: NDArray[np.float32], k: int) -> list[ScoredItem]:
    """The ``k`` highest scores, best first, equal ones in id order; clipped to [-1, 1]."""
    k = min(k, len(ids))
    # Everything that ties with the k-th takes part, so that ties do not depend on row order.
    floor = np.partition(scores, len(scores) - k)[len(scores) - k]
    found = [
        ScoredItem(ids[row], float(min(1.0, max(-1.0, scores[row]))))
        for row in np.flatnonzero(scores >= floor)
    ]
    return sorted(found, key=lambda scored: (-scored.score, scored.item_id))[:k]
