"""The ``profile`` and ``query`` sources: nearest item vectors to a vector of the request."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from retrieval.ports import VectorIndex
from retrieval.types import Query, ScoredItem

VectorOf = Callable[[Query], NDArray[np.float32] | None]


class DenseSource:
    """Cosine between item vectors and what ``vector_of`` makes of the request.

    Args:
        name: ``profile`` for the user's profile vector, ``query`` for the request's text.
        index: vectors of items.
        vector_of: shape (dimension,), or ``None`` where the request has no such vector;
            then, and for a vector of norm 0, the source is silent.
    """

    def __init__(self, name: str, index: VectorIndex, vector_of: VectorOf) -> None:
        self._name = name
        self._index = index
        self._vector_of = vector_of

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
        """The nearest items; see the port."""
        vector = self._unit_vector(query)
        wanted = None if allowed is None else allowed - excluded
        if vector is None or k <= 0 or (wanted is not None and not wanted):
            return []
        # The index filters by ``allowed`` alone: ask for as many more as may be dropped.
        width = k if wanted is not None else min(k + len(excluded), self._index.count())
        if width == 0:
            return []
        found = [
            one
            for one in self._index.search(vector, width, wanted)
            if one.item_id not in excluded and np.isfinite(one.score)
        ]
        return sorted(found, key=lambda one: (-one.score, one.item_id))[:k]

    def scores(self, query: Query, item_ids: Sequence[str]) -> dict[str, float]:
        """Cosine with the stored vectors of the items that have one."""
        vector = self._unit_vector(query)
        if vector is None:
            return {}
        stored = self._index.vectors(item_ids)
        cosines = {}
        for item_id in item_ids:
            other = stored.get(item_id)
            norm = 0.0 if other is None else float(np.linalg.norm(other))
            if other is not None and 0.0 < norm < np.inf:
                cosines[item_id] = float(vector @ other) / norm
        return cosines

    def _unit_vector(self, query: Query) -> NDArray[np.float32] | None:
        vector = self._vector_of(query)
        if vector is None:
            return None
        norm = float(np.linalg.norm(vector))
        if not 0.0 < norm < np.inf:
            return None
        return np.asarray(vector / norm, dtype=np.float32)
