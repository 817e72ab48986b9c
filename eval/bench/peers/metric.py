"""NDCG of scores over the full catalogue, as the evaluation measures it; numpy alone.

The same figure as ``agent.measure.ndcg`` over ``eval.systems.ranks_of_relevant``, written again
since neither can be imported inside a peer's environment; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.bench.peers.exchange import Log, Scores, Users

_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Sample:
    """Users whose later items are to be found.

    Attributes:
        users: shape (n,).
        seen: of each, the items that it had and that are not asked for; n arrays.
        positives: of each, the items to find, none of them seen; n arrays, none empty.
    """

    users: Users
    seen: Sequence[NDArray[np.int64]]
    positives: Sequence[NDArray[np.int64]]


def sample_of(past: Log, later: Log, users: int, *, most: int, seed: int) -> Sample:
    """Users with a past and something new later; a seeded sample of at most ``most``."""
    had, got = past.items_by_user(users), later.items_by_user(users)
    seen = [np.unique(items) for items in had]
    new = [np.setdiff1d(items, own) for items, own in zip(got, seen, strict=True)]
    known = np.array([u for u in range(users) if len(seen[u]) and len(new[u])], dtype=np.int64)
    if len(known) > most:
        known = np.sort(np.random.default_rng(seed).choice(known, most, replace=False))
    return Sample(known, [seen[u] for u in known], [new[u] for u in known])


def ndcg_by_user(sample: Sample, scores: Scores, k: int = 10) -> NDArray[np.float64]:
    """NDCG@k of each user, in [0, 1]; shape (n,).

    Binary gains over all items that were not seen. Items with one score share the middle of
    their places, so that a constant score ends in the middle of the catalogue.

    Raises:
        ValueError: a score is not finite.
    """
    discounts = 1.0 / np.log2(np.arange(k) + 2)
    values = np.zeros(len(sample.users))
    for start in range(0, len(sample.users), _BLOCK):
        block = np.array(scores(sample.users[start : start + _BLOCK]), dtype=np.float64)
        if not np.isfinite(block).all():
            raise ValueError("a score is not a finite number")
        for at, own in enumerate(block, start):
            wanted = own[sample.positives[at], None]
            own[sample.seen[at]] = -np.inf
            ranks = (own > wanted).sum(axis=1) + ((own == wanted).sum(axis=1) - 1) / 2
            gains = float(np.sum(1.0 / np.log2(ranks[ranks < k] + 2)))
            values[at] = min(1.0, gains / float(discounts[: len(wanted)].sum()))
    return values
