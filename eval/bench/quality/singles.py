"""Every source alone on T3, and the pools that they make together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.fitting.pools import collect
from eval.bench.quality.outcomes import Outcome, from_scores
from eval.bench.quality.pool_files import Pools
from eval.bench.quality.protocols import Asked
from retrieval.candidates.estimator import Estimator
from retrieval.ports import Progress

PER_SOURCE = 50


def pools_of(estimators: Mapping[str, Estimator], asked: Asked, progress: Progress) -> Pools:
    """The pools that requests of the asked users would have met."""
    found = collect(
        estimators, asked.matrix, asked.labelled(), per_source=PER_SOURCE, progress=progress
    )
    return Pools(tuple(estimators), found)


def alone(
    estimators: Mapping[str, Estimator],
    asked: Asked,
    pools: Pools,
    meta: Mapping[str, Mapping[str, Any]],
    done: Callable[[str, Outcome], None],
    progress: Progress,
) -> Pools:
    """Rank the catalogue with each source, and keep what it said of the pools' items.

    Args:
        estimators: fitted, in the order of the pools' columns.
        asked: users and what they are to find.
        pools: of these users.
        meta: of each source, kept with its answers.
        done: is given each source's answers.
        progress: sees one stage, a unit a source.

    Returns:
        The pools with the raw scores.
    """
    raw = [np.full(one.z.shape, np.nan, dtype=np.float32) for one in pools.pools]
    progress.start("ranking with each source alone", len(estimators))
    for column, (name, estimator) in enumerate(estimators.items()):
        everybody = name == "popular"

        def scores(start: int, end: int, of: Estimator = estimator) -> NDArray[np.float32]:
            return of.score_users(asked.rows[start:end])

        def keep(
            at: int,
            own: NDArray[np.float32],
            column: int = column,
            speaks: bool = everybody,
        ) -> None:
            pool = pools.pools[at]
            if speaks or own.any():
                said = pool.present[:, column]
                raw[at][said, column] = own[pool.items[said]]

        done(name, from_scores(asked, scores, meta[name], keep))
        progress.advance()
    return Pools(pools.sources, pools.pools, raw)
