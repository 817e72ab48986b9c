"""F: S with one more scorer behind the gate, which opens only for what helps.

A scorer gives log-odds to the first places of S. The benchmark brings the one that knows
nothing; a language model joins as one more ``Scorer`` in ``SCORERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.fitting.pools import FitPool
from eval.bench.quality.outcomes import Outcome, from_orders
from eval.bench.quality.pool_files import Pools
from eval.bench.quality.protocols import Asked
from eval.bench.quality.served import places_by
from retrieval.fusion.features import z_scores
from retrieval.fusion.gate import STRICT, Decision, decide
from retrieval.fusion.guard import guarded_order
from retrieval.fusion.score import LLM_CLIP
from retrieval.fusion.weights import FusionWeights

Scorer = Callable[[str, FitPool, NDArray[np.int64]], NDArray[np.float64]]
"""Period, pool and some of its rows to log-odds, shape (rows,); NaN for a failed judgement."""

JUDGED = 20
"""Places of S that a scorer is asked about."""
LAMBDAS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
MAX_RISE = 3
_FOLDS = 5


def at_random(period: str, pool: FitPool, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Log-odds that know nothing: the same for one user, period and list every time."""
    seed = [ord(one) for one in f"{period} {pool.user.user_id}"]
    return np.random.default_rng(seed).normal(size=len(rows))


SCORERS: Mapping[str, Scorer] = {"random": at_random}


@dataclass(frozen=True, slots=True)
class Admitted:
    """Lambda of F, and the gate's decision; 0 where the gate stays closed."""

    weight: float
    decision: Decision


def admit(scorer: Scorer, pools: Pools, weights: FusionWeights, *, seed: int = 0) -> Admitted:
    """Choose lambda on the labelled pools of T2, each user by the others, and ask the gate."""
    values = np.zeros((len(pools.pools), len(LAMBDAS)))
    for at, pool in enumerate(pools.pools):
        orders = _orders("learn", scorer, pool, pools.sources, weights, LAMBDAS)
        values[at] = [pool.ndcg_of(order) for order in orders]
    fold = np.random.default_rng(seed).permutation(len(values)) % _FOLDS
    after = values[:, 0].copy()
    for left_out in range(_FOLDS):
        inside = fold == left_out
        if inside.any() and not inside.all():
            after[inside] = values[inside, int(np.argmax(values[~inside].mean(axis=0)))]
    strata = [pool.context.stratum for pool in pools.pools]
    decision = decide(values[:, 0], after, strata, seed, confidence=STRICT)
    best = LAMBDAS[int(np.argmax(values.mean(axis=0)))] if len(values) else 0.0
    return Admitted(best if decision.opened else 0.0, decision)


def judged(
    asked: Asked,
    pools: Pools,
    weights: FusionWeights,
    scorer: Scorer,
    admitted: Admitted,
    meta: Mapping[str, Any],
) -> Outcome:
    """F on T3; where the gate is closed the scorer is not asked, and F is S."""
    orders = []
    for pool in pools.pools:
        closed = pool.context.stratum in admitted.decision.closed_in
        weight = 0.0 if closed else admitted.weight
        (order,) = _orders("test", scorer, pool, pools.sources, weights, (weight,))
        orders.append(pool.items[order])
    gate = {"weight": admitted.weight, "gate": asdict(admitted.decision)}
    return from_orders(asked, orders, {**meta, **gate})


def _orders(
    period: str,
    scorer: Scorer,
    pool: FitPool,
    sources: Sequence[str],
    weights: FusionWeights,
    lambdas: Sequence[float],
) -> list[NDArray[np.int64]]:
    base = places_by(pool, sources, weights)
    if not any(lambdas):
        return [base] * len(lambdas)
    first, rest = base[:JUDGED], base[JUDGED:]
    score = pool.z[first] @ pool.shares(sources, weights)
    z, _ = z_scores(np.asarray(scorer(period, pool, first), dtype=np.float64), LLM_CLIP)
    names = [str(at) for at in range(len(first))]
    orders = []
    for weight in lambdas:
        f = dict(zip(names, (score + weight * z).tolist(), strict=True))
        moved = [int(one) for one in guarded_order(names, f, MAX_RISE)]
        orders.append(np.concatenate([first[moved], rest]) if weight else base)
    return orders
