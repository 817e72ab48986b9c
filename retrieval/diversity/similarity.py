"""How alike two items are: by their vectors, else by the attributes they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.rules.conditions import folded_values
from retrieval.types import Item


def similarities(
    items: Sequence[Item], vectors: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Pairwise likeness.

    Args:
        items: n of them.
        vectors: of the items that have one, all of one dimension; a vector of norm 0 is none.

    Returns:
        Shape (n, n), symmetric, in [0, 1], 1 on the diagonal. Cosine, at least 0, where both
        have a vector; else the Jaccard overlap of attribute values that are texts or flags
        (numbers are hardly ever equal). Items of which nothing is known are unlike all others.
    """
    alike = _overlap(items)
    rows = [at for at, item in enumerate(items) if _norm(vectors.get(item.item_id)) > 0]
    if rows:
        matrix = np.stack([vectors[items[at].item_id] for at in rows]).astype(np.float32)
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        alike[np.ix_(rows, rows)] = np.clip(matrix @ matrix.T, 0.0, 1.0)
    np.fill_diagonal(alike, 1.0)
    return alike


def intra_list_diversity(
    alike: NDArray[np.float32], places: NDArray[np.int64] | None = None
) -> float | None:
    """Mean of 1 - likeness over all pairs of a list, in [0, 1]; ``None`` below two items.

    Ziegler, McNee, Konstan & Lausen (2005), "Improving recommendation lists through topic
    diversification", WWW.

    Args:
        alike: shape (n, n), as from ``similarities``.
        places: rows of the list's items; ``None`` = all.
    """
    part = alike if places is None else alike[np.ix_(places, places)]
    n = len(part)
    if n < 2:
        return None
    pairs = part[np.triu_indices(n, k=1)]
    return float(1.0 - pairs.mean(dtype=np.float64))


def _overlap(items: Sequence[Item]) -> NDArray[np.float32]:
    columns: dict[tuple[str, str], int] = {}
    cells: list[tuple[int, int]] = []
    for row, item in enumerate(items):
        for name, value in item.attributes.items():
            if isinstance(value, float | int) and not isinstance(value, bool):
                continue
            for one in folded_values(value):
                cells.append((row, columns.setdefault((name, one), len(columns))))
    has = np.zeros((len(items), len(columns)), dtype=np.float32)
    if cells:
        rows, places = zip(*cells, strict=True)
        has[list(rows), list(places)] = 1.0
    both = has @ has.T
    sizes = has.sum(axis=1)
    either = sizes[:, None] + sizes[None, :] - both
    shared: NDArray[np.float32] = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    return shared


def _norm(vector: NDArray[np.float32] | None) -> float:
    if vector is None:
        return 0.0
    norm = float(np.linalg.norm(vector))
    return norm if np.isfinite(norm) else 0.0
