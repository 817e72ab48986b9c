"""Whose rows a saved table of users holds, and where those users stand now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.saved import saved


def id_arrays(user_ids: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Ids as plain arrays: UTF-8, one after the other, and where each ends."""
    ids = [user_id.encode() for user_id in user_ids]
    return {
        "user_ids": np.frombuffer(b"".join(ids), dtype=np.uint8),
        "user_ends": np.cumsum([len(one) for one in ids], dtype=np.int64),
    }


def placed(
    users: NDArray[np.float32], arrays: Arrays, matrix: InteractionMatrix
) -> NDArray[np.float32]:
    """The saved rows where their users stand in the matrix; zeros for all other users.

    Args:
        users: one row for each id in ``arrays``.
        arrays: with those of ``id_arrays``.
        matrix: users as they are now.

    Raises:
        InvalidInput: an array is missing or of another number of users.
    """
    ends = saved(arrays, "user_ends", (len(users),)).tolist()
    ids = saved(arrays, "user_ids", (ends[-1] if ends else 0,)).tobytes()
    found = np.zeros((matrix.shape[0], users.shape[1]), dtype=np.float32)
    for at, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        row = matrix.user_index.get(ids[start:end].decode())
        if row is not None:
            found[row] = users[at]
    return found
