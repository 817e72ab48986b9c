"""``palate fit``: learn from the event log what each source is worth, and certify it.

The log is cut in time. Sources are fitted on what lies before the cut, weights and the gate on
what followed; then everything that earned a weight is fitted again on the whole log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.fitting.certificate import Certificate, Measured, SourceLine
from agent.fitting.combine import combsum, reciprocal_ranks
from agent.fitting.labels import TemporalSplit, labelled_users, split_by_time
from agent.fitting.learn import Learned, learn
from agent.fitting.pools import FitPool, collect
from agent.measure import mean_and_interval
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.history import history_matrix
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.line_up import HISTORY_SOURCES, line_up
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.errors import InvalidInput
from retrieval.fusion.context import FEATURES
from retrieval.fusion.weights import (
    PRIOR_WITHOUT_TEXT,
    FusionWeights,
    prior_weights,
    scenes_from,
)
from retrieval.ports import Progress
from retrieval.types import Interaction

MIN_LABELLED = 10
SHARE_AFTER = 0.2
MAX_USERS = 10_000

Extra = Callable[[TemporalSplit, InteractionMatrix], Mapping[str, Estimator]]
"""Sources that are read from elsewhere as they stood at the cut, fitted."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """What the past taught: the certificate, and what it rests on.

    Attributes:
        certificate: to be saved.
        pools: one a labelled user.
        names: sources, the columns of the pools.
        matrix: whose columns the pools name.
        before: the log up to the cut.
    """

    certificate: Certificate
    pools: Sequence[FitPool]
    names: tuple[str, ...]
    matrix: InteractionMatrix
    before: Sequence[Interaction]


def learn_fusion(
    interactions: Sequence[Interaction],
    item_ids: Sequence[str],
    *,
    data_hash: str,
    progress: Progress,
    features: ItemFeatures | None = None,
    only: Collection[str] = HISTORY_SOURCES,
    extra: Extra | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    ease_max_items: int = 20_000,
    per_source: int = 50,
    max_users: int = MAX_USERS,
    share_after: float = SHARE_AFTER,
    threads: int = 1,
    seed: int = 0,
) -> Learnt:
    """Cut the log in time, fit sources on the past, learn their weights from what followed.

    Args:
        interactions: the whole log, any order.
        item_ids: the catalogue.
        data_hash: state of the stores.
        progress: sees every stage.
        features: vectors of the items; ``None`` = none.
        only: names of the sources to weigh.
        extra: sources beside those of ``line_up``.
        settings: of estimators, by source name.
        ease_max_items: size of the catalogue above which iALS replaces EASE.
        per_source: best of each source that make a pool.
        max_users: labelled users at most; more are sampled.
        share_after: of the events, which become labels.
        threads: of the solvers.
        seed: of samples and folds.

    Raises:
        InvalidInput: there is no interaction to learn from.
    """
    if not interactions:
        raise InvalidInput(
            "the event log holds no interaction, so there is nothing to fit",
            "bring interactions in first: palate ingest FOLDER",
        )
    split = split_by_time(interactions, share_after)
    users = labelled_users(split, frozenset(item_ids), max_users, seed)
    matrix = history_matrix(split.before, item_ids)
    estimators = line_up(
        features or ItemFeatures(),
        items=len(item_ids),
        ease_max_items=ease_max_items,
        settings=settings,
        without=[name for name in HISTORY_SOURCES if name not in only],
        threads=threads,
        seed=seed,
        progress=progress,
    )
    seconds = fit_all(estimators, matrix, progress, "on the past")
    if extra is not None:
        estimators = {**extra(split, matrix), **estimators}
    pools = collect(estimators, matrix, users, per_source=per_source, progress=progress)
    progress.start("learning weights", None)
    found = _learned(pools, tuple(estimators), seed)
    sizes = {name: sum(a.nbytes for a in one.arrays().values()) for name, one in estimators.items()}
    certificate = Certificate(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        data_hash=data_hash,
        seed=seed,
        cut="" if split.cut is None else split.cut.isoformat(),
        share_after=share_after,
        users=len(pools),
        trainable=sum(len(pool.positives) > 0 for pool in pools),
        recall=float(np.mean([pool.recall for pool in pools])) if pools else float("nan"),
        per_source=per_source,
        sources=tuple(_line(name, found, seconds, sizes) for name in estimators),
        combined=found.combined,
        gain=found.gain,
        best=found.best,
        mixture=found.learned.mixture if found.learned else None,
        adaptive=found.learned.adaptive if found.learned else None,
        llm=None,
        weights=_weights(found, data_hash),
        notes=tuple(_notes(found)),
    )
    return Learnt(certificate, pools, tuple(estimators), matrix, split.before)


def fit_all(
    estimators: Mapping[str, Estimator], matrix: InteractionMatrix, progress: Progress, on: str
) -> dict[str, float]:
    """Fit each on the matrix; seconds by name."""
    seconds = {}
    progress.start(f"fitting sources {on}", len(estimators))
    for name, estimator in estimators.items():
        started = time.perf_counter()
        estimator.fit(matrix)
        seconds[name] = time.perf_counter() - started
        progress.advance()
    return seconds


@dataclass(frozen=True, eq=False)
class _Found:
    names: tuple[str, ...]
    trainable: int
    alone: Mapping[str, Measured]
    combined: tuple[Measured, ...]
    gain: Measured
    best: str
    learned: Learned | None


def prior_shares(names: Sequence[str]) -> NDArray[np.float64]:
    """The prior's weight of each source; shape (sources,)."""
    shares = np.array([PRIOR_WITHOUT_TEXT.get(name, 0.0) for name in names])
    return shares if shares.any() else np.ones(len(names))


