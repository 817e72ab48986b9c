"""Item-item nearest neighbours by cosine (Sarwar et al., WWW 2001)."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.neighbours import keep_best
from retrieval.candidates.saved import Table, saved, saved_table, table_arrays, touched
from retrieval.errors import InvalidInput

_BLOCK = 512


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
        self._neighbours: Table | None = None
        self._known = np.zeros(0, dtype=np.bool_)

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Find each item's neighbours; blocks of items keep memory at block x items."""
        values = matrix.values
        items = matrix.shape[1]
        squares = np.asarray(values.multiply(values).sum(axis=0), dtype=np.float64)
        by_item = values.T.tocsr().astype(np.float64)
        blocks = [csr_array((0, items), dtype=np.float64)]
        for start in range(0, items, _BLOCK):
            overlap = (by_item[start : start + _BLOCK] @ values).tocoo()
            item, other = overlap.coords[0] + start, overlap.coords[1]
            scale = np.sqrt(squares[item] * squares[other]) + self.shrinkage
            cosine = np.where(item == other, 0.0, overlap.data / scale)
            block = csr_array((cosine, (item - start, other)), shape=overlap.shape)
            blocks.append(keep_best(block, self.k))
        self._users = values
        self._neighbours = vstack(blocks, format="csr").astype(np.float32).T.tocsr()
        self._known = touched(matrix)
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items); 0 where no neighbour was touched."""
        if self._users is None or self._neighbours is None:
            raise InvalidInput("ItemKnn was not fitted", "call fit(matrix) first")
        return np.asarray((self._users[user_indices] @ self._neighbours).toarray(), np.float32)

    @property
    def known(self) -> NDArray[np.bool_]:
        """The items touched at the fit; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The similarities to each item's neighbours, sparse."""
        if self._neighbours is None:
            raise InvalidInput("ItemKnn was not fitted", "call fit(matrix) first")
        return {"known": self._known, **table_arrays(self._neighbours)}

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Take the neighbours as learned and the histories as they are now."""
        items = matrix.shape[1]
        self._neighbours = saved_table(arrays, items)
        self._known = saved(arrays, "known", (items,)).astype(np.bool_, copy=False)
        self._users = matrix.values
        return self
