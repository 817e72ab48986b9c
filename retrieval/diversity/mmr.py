"""Maximal marginal relevance: each next item is good, and unlike those already chosen.

Carbonell & Goldstein (1998), "The use of MMR, diversity-based reranking for reordering
documents and producing summaries", SIGIR. Their lambda is 1 - ``diversity``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import InvalidInput


def mmr(scores: Sequence[float], alike: NDArray[np.float32], diversity: float) -> NDArray[np.int64]:
    """A new order of a ranked list.

    Takes, place by place, the item of the highest (1 - d)·relevance - d·max likeness to what
    was taken. Relevance is the score scaled to [0, 1] over the list; where the ranking is not
    by score (a guard may hold an item down), the scores are dealt out in the order of the
    ranking, so that d = 0 is the ranking itself. Ties keep its order.

    Args:
        scores: shape (n,), finite, in the order of the ranking.
        alike: shape (n, n), in [0, 1].
        diversity: d in [0, 1]; 1 asks for nothing but unlike items after the first.

    Returns:
        Places in the ranking, shape (n,), a permutation; O(n²).

    Raises:
        InvalidInput: d outside [0, 1].
    """
    if not 0.0 <= diversity <= 1.0:
        raise InvalidInput(f"diversity = {diversity}", "from 0, the ranked order, to 1")
    n = len(scores)
    if diversity == 0.0 or n < 2:
        return np.arange(n, dtype=np.int64)
    dealt = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    spread = dealt[0] - dealt[-1]
    relevance = (dealt - dealt[-1]) / spread if spread > 0 else np.ones(n)
    nearest = np.zeros(n)
    left = np.ones(n, dtype=np.bool_)
    order = np.empty(n, dtype=np.int64)
    for place in range(n):
        gain = (1.0 - diversity) * relevance - diversity * nearest
        gain[~left] = -np.inf
        order[place] = at = int(np.argmax(gain))
        left[at] = False
        np.maximum(nearest, alike[at], out=nearest)
    return order
