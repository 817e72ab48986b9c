"""What an estimator learned, as plain arrays and back, checked on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.errors import InvalidInput

Table = csr_array[np.float32, tuple[int, int]]

_HINT = "the model is of other data or settings: fit again"


def saved(arrays: Arrays, name: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """The array of this name; ``None`` in ``shape`` allows any length.

    Raises:
        InvalidInput: it is missing or of another shape.
    """
    if name not in arrays:
        raise InvalidInput(f"the saved model has no {name!r}", _HINT)
    found = np.asarray(arrays[name])
    if found.ndim != len(shape) or any(
        wanted not in (None, length) for wanted, length in zip(shape, found.shape, strict=True)
    ):
        raise InvalidInput(f"the saved {name!r} has the shape {found.shape}, not {shape}", _HINT)
    return found


def table_arrays(table: Table) -> dict[str, NDArray[Any]]:
    """A sparse table as three arrays."""
    return {"data": table.data, "indices": table.indices, "indptr": table.indptr}


def saved_table(arrays: Mapping[str, NDArray[Any]], items: int) -> Table:
    """The items x items table of ``table_arrays``.

    Raises:
        InvalidInput: an array is missing, or the table is of other items.
    """
    indptr = saved(arrays, "indptr", (items + 1,))
    indices = saved(arrays, "indices", (int(indptr[-1]),))
    if indices.size and not 0 <= indices.min() <= indices.max() < items:
        raise InvalidInput("the saved table names items that do not exist", _HINT)
    data = saved(arrays, "data", indices.shape).astype(np.float32, copy=False)
    return csr_array((data, indices, indptr), shape=(items, items))


def touched(matrix: InteractionMatrix) -> NDArray[np.bool_]:
    """The items that anybody touched; shape (items,)."""
    counts = np.bincount(matrix.values.indices, minlength=matrix.shape[1])
    return np.asarray(counts > 0)
