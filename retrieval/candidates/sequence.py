"""The order of a user's history: how far back each touch lies."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from retrieval.candidates.matrix import Indices, InteractionMatrix


def steps_back(matrix: InteractionMatrix) -> Indices:
    """How many later instants the same user has; aligned with ``matrix.values.data``.

    0 is the user's newest touch. Touches of the same instant have no order and share a step.
    """
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.values.indptr))
    order = np.lexsort((-matrix.seconds, rows))
    user, at = rows[order], matrix.seconds[order]
    same_user = user[1:] == user[:-1]
    later = np.concatenate([np.zeros(1, np.int64), np.cumsum(same_user & (at[1:] != at[:-1]))])
    first = np.concatenate([np.ones(1, np.bool_), ~same_user])
    starts = np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))
    steps = np.zeros(len(order), dtype=np.int64)
    if len(order):
        steps[order] = later - later[starts]
    return steps


def recent(
    matrix: InteractionMatrix, *, fade: float, last: int | None
) -> csr_array[np.float64, tuple[int, int]]:
    """Weights of the matrix times fade^step; shape (users, items).

    Args:
        matrix: who touched what, and when.
        fade: in (0, 1]; what one step back leaves of a weight.
        last: steps that count, >= 1; ``None`` = the whole history.
    """
    steps = steps_back(matrix)
    keep = np.ones(len(steps), dtype=np.bool_) if last is None else steps < last
    before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(keep)])
    values = matrix.values.data.astype(np.float64) * fade ** steps.astype(np.float64)
    return csr_array(
        (values[keep], matrix.values.indices[keep], before[matrix.values.indptr]),
        shape=matrix.shape,
    )
