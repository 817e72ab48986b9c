"""Sources that read histories: an estimator over the matrix of what people did."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates.ease import Ease
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.ials import Ials
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.select import best_items
from retrieval.types import Query, ScoredItem

_REMEMBERED_USERS = 64


class BehaviourSource:
    """Scores items by what the user and others did.

    Says nothing about a stranger or a user without history, nor about items that the
    estimator does not know. An item without any link to the user's history (score 0) is no
    candidate, but its 0 counts when the pool is completed; where all are 0 it is silent.

    Args:
        matrix: of what people did.
        estimator: fitted on ``matrix``, or restored with it.
        name: stands in parts and traces.
    """

    def __init__(
        self, matrix: InteractionMatrix, estimator: Estimator, name: str = "behaviour"
    ) -> None:
        self._matrix = matrix
        self._estimator = estimator
        self._name = name
        self._known = estimator.known
        # One request asks twice: for candidates, then to complete the pool.
        self._scores_of = lru_cache(maxsize=_REMEMBERED_USERS)(self._score_row)

    @property
    def name(self) -> str:
        """As given."""
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
            eligible=self._known & (scores != 0),
        )

    def scores(self, query: Query, item_ids: Sequence[str]) -> dict[str, float]:
        """Scores of the items that the estimator knows."""
        scores = self._scores(query)
        if scores is None:
            return {}
        columns = self._matrix.item_index
        there = [item_id for item_id in item_ids if item_id in columns]
        places = [columns[item_id] for item_id in there]
        values, known = scores[places].tolist(), self._known[places].tolist()
        return {
            item_id: value for item_id, value, yes in zip(there, values, known, strict=True) if yes
        }

    def _scores(self, query: Query) -> NDArray[np.float32] | None:
        user = None if query.user_id is None else self._matrix.user_index.get(query.user_id)
        return None if user is None else self._scores_of(user)

    def _score_row(self, user: int) -> NDArray[np.float32] | None:
        row: NDArray[np.float32] = self._estimator.score_users(np.array([user]))[0]
        row.flags.writeable = False
        return row if row.any() else None


def fit_behaviour(matrix: InteractionMatrix, ease_max_items: int = 20_000) -> BehaviourSource:
    """EASE up to ``ease_max_items`` columns, iALS above: EASE's time grows with items cubed."""
    estimator = Ease() if matrix.shape[1] <= ease_max_items else Ials()
    return BehaviourSource(matrix, estimator.fit(matrix))
