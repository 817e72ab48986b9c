"""The ``behaviour`` source: an estimator over the matrix of what people did."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates.ease import Ease
from retrieval.candidates.ials import Ials
from retrieval.candidates.item_knn import ItemKnn
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.select import best_items
from retrieval.types import Query, ScoredItem

_REMEMBERED_USERS = 64


class Estimator(Protocol):
    """A fitted model of behaviour."""

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """Scores of every item for some rows of the matrix; shape (rows, items)."""


class BehaviourSource:
    """Scores items by what the user and others did.

    Says nothing about a stranger or a user without history, nor about items that
    nobody touched. An item without any link to the user's history (score 0) is no
    candidate, but its 0 counts when the pool is completed.
    """

    def __init__(
        self, matrix: InteractionMatrix, estimator: Estimator, name: str = "behaviour"
    ) -> None:
        self._matrix = matrix
        self._estimator = estimator
        self._name = name
        self._touched = np.bincount(matrix.values.indices, minlength=matrix.shape[1]) > 0
        # One request asks twice: for candidates, then to complete the pool.
        self._scores_of = lru_cache(maxsize=_REMEMBERED_USERS)(self._score_row)

    @property
    def name(self) -> str:
        """``behaviour``."""
        return self._name

    def candidates(
        self,
        query: Query,
        k: int,
        allowed: frozenset[str] | None,
        excluded: frozenset[str],
    ) -> list[ScoredItem]:
        """The user's best items; see the port."""
        scores = self._scores(query)
        if scores is None:
            return []
        return best_items(
            scores,
            self._matrix.item_ids,
            self._matrix.item_index,
            k,
            allowed=allowed,
            excluded=excluded,
            eligible=self._touched & (scores != 0),
        )

    def scores(self, query: Query, item_ids: Sequence[str]) -> dict[str, float]:
        """Scores of the items that somebody touched."""
        scores = self._scores(query)
        if scores is None:
            return {}
        columns = self._matrix.item_index
        return {
            item_id: float(scores[at])
            for item_id in item_ids
            if (at := columns.get(item_id, -1)) >= 0 and self._touched[at]
        }

    def _scores(self, query: Query) -> NDArray[np.float32] | None:
        user = None if query.user_id is None else self._matrix.user_index.get(query.user_id)
        return None if user is None else self._scores_of(user)

    def _score_row(self, user: int) -> NDArray[np.float32]:
        row: NDArray[np.float32] = self._estimator.score_users(np.array([user]))[0]
        row.flags.writeable = False
        return row


class ItemKnnSource(BehaviourSource):
    """Neighbours by cosine; fits on construction."""

    def __init__(self, matrix: InteractionMatrix, k: int = 200) -> None:
        super().__init__(matrix, ItemKnn(k).fit(matrix))


class EaseSource(BehaviourSource):
    """EASE; fits on construction."""

    def __init__(self, matrix: InteractionMatrix, l2: float = 300.0) -> None:
        super().__init__(matrix, Ease(l2).fit(matrix))


class IalsSource(BehaviourSource):
    """Matrix factorisation; fits on construction."""

    def __init__(self, matrix: InteractionMatrix, factors: int = 64, threads: int = 1) -> None:
        super().__init__(matrix, Ials(factors, threads=threads).fit(matrix))


def fit_behaviour(matrix: InteractionMatrix, ease_max_items: int = 20_000) -> BehaviourSource:
    """EASE up to ``ease_max_items`` columns, iALS above: EASE's time grows with items cubed."""
    return EaseSource(matrix) if matrix.shape[1] <= ease_max_items else IalsSource(matrix)
