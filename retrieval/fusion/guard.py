"""The promotion guard: no text, however persuasive, lifts an item more than m places."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence

from retrieval.errors import InvalidInput


def guarded_order(base: Sequence[str], scores: Mapping[str, float], max_rise: int) -> list[str]:
    """Fill position p = 0, 1, … with the best-scored item whose base rank is <= p + m.

    Args:
        base: items in base order (by S), each once.
        scores: F of every item of ``base``; equal scores keep base order.
        max_rise: m >= 0. 0 returns the base order; len(base) - 1 or more sorts by F.

    Returns:
        A permutation of ``base`` in which no item stands more than m above its base rank.

    Raises:
        InvalidInput: m is negative, an item repeats, or one has no number as its score.
    """
    if max_rise < 0:
        raise InvalidInput(f"max_rise={max_rise}", "m is 0 or more")
    if len(set(base)) != len(base):
        raise InvalidInput("the base order names an item twice", "pass each item once")
    for item_id in base:
        if math.isnan(scores.get(item_id, math.nan)):
            raise InvalidInput(f"no score for item {item_id!r}", "score every item of the base")
    eligible: list[tuple[float, int]] = []
    entered = 0
    order = []
    for position in range(len(base)):
        while entered < len(base) and entered <= position + max_rise:
            heapq.heappush(eligible, (-scores[base[entered]], entered))
            entered += 1
        order.append(base[heapq.heappop(eligible)[1]])
    return order
