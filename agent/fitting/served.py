"""From what was learned to what is served: the mixture, its slopes, or one source alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.fitting.learn import Learned, learn
from agent.fitting.pools import FitPool
from retrieval.fusion.context import FEATURES
from retrieval.fusion.weights import (
    PRIOR_WITHOUT_TEXT,
    FusionWeights,
    prior_weights,
    scenes_from,
)

MIN_LABELLED = 10
"""Users with a positive in their pool below which the prior is served as it is."""


def prior_shares(names: Sequence[str]) -> NDArray[np.float64]:
    """The prior's weight of each source; equal ones where it knows none; shape (sources,)."""
    shares = np.array([PRIOR_WITHOUT_TEXT.get(name, 0.0) for name in names])
    return shares if shares.any() else np.ones(len(names))


def learn_from(
    pools: Sequence[FitPool], names: Sequence[str], *, data_hash: str = "", seed: int = 0
) -> tuple[FusionWeights, Learned | None]:
    """The weights to serve, and what they rest on; ``None`` below ``MIN_LABELLED`` users.

    Args:
        pools: one a labelled user.
        names: sources, the columns of the pools.
        data_hash: state of the stores.
        seed: of folds and gates.
    """
    usable = sum(len(pool.positives) > 0 for pool in pools)
    if usable < MIN_LABELLED:
        why = f"{usable} users to learn from, {MIN_LABELLED} are needed"
        return prior_weights(data_hash, why), None
    learned = learn(pools, prior_shares(names), seed=seed)
    alone = [float(np.mean([pool.alone[at] for pool in pools])) for at in range(len(names))]
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
    weights = FusionWeights(
        without,
        with_text,
        slopes=slopes,
        flat_in=flat_in,
        instead=dict.fromkeys(learned.mixture.closed_in, names[learned.best]),
        kind="learned",
        n_labelled=usable,
        data_hash=data_hash,
        source_ndcg=dict(zip(names, alone, strict=True)),
        fused_ndcg=float(learned.values.mean()),
        note=learned.mixture.overall.because,
    )
    return weights, learned
