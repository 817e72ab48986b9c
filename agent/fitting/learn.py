"""Weights of S from labelled pools, each user judged by weights that did not see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.fitting.pools import FitPool
from retrieval.fusion.gate import PROVEN_FROM, Decision, decide, decide_for_few, replaced
from retrieval.fusion.train import LabelledPool, train_adaptive, train_weights

FOLDS = 5
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Learned:
    """What the pools taught, and what of it is let through.

    Attributes:
        flat: weights without context, shape (sources,).
        base: a of w = max(0, a + b·g), shape (sources,).
        slopes: b, shape (features, sources).
        best: column of the best single source.
        adaptive: may the slopes move the weights? ``None`` with too few users to ask.
        mixture: may the mixture replace the best single source?
        flat_values: out-of-fold NDCG@10 under flat weights, shape (users,).
        values: out-of-fold NDCG@10 of what is served: S, shape (users,).
    """

    flat: Values
    base: Values
    slopes: Values
    best: int
    adaptive: Decision | None
    mixture: Decision
    flat_values: Values
    values: Values


def learn(pools: Sequence[FitPool], start: Values, *, seed: int = 0) -> Learned:
    """Train flat and adaptive weights; each is let through where it is no worse.

    Args:
        pools: of one user each; in every fifth of them somebody has a positive.
        start: what the weights are pulled towards, shape (sources,); its scale does not matter.
        seed: of the folds and of the gate.
    """
    alone = np.array([pool.alone for pool in pools])
    best = int(np.argmax(alone.mean(axis=0)))
    strata = [pool.context.stratum for pool in pools]
    enough = len(pools) >= PROVEN_FROM
    flat_values, adaptive_values = _out_of_fold(pools, start, seed, adaptive=enough)
    adaptive, mixed = None, flat_values
    if enough:
        adaptive = decide(flat_values, adaptive_values, strata, seed)
        mixed = replaced(flat_values, adaptive_values, strata, adaptive)
        mixture = decide(alone[:, best], mixed, strata, seed)
    else:
        mixture = decide_for_few(alone[:, best], mixed, seed)
    flat = train_flat(pools, start)
    base, slopes = train_adaptive(_labelled(pools), flat)
    return Learned(
        flat=flat,
        base=base,
        slopes=slopes,
        best=best,
        adaptive=adaptive,
        mixture=mixture,
        flat_values=flat_values,
        values=replaced(alone[:, best], mixed, strata, mixture),
    )


def train_flat(pools: Sequence[FitPool], start: Values) -> Values:
    """Weights without context, pulled towards ``start`` at the scale that explains most."""
    labelled = _labelled(pools)
    column = [LabelledPool((one.z @ start)[:, None], one.positives) for one in labelled]
    scale = float(train_weights(column, np.ones(1), ridge=0.0)[0])
    return train_weights(labelled, start * max(scale, 1e-3))


def _out_of_fold(
    pools: Sequence[FitPool], start: Values, seed: int, *, adaptive: bool
) -> tuple[Values, Values]:
    fold = np.random.default_rng(seed).permutation(len(pools)) % FOLDS
    flat_values, adaptive_values = np.zeros(len(pools)), np.zeros(len(pools))
    for left_out in range(FOLDS):
        others = [pool for pool, its in zip(pools, fold.tolist(), strict=True) if its != left_out]
        flat = train_flat(others, start)
        base, slopes = train_adaptive(_labelled(others), flat) if adaptive else (flat, None)
        for at in np.flatnonzero(fold == left_out).tolist():
            pool = pools[at]
            flat_values[at] = pool.ndcg(flat)
            if slopes is not None:
                moved = np.maximum(base + pool.context.g @ slopes, 0.0)
                adaptive_values[at] = pool.ndcg(moved)
    return flat_values, adaptive_values


def _labelled(pools: Sequence[FitPool]) -> list[LabelledPool]:
    return [found for pool in pools if (found := pool.labelled) is not None]
