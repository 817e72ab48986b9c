"""What can be compared: estimators behind one call, ranked over the full catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eval.config import SystemConfig
from retrieval.candidates.ease import Ease
from retrieval.candidates.ials import Ials
from retrieval.candidates.item_knn import ItemKnn
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.popular import Popularity
from retrieval.errors import InvalidInput

_BATCH = 1024


class Estimator(Protocol):
    """A fitted behaviour model."""

    def fit(self, matrix: InteractionMatrix) -> Estimator:
        """Learn from the matrix."""

    def score_users(self, user_indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores of shape (users, items)."""


_KINDS: dict[str, type] = {"popular": Popularity, "item-knn": ItemKnn, "ease": Ease, "ials": Ials}


def make_estimator(config: SystemConfig) -> Estimator:
    """The estimator that the config names.

    Raises:
        InvalidInput: a parameter that the estimator does not have, or a value it refuses.
    """
    try:
        estimator: Estimator = _KINDS[config.kind](**config.params)
    except TypeError as error:
        raise InvalidInput(f"system {config.name!r}: {error}", "check its params") from error
    return estimator


def rank_full_catalogue(
    estimator: Estimator, matrix: InteractionMatrix, users: Sequence[str], k: int
) -> Iterator[tuple[str, list[str]]]:
    """Each user's best ``k`` unseen items over the whole catalogue, best first.

    Equal scores stand in catalogue order, so a scorer that says nothing cannot look good.
    """
    order = [matrix.user_index[user] for user in users]
    for start in range(0, len(order), _BATCH):
        rows = np.array(order[start : start + _BATCH], dtype=np.int64)
        scores = estimator.score_users(rows).astype(np.float64)
        seen = matrix.values[rows].toarray() > 0
        scores[seen] = -np.inf
        ranked = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        for offset, columns in enumerate(ranked):
            unseen = (int(c) for c in columns if not seen[offset, c])
            yield users[start + offset], [matrix.item_ids[c] for c in unseen]
