"""How well an estimator ranks what users took later: what its settings are chosen by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.errors import InvalidInput

_BLOCK = 512


@dataclass(frozen=True, eq=False)
class ValidationPairs:
    """What some users took after the matrix ended.

    Attributes:
        rows: their rows of the matrix; shape (n,).
        positives: the columns that each of them took; n arrays, none of them empty.
    """

    rows: Indices
    positives: Sequence[Indices]

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.positives) or not all(map(len, self.positives)):
            raise InvalidInput(
                f"{len(self.rows)} rows with {sum(map(bool, map(len, self.positives)))} "
                "lists of positives",
                "give each row the columns that its user took, and leave out who took none",
            )

    def only(self, items: NDArray[np.bool_]) -> ValidationPairs:
        """The positives among ``items`` (mask of shape (items,)), of the users who have any."""
        kept = [columns[items[columns]] for columns in self.positives]
        some = [at for at, columns in enumerate(kept) if len(columns)]
        return ValidationPairs(self.rows[some], [kept[at] for at in some])


def mean_ndcg(
    score_users: Callable[[Indices], NDArray[np.float32]],
    matrix: InteractionMatrix,
    pairs: ValidationPairs,
    *,
    among: NDArray[np.bool_] | None = None,
    k: int = 10,
) -> float:
    """Mean NDCG@k over the rows, in [0, 1]; NaN without rows.

    What a user already has is not ranked. Gains are binary. A positive stands behind all
    items with the same score, so that a constant score earns nothing.

    Args:
        score_users: of an estimator.
        matrix: whose rows ``pairs`` names.
        pairs: what to find.
        among: mask of the items that are ranked, shape (items,); ``None`` = all.
        k: the cut-off.
    """
    if not len(pairs.rows):
        return math.nan
    discounts = 1.0 / np.log2(np.arange(k) + 2)
    total = 0.0
    for start in range(0, len(pairs.rows), _BLOCK):
        rows = pairs.rows[start : start + _BLOCK]
        scores = np.array(score_users(rows), dtype=np.float32)
        if among is not None:
            scores[:, ~among] = -np.inf
        for own, row, positives in zip(
            scores, rows.tolist(), pairs.positives[start : start + _BLOCK], strict=True
        ):
            own[matrix.items_of(row)] = -np.inf
            ranks = np.array([np.count_nonzero(own >= own[item]) - 1 for item in positives])
            found = ranks[(ranks < k) & np.isfinite(own[positives])]
            total += discounts[found].sum() / discounts[: len(positives)].sum()
    return total / len(pairs.rows)


def hold_out(
    matrix: InteractionMatrix, *, share: float = 0.1, seed: int = 0
) -> tuple[InteractionMatrix, ValidationPairs]:
    """The matrix without the last interaction of some users, and those interactions.

    Args:
        matrix: what is known.
        share: of the users with two interactions or more; at least one of them.
        seed: of the choice.

    Returns:
        A matrix of the same shape, and the pairs; no pairs where nobody has two.
    """
    indptr = matrix.values.indptr
    able = np.flatnonzero(np.diff(indptr) >= 2)
    count = min(len(able), max(1, round(share * len(able))))
    rows = np.sort(np.random.default_rng(seed).permutation(able)[:count]).astype(np.int64)
    last = np.array(
        [
            indptr[row] + int(np.argmax(matrix.seconds[indptr[row] : indptr[row + 1]]))
            for row in rows.tolist()
        ],
        dtype=np.int64,
    )
    kept = np.ones(matrix.values.nnz, dtype=np.bool_)
    kept[last] = False
    values = csr_array(
        (
            matrix.values.data[kept],
            matrix.values.indices[kept],
            indptr - np.searchsorted(last, indptr),
        ),
        shape=matrix.shape,
    )
    left = InteractionMatrix(matrix.user_ids, matrix.item_ids, values, matrix.seconds[kept])
    taken = matrix.values.indices[last].astype(np.int64)
    return left, ValidationPairs(rows, list(taken[:, None]))
