"""Fit the fused score: learn from the event log what each source is worth.

Only sources that need nothing but the log's past are learned, ``behaviour`` and
``popular``. Profiles may have read texts from after the cut, and a source that saw the
answers looks better than it is; ``profile`` therefore keeps its prior share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from agent.fitting.labels import LabelledUser, labelled_users, pool_for, split_by_time
from agent.measure import mean_and_interval, ndcg, ranks_in
from retrieval.candidates.history import history_sources
from retrieval.errors import InvalidInput
from retrieval.fusion.features import PoolFeatures, pool_features
from retrieval.fusion.train import LabelledPool, train_weights
from retrieval.fusion.weights import (
    PRIOR_WITHOUT_TEXT,
    FusionWeights,
    prior_weights,
    scenes_from,
)
from retrieval.ports import Catalog, EventLog, Progress
from retrieval.types import Candidate, Interaction

MIN_LABELLED = 100
SHARE_AFTER = 0.2
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """NDCG@10 over the labelled users, with its 95 % interval; NaN without users."""

    name: str
    ndcg: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FitReport:
    """What a fit found.

    Attributes:
        weights: to be saved.
        cut: instant that separates past from labels; ``None`` for a log without spread.
        users: labelled users that were measured.
        trainable: of these, the ones with a positive in their pool; only they train.
        recall: mean share of a user's positives that the pool held.
        sources: each source alone.
        prior: S with the prior weights.
        fused: S with weights learned from the other folds; the prior's where nothing was learned.
        gain: S minus the best single source, paired by user.
    """

    weights: FusionWeights
    cut: datetime | None
    users: int
    trainable: int
    recall: float
    sources: tuple[Measured, ...]
    prior: Measured
    fused: Measured
    gain: Measured


@dataclass(frozen=True, eq=False)
class _Pool:
    user: LabelledUser
    features: PoolFeatures
    alone: tuple[float, ...]
    """NDCG@10 of each source by itself."""
    labelled: LabelledPool | None
    """``None`` when no source found a positive."""


def fit_fusion(
    *,
    catalog: Catalog,
    event_log: EventLog,
    data_hash: str,
    progress: Progress,
    ease_max_items: int = 20_000,
    per_source: int = 50,
    max_users: int = 2000,
    seed: int = 0,
) -> FitReport:
    """Cut the log in time, fit sources on the past, learn their weights from what followed.

    Fewer than 100 users to learn from give the prior. So does no gain: when S does not
    beat the best single source out of fold, that source alone gets the learned share.

    Raises:
        InvalidInput: there is no interaction to learn from.
    """
    progress.start("reading the event log", None)
    return learn_fusion(
        list(event_log.interactions()),
        [item.item_id for item in catalog.items()],
        data_hash=data_hash,
        progress=progress,
        ease_max_items=ease_max_items,
        per_source=per_source,
        max_users=max_users,
        seed=seed,
    )


def learn_fusion(
    interactions: Sequence[Interaction],
    item_ids: Sequence[str],
    *,
    data_hash: str,
    progress: Progress,
    ease_max_items: int = 20_000,
    per_source: int = 50,
    max_users: int = 2000,
    share_after: float = SHARE_AFTER,
    seed: int = 0,
) -> FitReport:
    """``fit_fusion`` on a log in memory; ``share_after`` of its events are labels."""
    if not interactions:
        raise InvalidInput(
            "the event log holds no interaction, so there is nothing to fit",
            "bring interactions in first: palate ingest FOLDER",
        )
    split = split_by_time(interactions, share_after)
    users = labelled_users(split, frozenset(item_ids), max_users, seed)
    progress.start("fitting sources on the past", None)
    sources = history_sources(split.before, item_ids, ease_max_items)
    names = tuple(source.name for source in sources)
    progress.start("collecting pools", len(users))
    pools = []
    for user in users:
        pools.append(_pool(user, pool_for(user, sources, per_source), names))
        progress.advance()
    progress.start("learning weights", None)
    return _report(pools, names, split.cut, data_hash, seed)


def _pool(user: LabelledUser, candidates: Sequence[Candidate], names: tuple[str, ...]) -> _Pool:
    features = pool_features(candidates, names)
    rows = tuple(at for at, item in enumerate(features.item_ids) if item in user.positives)
    alone = tuple(
        ndcg(
            ranks_in(
                [
                    one.item_id
                    for one in sorted(
                        (one for one in candidates if name in one.scores_by_source),
                        key=lambda one: (-one.scores_by_source[name], one.item_id),
                    )
                ],
                user.positives,
            )
        )
        for name in names
    )
    return _Pool(user, features, alone, LabelledPool(features.z, rows) if rows else None)


def _report(
    pools: Sequence[_Pool],
    names: tuple[str, ...],
    cut: datetime | None,
    data_hash: str,
    seed: int,
) -> FitReport:
    alone = np.array([pool.alone for pool in pools], dtype=np.float64).reshape(-1, len(names))
    trainable = sum(pool.labelled is not None for pool in pools)
    learned = trainable >= MIN_LABELLED
    shares = np.array([PRIOR_WITHOUT_TEXT[name] for name in names])
    by_prior = np.array([_ndcg_of(pool, shares) for pool in pools])
    fused = _out_of_fold(pools, len(names), seed) if learned else by_prior
    measured = tuple(
        Measured(name, *mean_and_interval(alone[:, at], seed=seed)) for at, name in enumerate(names)
    )
    best = max(range(len(names)), key=lambda at: measured[at].ndcg) if pools else 0
    gain = Measured("gain", *mean_and_interval(fused - alone[:, best], seed=seed))
    whole = Measured("S", *mean_and_interval(fused, seed=seed))
    if not learned:
        weights = prior_weights(
            data_hash,
            f"{trainable} users to learn from, {MIN_LABELLED} are needed",
        )
    else:
        if gain.ndcg > 0:
            w = _train(pools, len(names))
            note = "a mixture beat every single source out of fold"
        else:
            w = np.eye(len(names))[best]
            note = f"no mixture beat {names[best]} alone"
        without, with_text = scenes_from(dict(zip(names, map(float, w), strict=True)))
        weights = FusionWeights(
            without,
            with_text,
            kind="learned",
            n_labelled=trainable,
            data_hash=data_hash,
            source_ndcg={one.name: one.ndcg for one in measured},
            fused_ndcg=whole.ndcg,
            note=f"{note}; profile, query and lexical keep their prior shares",
        )
    found = [
        len(pool.user.positives.intersection(pool.features.item_ids)) / len(pool.user.positives)
        for pool in pools
    ]
    return FitReport(
        weights=weights,
        cut=cut,
        users=len(pools),
        trainable=trainable,
        recall=float(np.mean(found)) if found else math.nan,
        sources=measured,
        prior=Measured("S with the prior", *mean_and_interval(by_prior, seed=seed)),
        fused=whole,
        gain=gain,
    )


def _train(pools: Sequence[_Pool], columns: int) -> NDArray[np.float64]:
    """Weights from these users, pulled towards the best single source at its own scale."""
    labelled = [pool.labelled for pool in pools if pool.labelled is not None]
    best = int(np.argmax(np.mean([pool.alone for pool in pools], axis=0)))
    column = [LabelledPool(pool.z[:, [best]], pool.positives) for pool in labelled]
    start = np.zeros(columns)
    start[best] = max(float(train_weights(column, np.ones(1), ridge=0.0)[0]), 1e-3)
    return train_weights(labelled, start)


def _out_of_fold(pools: Sequence[_Pool], columns: int, seed: int) -> NDArray[np.float64]:
    """NDCG@10 of every user under weights that did not see that user."""
    fold = np.random.default_rng(seed).permutation(len(pools)) % FOLDS
    values = np.zeros(len(pools))
    for left_out in range(FOLDS):
        others = [pool for pool, its in zip(pools, fold, strict=True) if its != left_out]
        w = _train(others, columns)
        for at in np.flatnonzero(fold == left_out):
            values[at] = _ndcg_of(pools[at], w)
    return values


def _ndcg_of(pool: _Pool, w: NDArray[np.float64]) -> float:
    order = np.argsort(-(pool.features.z @ w), kind="stable")
    return ndcg(ranks_in([pool.features.item_ids[at] for at in order], pool.user.positives))