def _learned(pools: Sequence[FitPool], names: tuple[str, ...], seed: int) -> _Found:
    def measured(name: str, values: NDArray[np.float64]) -> Measured:
        return Measured(name, *mean_and_interval(values, seed=seed))

    alone = np.array([pool.alone for pool in pools]).reshape(-1, len(names))
    trainable = sum(len(pool.positives) > 0 for pool in pools)
    start = prior_shares(names)
    learned = learn(pools, start, seed=seed) if trainable >= MIN_LABELLED else None
    prior = np.array([pool.ndcg(start) for pool in pools])
    values = prior if learned is None else learned.values
    best = int(np.argmax(alone.mean(axis=0))) if len(pools) else 0
    combined = [
        measured("S", values),
        measured("S with the prior", prior),
        measured("RRF", np.array([pool.ndcg_of(reciprocal_ranks(pool)) for pool in pools])),
        measured("CombSUM", np.array([pool.ndcg_of(combsum(pool)) for pool in pools])),
    ]
    return _Found(
        names,
        trainable,
        {name: measured(name, alone[:, at]) for at, name in enumerate(names)},
        tuple(combined),
        measured("gain", values - alone[:, best] if len(pools) else values),
        names[best] if names else "",
        learned,
    )


def _weights(found: _Found, data_hash: str) -> FusionWeights:
    learned = found.learned
    if learned is None:
        return prior_weights(
            data_hash, f"{found.trainable} users to learn from, {MIN_LABELLED} are needed"
        )
    names = found.names
    slopes: dict[str, dict[str, float]] = {}
    flat_in: tuple[str, ...] = ()
    if not learned.mixture.opened:
        w = np.eye(len(names))[learned.best]
    elif learned.adaptive is None or not learned.adaptive.opened:
        w = learned.flat
    else:
        w, flat_in = learned.base, learned.adaptive.closed_in
        slopes = {
            feature: dict(zip(names, (row / w.sum()).tolist(), strict=True))
            for feature, row in zip(FEATURES, learned.slopes, strict=True)
        }
    without, with_text = scenes_from(dict(zip(names, w.tolist(), strict=True)))
    return FusionWeights(
        without,
        with_text,
        slopes=slopes,
        flat_in=flat_in,
        instead=dict.fromkeys(learned.mixture.closed_in, found.best),
        kind="learned",
        n_labelled=found.trainable,
        data_hash=data_hash,
        source_ndcg={name: one.ndcg for name, one in found.alone.items()},
        fused_ndcg=found.combined[0].ndcg,
        note=learned.mixture.overall.because,
    )


def _line(
    name: str, found: _Found, seconds: Mapping[str, float], sizes: Mapping[str, int]
) -> SourceLine:
    weight = _weights(found, "").without_text.get(name, 0.0)
    if found.learned is None:
        because = "the prior's share" if weight else "the prior gives it nothing"
    elif not found.learned.mixture.opened:
        because = "the best single source" if weight else f"{found.best} alone is served"
    else:
        because = "adds to the mixture" if weight else "adds nothing beside the others"
    return SourceLine(
        name, found.alone[name], weight, seconds.get(name, 0.0), sizes.get(name, 0), because
    )


def _notes(found: _Found) -> list[str]:
    learned = found.learned
    notes = ["requests with text: query and lexical keep the prior's share, nobody labels queries"]
    if learned is None:
        return [f"the prior is served: {found.trainable} users to learn from", *notes]
    if not learned.mixture.opened:
        notes.insert(0, f"{found.best} alone is served: {learned.mixture.overall.because}")
    for stratum in learned.mixture.closed_in:
        notes.insert(0, f"histories of {stratum}: {found.best} alone, S may lose more than 1 %")
    if learned.adaptive is None:
        notes.append("weights do not follow the context: too few users to show that it helps")
    elif not learned.adaptive.opened:
        notes.append(f"weights do not follow the context: {learned.adaptive.overall.because}")
    return notes
