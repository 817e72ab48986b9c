"""What can be compared: estimators behind one call, ranked over the full catalogue."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from agent.measure import Ranks
from eval.config import SystemConfig
from retrieval.candidates.bpr import Bpr
from retrieval.candidates.ease import Ease
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.ials import Ials
from retrieval.candidates.item_knn import ItemKnn
from retrieval.candidates.markov import Markov
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.popular import Popularity
from retrieval.candidates.session_knn import SessionKnn
from retrieval.errors import InvalidInput

_BATCH = 1024


_KINDS: dict[str, type] = {
    "popular": Popularity,
    "item-knn": ItemKnn,
    "ease": Ease,
    "ials": Ials,
    "bpr": Bpr,
    "markov": Markov,
    "session-knn": SessionKnn,
}


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


def ranks_of_relevant(
    estimator: Estimator,
    matrix: InteractionMatrix,
    relevant: Mapping[str, Collection[str]],
) -> Iterator[Ranks]:
    """For each user, the ranks of the relevant items among all unseen items of the catalogue.

    Args:
        estimator: fitted on ``matrix``.
        matrix: the training interactions; its columns are the whole catalogue.
        relevant: items to find, by user; every user is a row of ``matrix``.

    Yields:
        0-based ranks, one for each relevant item, in the order of ``relevant``: how many
        unseen items score higher plus half of those that score the same, so that a scorer
        that says nothing ends in the middle. ``inf`` for an item outside the catalogue.
    """
    users = list(relevant)
    for start in range(0, len(users), _BATCH):
        batch = users[start : start + _BATCH]
        rows = np.array([matrix.user_index[user] for user in batch], dtype=np.int64)
        scores = estimator.score_users(rows).astype(np.float64)
        scores[matrix.values[rows].toarray() > 0] = -np.inf
        for user, own in zip(batch, scores, strict=True):
            yield np.array([_rank(own, matrix.item_index.get(i)) for i in sorted(relevant[user])])


def _rank(scores: NDArray[np.float64], column: int | None) -> float:
    if column is None or np.isneginf(scores[column]):
        return np.inf
    higher = int(np.sum(scores > scores[column]))
    return higher + (int(np.sum(scores == scores[column])) - 1) / 2
