"""What one system answered everybody, as arrays, and what it is kept in."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.measure import Ranks
from eval.bench.quality.protocols import Asked
from eval.records.whole import finite, whole
from retrieval.candidates.select import best_places
from retrieval.errors import InvalidInput

SHOWN = 10
"""Places of a list that is looked at as a list."""

Scores = Callable[[int, int], NDArray[np.float32]]
"""Scores of all items for the users at places [start, end)."""

_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Outcome:
    """The answers of one system to the questions of T3.

    Attributes:
        ranks: of each user, the 0-based ranks of the relevant items in id order; ``inf`` for
            one that was not ranked.
        among_cold: the same among the cold items alone; NaN for a relevant item that is warm
            and where it was not measured.
        top: columns of each user's first ten, -1 behind the last; shape (users, 10).
        meta: settings, seconds and the like.
    """

    ranks: Sequence[Ranks]
    among_cold: Sequence[Ranks]
    top: NDArray[np.int32]
    meta: Mapping[str, Any] = field(default_factory=dict)


def from_scores(
    asked: Asked,
    scores: Scores,
    meta: Mapping[str, Any],
    seen: Callable[[int, NDArray[np.float32]], None] | None = None,
) -> Outcome:
    """Rank the whole catalogue for everybody; what a user had is left out.

    Items of one score share the middle of their places.

    Args:
        asked: users and what they are to find.
        scores: finite, of blocks of users.
        meta: to be kept with the answers.
        seen: is shown each user's place and their scores, before what they had is left out.

    Raises:
        InvalidInput: a score is not finite.
    """
    ranks: list[Ranks] = []
    among_cold: list[Ranks] = []
    top = np.full((len(asked.users), SHOWN), -1, dtype=np.int32)
    cold, index = asked.cold, asked.matrix.item_index
    for start in range(0, len(asked.users), _BLOCK):
        block = np.array(scores(start, min(start + _BLOCK, len(asked.users))), dtype=np.float32)
        if not np.isfinite(block).all():
            raise InvalidInput("a score is not finite", "a system has to score every item")
        for at, own in enumerate(block, start):
            if seen is not None:
                seen(at, own)
            own[asked.matrix.items_of(int(asked.rows[at]))] = -np.inf
            top_own = best_places(own, np.isfinite(own), SHOWN)
            top[at, : len(top_own)] = top_own
            columns = [index.get(one, -1) for one in asked.relevant[at]]
            ranks.append(np.array([_rank(own, column) for column in columns]))
            chilly = own[cold]
            among_cold.append(
                np.array(
                    [
                        _rank_of(chilly, own[column])
                        if column >= 0 and cold[column]
                        else np.inf
                        if column < 0
                        else np.nan
                        for column in columns
                    ]
                )
            )
    return Outcome(ranks, among_cold, top, meta)


def from_orders(
    asked: Asked, orders: Sequence[NDArray[np.int64]], meta: Mapping[str, Any]
) -> Outcome:
    """The answers of a system that ranks a pool: columns of each user, best first."""
    ranks: list[Ranks] = []
    top = np.full((len(asked.users), SHOWN), -1, dtype=np.int32)
    index = asked.matrix.item_index
    for at, (order, wanted) in enumerate(zip(orders, asked.relevant, strict=True)):
        place = {column: float(rank) for rank, column in enumerate(order.tolist())}
        ranks.append(np.array([place.get(index.get(one, -1), np.inf) for one in wanted]))
        top[at, : min(SHOWN, len(order))] = order[:SHOWN]
    return Outcome(ranks, [np.full(len(one), np.nan) for one in ranks], top, meta)


def save_outcome(path: Path, outcome: Outcome) -> None:
    """Write it, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ends = np.cumsum([len(one) for one in outcome.ranks], dtype=np.int64)
    meta = json.dumps(finite(dict(outcome.meta)), ensure_ascii=False).encode()
    with whole(path) as partial, partial.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            ranks=np.concatenate(outcome.ranks),
            among_cold=np.concatenate(outcome.among_cold),
            ends=ends,
            top=outcome.top,
            meta=np.frombuffer(meta, dtype=np.uint8),
        )


def load_outcome(path: Path, asked: Asked) -> Outcome:
    """Read what ``save_outcome`` wrote.

    Raises:
        InvalidInput: the file is damaged or of other questions; names it.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            ends, top = held["ends"], held["top"]
            ranks = np.split(held["ranks"], ends[:-1])
            among_cold = np.split(held["among_cold"], ends[:-1])
            meta = json.loads(held["meta"].tobytes())
        if [len(one) for one in ranks] != [len(one) for one in asked.relevant] or top.shape != (
            len(asked.users),
            SHOWN,
        ):
            raise ValueError("its users or their items are others")
        return Outcome(ranks, among_cold, top, meta)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInput(
            f"{path} cannot be used: {error}", "remove the file: it is then computed again"
        ) from error


def _rank(own: NDArray[np.float32], column: int) -> float:
    if column < 0 or np.isneginf(own[column]):
        return np.inf
    return _rank_of(own, own[column])


def _rank_of(own: NDArray[np.float32], score: np.float32) -> float:
    if np.isneginf(score):
        return np.inf
    higher = int(np.count_nonzero(own > score))
    return higher + (int(np.count_nonzero(own == score)) - 1) / 2
