"""Who sees which ranking, and how likely it was; pure.

Assignment is a hash, not a draw: a user stays in one arm without anything being remembered,
and the arms of two experiments are independent of each other (Kohavi, Tang & Xu 2020,
"Trustworthy Online Controlled Experiments", ch. 14).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate

from retrieval.errors import InvalidInput
from retrieval.types import content_hash

_HASH_BITS = 256


def assign(experiment: str, unit: str, weights: Sequence[float]) -> int:
    """The arm of a unit, always the same, uniform over units in the shares of ``weights``.

    Args:
        experiment: its name; another name deals everybody out anew.
        unit: who is assigned, e.g. a user id.
        weights: share of each arm, each above 0; they need not add up to 1.

    Returns:
        Index of the arm.

    Raises:
        InvalidInput: no arms.
    """
    if not weights:
        raise InvalidInput("an experiment without arms", "give it two or more")
    place = int(content_hash(experiment, unit), 16) / 2**_HASH_BITS * sum(weights)
    for arm, end in enumerate(accumulate(weights)):
        if place < end:
            return arm
    return len(weights) - 1


def team_draft(
    first: Sequence[str], second: Sequence[str], n: int, rng: random.Random
) -> list[tuple[str, int]]:
    """Two rankings in one list, as two captains pick teams.

    The side with fewer items picks its best that is not taken yet; at a tie a coin decides.
    So both sides fill the top equally often, and a click on an item is a vote for its side;
    Radlinski, Kurup & Joachims (2008), "How Does Clickthrough Data Reflect Retrieval
    Quality?", CIKM.

    Args:
        first: items of side 0, best first, each once.
        second: of side 1.
        n: length wanted.
        rng: the coin.

    Returns:
        (item, side) in the order shown; shorter than ``n`` when both rankings are used up.
    """
    rankings = (first, second)
    picked: list[tuple[str, int]] = []
    taken: set[str] = set()
    sizes = [0, 0]
    while len(picked) < n:
        side = rng.randrange(2) if sizes[0] == sizes[1] else int(sizes[1] < sizes[0])
        best = next((item for item in rankings[side] if item not in taken), None)
        if best is None:
            side = 1 - side
            best = next((item for item in rankings[side] if item not in taken), None)
        if best is None:
            break
        picked.append((best, side))
        taken.add(best)
        sizes[side] += 1
    return picked


def explore(ranking: Sequence[str], epsilon: float, depth: int, rng: random.Random) -> list[str]:
    """The ranking; with probability ``epsilon`` its first ``depth`` items in random order.

    Every order of the top is equally likely then, the ranking's own included.
    """
    top = list(ranking[:depth])
    if len(top) > 1 and rng.random() < epsilon:
        rng.shuffle(top)
    return [*top, *ranking[depth:]]


def propensity(policy_rank: int, rank: int, epsilon: float, depth: int, length: int) -> float:
    """P(the item at ``policy_rank`` is shown at ``rank``) under ``explore``; exact, in [0, 1].

    Args:
        policy_rank: its place in the ranking, from 1.
        rank: the place asked about, from 1.
        epsilon: as in ``explore``.
        depth: as in ``explore``.
        length: of the ranking.
    """
    top = min(depth, length)
    stays = 1.0 if policy_rank == rank else 0.0
    if policy_rank > top or rank > top or top < 2:
        return stays
    return (1 - epsilon) * stays + epsilon / top
