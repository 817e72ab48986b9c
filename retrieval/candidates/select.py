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
    best = best_places(scores, keep, k)
    return [
        ScoredItem(item_ids[at], score)
        for at, score in zip(best.tolist(), scores[best].tolist(), strict=True)
    ]


def best_places(
    scores: NDArray[np.float32], eligible: NDArray[np.bool_], k: int
) -> NDArray[np.int64]:
    """Places of the ``k`` best eligible scores, best first, equals in their order; shape (<= k,).

    Only these are sorted: a request must not pay for the order of a whole catalogue.

    Args:
        scores: shape (items,); finite where eligible.
        eligible: mask of shape (items,).
        k: how many; 0 or less gives none.
    """
    k = max(k, 0)
    places = np.flatnonzero(eligible)
    values = scores[places]
    if 0 < k < len(places):
        kth = np.partition(values, -k)[-k]
        above = np.flatnonzero(values > kth)
        equal = np.flatnonzero(values == kth)[: k - len(above)]
        chosen = np.concatenate([above, equal])
        places, values = places[chosen], values[chosen]
    return places[np.argsort(-values, kind="stable")][:k]
