"""What many people took lately: the floor for strangers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.select import best_items
from retrieval.errors import InvalidInput
from retrieval.types import Query, ScoredItem

_DAY = 86_400.0


class Popularity:
    """Weight of an item's users, each halved every ``half_life_days`` since its latest event.

    Args:
        half_life_days: ``None`` gives the plain count, the usual baseline.
        damped: score log(1 + weight): counts are so skewed that a z-score over them would tell
            the first few items from the rest and nothing else. The order is the same.

    Ages are measured from the newest event of the data, so the result does not
    depend on the day of the fit.
    """

    def __init__(self, half_life_days: float | None = None, *, damped: bool = False) -> None:
        if half_life_days is not None and not 0 < half_life_days < float("inf"):
            raise InvalidInput(f"half life of {half_life_days} days", "give a positive number")
        self.half_life_days, self.damped = half_life_days, damped
        self._scores = np.zeros(0, dtype=np.float32)
        self._known = np.zeros(0, dtype=np.bool_)

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Sum each column; an empty matrix gives zeros of shape (items,)."""
        weights = matrix.values.data.astype(np.float64)
        if self.half_life_days is not None and len(weights):
            age = (matrix.seconds.max() - matrix.seconds) / _DAY
            weights = weights * np.exp2(-age / self.half_life_days)
        sums = np.bincount(matrix.values.indices, weights=weights, minlength=matrix.shape[1])
        self._scores = (np.log1p(sums) if self.damped else sums).astype(np.float32)
        self._known = np.ones(matrix.shape[1], dtype=np.bool_)
        return self

    @property
    def item_scores(self) -> NDArray[np.float32]:
        """The same for everybody; shape (items,), >= 0."""
        return self._scores

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """The item scores repeated; float32 of shape (len(user_indices), items)."""
        return np.tile(self._scores, (len(user_indices), 1))

    @property
    def known(self) -> NDArray[np.bool_]:
        """All items: that nobody took one is said of it; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Nothing: the matrix holds it all."""
        return {}

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Count again, what happened since included; ``arrays`` holds nothing."""
        return self.fit(matrix)


class PopularSource:
    """The ``popular`` source; answers everybody, strangers included.

    Items that nobody touched come last, in catalogue order, when the matrix has columns
    for them: a shop without any event can still show something.
    """

    def __init__(self, matrix: InteractionMatrix, half_life_days: float | None = 90.0) -> None:
        self._item_ids = matrix.item_ids
        self._columns = matrix.item_index
        self._item_scores = Popularity(half_life_days, damped=True).fit(matrix).item_scores

    @property
    def name(self) -> str:
        """``popular``."""
        return "popular"

    def candidates(
        self,
        query: Query,
        k: int,
        allowed: frozenset[str] | None,
        excluded: frozenset[str],
    ) -> list[ScoredItem]:
        """The most popular items; see the port."""
        return best_items(
            self._item_scores, self._item_ids, self._columns, k, allowed=allowed, excluded=excluded
        )

    def scores(self, query: Query, item_ids: Sequence[str]) -> dict[str, float]:
        """Scores of the known items."""
        return {
            item_id: float(self._item_scores[at])
            for item_id in item_ids
            if (at := self._columns.get(item_id, -1)) >= 0
        }
