"""From an array of scores to the best k candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.types import ScoredItem


def best_items(
    scores: NDArray[np.float32],
    item_ids: Sequence[str],
    columns: Mapping[str, int],
    k: int,
    *,
    allowed: frozenset[str] | None,
    excluded: frozenset[str],
    eligible: NDArray[np.bool_] | None = None,
) -> list[ScoredItem]:
    """The ``k`` highest finite scores, best first, ties in the order of ``item_ids``.

    Filters come before the cut, so a narrow ``allowed`` still fills k where it can.

    Args:
        scores: shape (items,).
        item_ids: id of each score.
        columns: the inverse of ``item_ids``.
        k: how many; 0 or less gives none.
        allowed: the only ids that may appear; ``None`` = all.
        excluded: ids that may not appear.
        eligible: mask of the items about which the source has something to say.
    """
    keep = np.isfinite(scores) if eligible is None else np.isfinite(scores) & eligible
    if allowed is not None:
        inside = np.zeros(len(scores), dtype=np.bool_)
        inside[[columns[item_id] for item_id in allowed if item_id in columns]] = True
        keep &= inside
    keep[[columns[item_id] for item_id in excluded if item_id in columns]] = False
    order = _best(scores, np.flatnonzero(keep), max(k, 0))
    return [ScoredItem(item_ids[at], float(scores[at])) for at in order]


def _best(scores: NDArray[np.float32], places: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """The ``k`` best of some places, equals in the order of ``places``.

    Only these are sorted: a request must not pay for the order of a whole catalogue.
    """
    values = scores[places]
    if 0 < k < len(places):
        kth = np.partition(values, -k)[-k]
        above = np.flatnonzero(values > kth)
        equal = np.flatnonzero(values == kth)[: k - len(above)]
        chosen = np.concatenate([above, equal])
        places, values = places[chosen], values[chosen]
    return places[np.argsort(-values, kind="stable")][:k]
