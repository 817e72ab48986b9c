"""``palate fit``: learn from the event log what each source is worth, and certify it.

The log is cut in time. Sources are fitted on what lies before the cut, weights and the gate on
what followed; then everything that earned a weight is fitted again on the whole log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.fitting.certificate import Certificate
from agent.fitting.certify import certify
from agent.fitting.labels import LabelledUser, TemporalSplit, labelled_users, split_by_time
from agent.fitting.pools import FitPool, collect
from agent.fitting.served import learn_from
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.history import history_matrix
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.line_up import HISTORY_SOURCES, line_up
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.errors import InvalidInput
from retrieval.ports import Progress
from retrieval.types import Interaction

SHARE_AFTER = 0.2
MAX_USERS = 10_000

Extra = Callable[
    [TemporalSplit, InteractionMatrix, Sequence[LabelledUser]], Mapping[str, Estimator]
]
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
        estimators = {**extra(split, matrix, users), **estimators}
    pools = collect(estimators, matrix, users, per_source=per_source, progress=progress)
    progress.start("learning weights", None)
    names = tuple(estimators)
    weights, learned = learn_from(pools, names, data_hash=data_hash, seed=seed)
    certificate = certify(
        pools,
        names,
        weights,
        learned,
        cut="" if split.cut is None else split.cut.isoformat(),
        share_after=share_after,
        per_source=per_source,
        seconds=seconds,
        bytes_of={
            name: sum(array.nbytes for array in one.arrays().values())
            for name, one in estimators.items()
        },
        seed=seed,
    )
    return Learnt(certificate, pools, names, matrix, split.before)


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
