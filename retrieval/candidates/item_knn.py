"""Item-item nearest neighbours by cosine (Sarwar et al., WWW 2001)."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.errors import InvalidInput

_BLOCK = 512
_SAME = 1e-12  # relative difference below which two cosines are the same number


class ItemKnn:
    """Score of an item = summed similarity to those of the user's items that are its neighbours.

    Args:
        k: neighbours kept for each item, plus those exactly as similar as the k-th: dropping
            some of them by their place in the catalogue would make the result depend on it.
        shrinkage: added to the cosine's denominator; damps pairs that few users share.
    """

    def __init__(self, k: int = 200, shrinkage: float = 0.0) -> None:
        if k < 1 or shrinkage < 0:
            raise InvalidInput(f"k={k}, shrinkage={shrinkage}", "k >= 1 and shrinkage >= 0")
        self.k = k
        self.shrinkage = shrinkage
        self._users: csr_array[np.float32, tuple[int, int]] | None = None
        self._neighbours: csr_array[np.float32, tuple[int, int]] | None = None

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Find each item's neighbours; blocks of items keep memory at block x items."""
        values = matrix.values
        items = matrix.shape[1]
        squares = np.asarray(values.multiply(values).sum(axis=0), dtype=np.float64)
        by_item = values.T.tocsr().astype(np.float64)
        data, columns, lengths = [], [], [0]
        for start in range(0, items, _BLOCK):
            block = (by_item[start : start + _BLOCK] @ values).tocsr()
            block.sort_indices()
            for offset in range(block.shape[0]):
                item = start + offset
                span = slice(block.indptr[offset], block.indptr[offset + 1])
                other, overlap = block.indices[span], block.data[span]
                other, overlap = other[other != item], overlap[other != item]
                similarity = overlap / (np.sqrt(squares[item] * squares[other]) + self.shrinkage)
                if len(other) > self.k:
                    kth = np.partition(similarity, -self.k)[-self.k]
                    keep = similarity >= kth * (1 - _SAME)
                    other, similarity = other[keep], similarity[keep]
                columns.append(other)
                data.append(similarity)
                lengths.append(len(other))
        self._users = values
        self._neighbours = csr_array(
            (
                np.concatenate([np.zeros(0), *data]).astype(np.float32),
                np.concatenate([np.zeros(0, dtype=np.int64), *columns]),
                np.cumsum(lengths),
            ),
            shape=(items, items),
        ).T.tocsr()
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items); 0 where no neighbour was touched."""
        if self._users is None or self._neighbours is None:
            raise InvalidInput("ItemKnn was not fitted", "call fit(matrix) first")
        return np.asarray((self._users[user_indices] @ self._neighbours).toarray(), np.float32)
