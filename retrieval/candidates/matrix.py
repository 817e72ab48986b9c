"""Interactions as a sparse users x items matrix, the input of every behaviour estimator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.errors import InvalidInput
from retrieval.types import Interaction, InteractionKind

Positive = Literal["all", "not-disliked", "liked"]
Indices = NDArray[np.int64]

# How much one event of a kind says, relative to a purchase. A dislike is no sign of taste.
KIND_WEIGHTS: Mapping[InteractionKind, float] = {
    "view": 0.2,
    "click": 0.3,
    "cart": 0.6,
    "purchase": 1.0,
    "like": 1.0,
    "rating": 1.0,
    "dislike": 0.0,
}


@dataclass(frozen=True, eq=False)
class InteractionMatrix:
    """Who touched what.

    Attributes:
        user_ids: id of each row.
        item_ids: id of each column.
        values: float32 CSR of shape (users, items); a pair's weight, 0 where nothing happened.
        seconds: float64 aligned with ``values.data``; Unix time of the pair's latest event.

    No interaction gives an empty matrix, which every estimator accepts.
    """

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    values: csr_array[np.float32, tuple[int, int]]
    seconds: NDArray[np.float64]

    @classmethod
    def from_interactions(
        cls,
        interactions: Iterable[Interaction],
        *,
        item_ids: Sequence[str] | None = None,
        weights: Mapping[InteractionKind, float] | None = None,
        positive: Positive = "all",
    ) -> InteractionMatrix:
        """Count each (user, item) pair once, with its strongest event.

        Args:
            interactions: any order; the result does not depend on it.
            item_ids: the columns and their order; interactions with other items are left
                out. ``None`` takes the items that occur, in id order.
            weights: weight by kind, missing kinds weigh 0; ``None`` makes every kind but
                ``dislike`` weigh 1. ``KIND_WEIGHTS`` are usual ones for a shop.
            positive: "all" counts every rating; "not-disliked" leaves out every pair whose
                latest rating is more than one standard deviation below the log's mean, a
                purchase of it included; "liked" counts only ratings that are at least the
                user's own mean. None of them needs to know the scale.

        Raises:
            InvalidInput: a weight is negative or not finite, or ``item_ids`` repeats an id.
        """
        weigh = _checked_weights(weights)
        columns = None if item_ids is None else {name: at for at, name in enumerate(item_ids)}
        if columns is not None and item_ids is not None and len(columns) != len(item_ids):
            raise InvalidInput("item_ids repeats an id", "pass each item once")
        pairs: dict[tuple[str, str], tuple[float, float]] = {}
        for event in _positives(interactions, positive):
            weight = weigh.get(event.kind, 0.0)
            if weight <= 0 or (columns is not None and event.item_id not in columns):
                continue
            key = (event.user_id, event.item_id)
            best, latest = pairs.get(key, (0.0, -np.inf))
            pairs[key] = (max(best, weight), max(latest, event.at.timestamp()))
        users = tuple(sorted({user for user, _ in pairs}))
        names = tuple(item_ids) if item_ids is not None else tuple(sorted({i for _, i in pairs}))
        if columns is None:
            columns = {name: at for at, name in enumerate(names)}
        rows = {name: at for at, name in enumerate(users)}
        triples = sorted(
            (rows[user], columns[item], weight, latest)
            for (user, item), (weight, latest) in pairs.items()
        )
        row = np.array([t[0] for t in triples], dtype=np.int64)
        indptr = np.searchsorted(row, np.arange(len(users) + 1)).astype(np.int64)
        values = csr_array(
            (
                np.array([t[2] for t in triples], dtype=np.float32),
                np.array([t[1] for t in triples], dtype=np.int64),
                indptr,
            ),
            shape=(len(users), len(names)),
        )
        return cls(users, names, values, np.array([t[3] for t in triples], dtype=np.float64))

    @property
    def shape(self) -> tuple[int, int]:
        """(users, items)."""
        return len(self.user_ids), len(self.item_ids)

    @cached_property
    def user_index(self) -> Mapping[str, int]:
        """Row of each user id."""
        return {name: at for at, name in enumerate(self.user_ids)}

    @cached_property
    def item_index(self) -> Mapping[str, int]:
        """Column of each item id."""
        return {name: at for at, name in enumerate(self.item_ids)}

    def items_of(self, user: int) -> Indices:
        """Columns that the user in row ``user`` touched, ascending; shape (history,)."""
        start, end = self.values.indptr[user], self.values.indptr[user + 1]
        return np.asarray(self.values.indices[start:end], dtype=np.int64)


def _checked_weights(
    weights: Mapping[InteractionKind, float] | None,
) -> Mapping[InteractionKind, float]:
    if weights is None:
        return {kind: float(kind != "dislike") for kind in KIND_WEIGHTS}
    for kind, weight in weights.items():
        if not 0 <= weight < float("inf"):
            raise InvalidInput(f"weight {weight} of kind {kind!r}", "weights are finite and >= 0")
    return weights


def _positives(interactions: Iterable[Interaction], positive: Positive) -> Iterable[Interaction]:
    if positive == "all":
        return interactions
    events = list(interactions)
    if positive == "not-disliked":
        return _without_dislikes(events)
    ratings: dict[str, list[float]] = {}
    for event in events:
        if event.kind == "rating":
            ratings.setdefault(event.user_id, []).append(event.value)
    means = {user: sum(values) / len(values) for user, values in ratings.items()}
    return [e for e in events if e.kind != "rating" or e.value >= means[e.user_id]]


def _without_dislikes(events: list[Interaction]) -> list[Interaction]:
    latest: dict[tuple[str, str], Interaction] = {}
    for event in events:
        key = (event.user_id, event.item_id)
        # Of two at one instant the lower counts, so that the order of the log does not.
        if event.kind == "rating" and (
            key not in latest or (latest[key].at, -latest[key].value) < (event.at, -event.value)
        ):
            latest[key] = event
    if not latest:
        return events
    values = np.sort(np.array([event.value for event in latest.values()], dtype=np.float64))
    bar = values.mean() - values.std()
    disliked = {key for key, event in latest.items() if event.value < bar}
    return [event for event in events if (event.user_id, event.item_id) not in disliked]
