"""The ``graph`` source: signals that pass a low-pass filter on the graph of users and items."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from scipy.sparse.linalg import svds

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.neighbours import keep_best
from retrieval.candidates.saved import Table, saved, saved_table, table_arrays, touched
from retrieval.errors import InvalidInput

_BLOCK = 512


class GraphFilter:
    """Scores x_u (P + alpha D^-1/2 V V' D^1/2) of GF-CF (Shen et al., CIKM 2021).

    R~ is the matrix divided by the roots of both degrees, P = R~'R~ joins items at two steps in
    the graph, and V spans its smoothest directions, the ``rank`` largest singular vectors of
    R~. What LightGCN learns by gradient descent is close to this filter, which has a closed form.

    Args:
        rank: directions of V; less where the matrix has less.
        alpha: weight of the smooth part, >= 0.
        k: neighbours kept in each row of P, and those equal to the k-th.
    """

    def __init__(self, rank: int = 64, alpha: float = 0.3, k: int = 500) -> None:
        if rank < 1 or k < 1 or not 0 <= alpha < np.inf:
            raise InvalidInput(f"rank={rank}, alpha={alpha}, k={k}", "rank, k >= 1 and alpha >= 0")
        self.rank, self.alpha, self.k = rank, alpha, k
        self._users: csr_array[np.float32, tuple[int, int]] | None = None
        self._near: Table | None = None
        self._into = self._out = np.zeros((0, 0), dtype=np.float32)
        self._known = np.zeros(0, dtype=np.bool_)

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Normalise, join and decompose; blocks of items keep memory at block x items."""
        items = matrix.shape[1]
        values = matrix.values.astype(np.float64)
        roots = np.sqrt(np.maximum(_degrees(values, 0), 1e-12))
        normal = _scaled(values, 1 / np.sqrt(np.maximum(_degrees(values, 1), 1e-12)), 1 / roots)
        by_item = normal.T.tocsr()
        blocks = [csr_array((0, items), dtype=np.float64)]
        for start in range(0, items, _BLOCK):
            joined = csr_array(by_item[start : start + _BLOCK] @ normal)
            blocks.append(keep_best(joined, self.k))
        self._near = vstack(blocks, format="csr").astype(np.float32)
        self._known = touched(matrix)
        smooth = _smoothest(normal, self.rank)
        scale = np.where(self._known, roots, 0.0)[:, None]
        self._into = (smooth / roots[:, None] * self.alpha).astype(np.float32)
        self._out = (smooth * scale).astype(np.float32)
        self._users = matrix.values
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items)."""
        if self._users is None or self._near is None:
            raise InvalidInput("GraphFilter was not fitted", "call fit(matrix) first")
        rows = self._users[user_indices]
        scores = (rows @ self._near).toarray() + (rows @ self._into) @ self._out.T
        return np.asarray(scores, dtype=np.float32)

    @property
    def known(self) -> NDArray[np.bool_]:
        """The items touched at the fit; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """P, sparse, and both sides of the smooth part."""
        if self._near is None:
            raise InvalidInput("GraphFilter was not fitted", "call fit(matrix) first")
        smooth = {"known": self._known, "into": self._into, "out": self._out}
        return smooth | table_arrays(self._near)

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Take the filter as learned and the histories as they are now."""
        items = matrix.shape[1]
        self._near = saved_table(arrays, items)
        self._known = saved(arrays, "known", (items,)).astype(np.bool_, copy=False)
        self._into = saved(arrays, "into", (items, None)).astype(np.float32, copy=False)
        width = self._into.shape[1]
        self._out = saved(arrays, "out", (items, width)).astype(np.float32, copy=False)
        self._users = matrix.values
        return self


def _degrees(values: csr_array[np.float64, tuple[int, int]], axis: int) -> NDArray[np.float64]:
    return np.asarray(values.sum(axis=axis), dtype=np.float64).ravel()


def _scaled(
    values: csr_array[np.float64, tuple[int, int]],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
) -> csr_array[np.float64, tuple[int, int]]:
    lengths = np.diff(values.indptr)
    data = values.data * np.repeat(rows, lengths) * columns[values.indices]
    return csr_array((data, values.indices, values.indptr), shape=values.shape)


def _smoothest(normal: csr_array[np.float64, tuple[int, int]], rank: int) -> NDArray[np.float64]:
    """Right singular vectors of the largest singular values; shape (items, <= rank)."""
    smaller = min(normal.shape)
    if smaller == 0 or normal.nnz == 0:
        return np.zeros((normal.shape[1], 0))
    if smaller <= rank + 1:
        _, sizes, found = np.linalg.svd(normal.toarray(), full_matrices=False)
        return np.asarray(found[:rank][sizes[:rank] > 1e-9].T)
    # A fixed start: the solver would draw one, and two fits would differ.
    start = np.random.default_rng(0).normal(size=smaller)
    return np.asarray(svds(normal, k=rank, v0=start)[2].T)
