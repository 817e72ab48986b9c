"""Who is nearest to whom: the best entries of each row of a sparse table."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

_SAME = 1e-12  # relative difference below which two similarities are the same number


Similarities = csr_array[np.float64, tuple[int, int]]


def keep_best(table: Similarities, k: int) -> Similarities:
    """The ``k`` largest entries of each row, all > 0, plus those that equal the k-th.

    Dropping some of the equals by their place would make the result depend on it.

    Args:
        table: shape (rows, columns).
        k: >= 1.
    """
    keep = table.data > 0
    for row in np.flatnonzero(np.diff(table.indptr) > k):
        span = slice(table.indptr[row], table.indptr[row + 1])
        values = table.data[span]
        keep[span] &= values >= np.partition(values, -k)[-k] * (1 - _SAME)
    before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(keep)])
    return csr_array(
        (table.data[keep], table.indices[keep], before[table.indptr]), shape=table.shape
    )
