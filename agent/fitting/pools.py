"""Pools of many users at once, as a request of each would have met them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.fitting.labels import LabelledUser
from agent.measure import ndcg, ranks_in
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.select import best_places
from retrieval.fusion.context import Context, disagreement
from retrieval.fusion.features import z_table
from retrieval.fusion.train import LabelledPool
from retrieval.fusion.weights import FusionWeights
from retrieval.ports import Progress

_BLOCK = 256
Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FitPool:
    """The union of the sources' best for one user, and how it turned out.

    Attributes:
        user: whose.
        items: columns of the matrix, ascending; shape (n,).
        z: float64 (n, sources), in [-3, 3]; 0 where missing.
        present: bool (n, sources).
        context: of the request.
        positives: rows of ``z`` that turned out right; empty when no source found any.
        alone: NDCG@10 of each source by itself; shape (sources,).
    """

    user: LabelledUser
    items: NDArray[np.int64]
    z: Scores
    present: NDArray[np.bool_]
    context: Context
    positives: NDArray[np.int64]
    alone: Scores

    @property
    def labelled(self) -> LabelledPool | None:
        """What trains weights; ``None`` without a positive in the pool."""
        if not len(self.positives):
            return None
        return LabelledPool(self.z, tuple(self.positives.tolist()), self.context.g)

    @property
    def recall(self) -> float:
        """Share of the user's positives that the pool holds."""
        return len(self.positives) / len(self.user.positives)

    def shares(self, names: Sequence[str], weights: FusionWeights) -> Scores:
        """The weights of this request, shape (sources,); ``names`` are those of the columns."""
        live = [name for at, name in enumerate(names) if self.z[:, at].any()]
        share = weights.for_request(False, live, self.context)
        return np.array([share.get(name, 0.0) for name in names])

    def ndcg(self, weights: Scores) -> float:
        """NDCG@10 of the pool in the order of ``z @ weights``; ties in the order of columns."""
        return self.ndcg_of(np.argsort(-(self.z @ weights), kind="stable"))

    def ndcg_of(self, order: NDArray[np.int64]) -> float:
        """NDCG@10 of the pool's rows in this order; may be a part of them."""
        places = np.flatnonzero(np.isin(order, self.positives))
        missing = len(self.user.positives) - len(places)
        return ndcg(np.concatenate([places.astype(np.float64), np.full(missing, np.inf)]))


def collect(
    estimators: Mapping[str, Estimator],
    matrix: InteractionMatrix,
    users: Sequence[LabelledUser],
    *,
    per_source: int,
    progress: Progress,
) -> list[FitPool]:
    """One pool a user, in their order; the positive is never added.

    The same as asking ``CandidateSource`` after ``CandidateSource``, in blocks of users: a
    source is silent for whom it scores 0 everywhere, proposes nothing that it scores 0, and
    ``popular`` alone speaks of and to everybody.
    """
    progress.start("collecting pools", len(users))
    names = tuple(estimators)
    pools: list[FitPool] = []
    for start in range(0, len(users), _BLOCK):
        block = users[start : start + _BLOCK]
        rows = np.array([matrix.user_index.get(user.user_id, -1) for user in block])
        scored = _scores(estimators, matrix.shape[1], rows)
        for at, user in enumerate(block):
            pools.append(_pool(user, names, scored[:, at], matrix, per_source))
        progress.advance(len(block))
    return pools


def _scores(
    estimators: Mapping[str, Estimator], items: int, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Shape (sources, users, items); NaN where a source says nothing."""
    known_rows = np.flatnonzero(rows >= 0)
    scored = np.full((len(estimators), len(rows), items), np.nan, dtype=np.float32)
    for at, (name, estimator) in enumerate(estimators.items()):
        everybody = name == "popular"
        who = np.arange(len(rows)) if everybody and items else known_rows
        if not len(who):
            continue
        # A popularity is the same for every row; a stranger takes that of the first.
        found = estimator.score_users(np.maximum(rows[who], 0))
        found = np.where(estimator.known[None, :], found, np.float32(np.nan))
        if not everybody:
            found[~np.any(found != 0, axis=1, where=np.isfinite(found))] = np.nan
        scored[at, who] = found
    return scored


def _pool(
    user: LabelledUser,
    names: tuple[str, ...],
    scored: NDArray[np.float32],
    matrix: InteractionMatrix,
    per_source: int,
) -> FitPool:
    columns = matrix.item_index
    free = np.ones(matrix.shape[1], dtype=np.bool_)
    free[[columns[item] for item in user.seen if item in columns]] = False
    tops = []
    union = np.zeros(matrix.shape[1], dtype=np.bool_)
    for name, own in zip(names, scored, strict=True):
        eligible = np.isfinite(own) & free
        if name != "popular":
            eligible &= own != 0
        top = best_places(own, eligible, per_source)
        union[top] = True
        tops.append(top)
    items = np.flatnonzero(union)
    z, present = z_table(scored[:, items].T.astype(np.float64))
    wanted = {columns[item] for item in user.positives if item in columns}
    unknown = [np.inf] * (len(user.positives) - len(wanted))
    alone = [ndcg(np.append(ranks_in(top.tolist(), wanted), unknown)) for top in tops]
    pictured = 0.0
    if "picture" in names and len(items):
        pictured = float(present[:, names.index("picture")].mean())
    return FitPool(
        user,
        items,
        z,
        present,
        Context(len(user.seen), disagreement(z), pictured),
        np.flatnonzero(np.isin(items, list(wanted))),
        np.array(alone),
    )
