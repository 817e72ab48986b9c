"""Weights of S from labelled pools, each user judged by weights that did not see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.fitting.pools import FitPool
from retrieval.fusion.gate import Decision, decide
from retrieval.fusion.train import train_adaptive, train_weights

FOLDS = 5
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Learned:
    """What the pools taught.

    Attributes:
        flat: weights without context, shape (sources,).
        base: a of w = max(0, a + b·g), shape (sources,).
        slopes: b, shape (features, sources).
        best: column of the best single source.
        alone: NDCG@10 of each source, shape (users, sources).
        flat_values: out-of-fold NDCG@10 under ``flat``, shape (users,).
        adaptive_values: the same under ``base`` and ``slopes``.
        adaptive: may the slopes replace the flat weights?
        mixture: may the mixture replace the best single source?
        values: out-of-fold NDCG@10 of what is served: S, shape (users,).
    """

    flat: Values
    base: Values
    slopes: Values
    best: int
    alone: Values
    flat_values: Values
    adaptive_values: Values
    adaptive: Decision
    mixture: Decision
    values: Values


def learn(pools: Sequence[FitPool], start: Values, *, seed: int = 0) -> Learned:
    """Train flat and adaptive weights, and let each through only where it is no worse.

    Args:
        pools: of one user each, at least ``FOLDS`` of them with a positive.
        start: what the weights are pulled towards, shape (sources,); its scale does not matter.
        seed: of the folds and of the gate.
    """
    alone = np.array([pool.alone for pool in pools])
    best = int(np.argmax(alone.mean(axis=0)))
    fold = np.random.default_rng(seed).permutation(len(pools)) % FOLDS
    flat_values, adaptive_values = np.zeros(len(pools)), np.zeros(len(pools))
    for left_out in range(FOLDS):
        others = [pool for pool, its in zip(pools, fold.tolist(), strict=True) if its != left_out]
        flat, base, slopes = _trained(others, start)
        for at in np.flatnonzero(fold == left_out).tolist():
            pool = pools[at]
            flat_values[at] = pool.ndcg(flat)
            moved = np.maximum(base + pool.context.g @ slopes, 0.0)
            adaptive_values[at] = pool.ndcg(moved if moved.any() else flat)
    strata = [pool.context.stratum for pool in pools]
    adaptive = decide(flat_values, adaptive_values, strata, seed)
    mixed = _replaced(flat_values, adaptive_values, strata, adaptive)
    mixture = decide(alone[:, best], mixed, strata, seed)
    flat, base, slopes = _trained(pools, start)
    return Learned(
        flat=flat,
        base=base,
        slopes=slopes,
        best=best,
        alone=alone,
        flat_values=flat_values,
        adaptive_values=adaptive_values,
        adaptive=adaptive,
        mixture=mixture,
        values=_replaced(alone[:, best], mixed, strata, mixture),
    )


def _trained(pools: Sequence[FitPool], start: Values) -> tuple[Values, Values, Values]:
    labelled = [found for pool in pools if (found := pool.labelled) is not None]
    flat = train_weights(labelled, _scaled(labelled, start))
    return flat, *train_adaptive(labelled, flat)


def _scaled(labelled: Sequence[object], start: Values) -> Values:
    """The start at the scale at which it explains the labels best."""
    from retrieval.fusion.train import LabelledPool

    columns = [
        LabelledPool((pool.z @ start)[:, None], pool.positives)
        for pool in labelled
        if isinstance(pool, LabelledPool)
    ]
    scale = float(train_weights(columns, np.ones(1), ridge=0.0)[0])
    return start * max(scale, 1e-3)


def _replaced(
    before: Values, after: Values, strata: Sequence[str], decision: Decision
) -> Values:
    """The values of what is served where the decision is followed."""
    if not decision.opened:
        return before
    closed = np.isin(np.asarray(strata), decision.closed_in)
    return np.where(closed, before, after)
