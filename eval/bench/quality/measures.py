"""Figures of every system on one data set under one protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.measure import Ranks, ndcg
from eval.bench.quality.beyond import (
    Surroundings,
    coverage,
    diversity,
    miscalibration,
    novelty,
)
from eval.bench.quality.outcomes import Outcome
from eval.bench.quality.protocols import Asked
from eval.metrics import hit_rate, recall
from eval.stats.family import with_holm
from eval.stats.paired import compare
from retrieval.fusion.context import STRATA, stratum_of

PRIMARY = "ndcg@10"
BASE = "S"
RANKING: Mapping[str, tuple[Callable[[Ranks, int], float], int]] = {
    PRIMARY: (ndcg, 10),
    "hr@10": (hit_rate, 10),
    "recall@10": (recall, 10),
    "recall@50": (recall, 50),
}
LISTS = ("novelty", "diversity", "miscalibration")
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measured:
    """Values of one system by user; the mean over seeds where it was run with several.

    Attributes:
        values: by metric, shape (users,).
        cold: NDCG@10 of the cold items that a user took, NaN without one, among all items.
        among_cold: the same among the cold items.
        warm: of the warm ones, among all items.
        coverage: share of the catalogue.
        by_seed: NDCG@10 of each seed.
    """

    values: Mapping[str, Values]
    cold: Values
    among_cold: Values
    warm: Values
    coverage: float
    by_seed: Sequence[Values]


def measure(outcomes: Sequence[Outcome], around: Surroundings) -> Measured:
    """Values of a system from its answers, one outcome a seed.

    Raises:
        ValueError: no outcome.
    """
    if not outcomes:
        raise ValueError("a system without answers cannot be measured")
    each = [_measure(one, around) for one in outcomes]
    return Measured(
        values={name: _mean([one.values[name] for one in each]) for name in each[0].values},
        cold=_mean([one.cold for one in each]),
        among_cold=_mean([one.among_cold for one in each]),
        warm=_mean([one.warm for one in each]),
        coverage=float(np.mean([one.coverage for one in each])),
        by_seed=[one.values[PRIMARY] for one in each],
    )


def figures_of(measured: Measured) -> dict[str, Any]:
    """Means with their 95 % intervals, as plain numbers."""
    named = {**measured.values, "cold": measured.cold, "among_cold": measured.among_cold}
    found: dict[str, Any] = {
        name: _interval(values) for name, values in {**named, "warm": measured.warm}.items()
    }
    found["coverage@10"] = {"mean": measured.coverage, "low": None, "high": None, "n": None}
    return found


def strata_of(asked: Asked, measured: Measured) -> dict[str, dict[str, Any]]:
    """NDCG@10 by length of the history, the shortest first; strata without users are left out."""
    names = np.array([stratum_of(int(length)) for length in asked.history])
    return {
        name: _interval(measured.values[PRIMARY][names == name])
        for name in STRATA
        if (names == name).any()
    }


def against_base(
    systems: Mapping[str, Measured], base: str = BASE, metric: str = PRIMARY
) -> list[dict[str, Any]]:
    """Every system against S on the same users, adjusted as one family (Holm)."""
    if base not in systems:
        return []
    own = systems[base].values[metric]
    pairs = [
        compare(name, base, metric, one.values[metric], own, seed=0)
        for name, one in systems.items()
        if name != base
    ]
    return [asdict(one) for one in with_holm(pairs)]


def gain(values: Values, over: Values) -> dict[str, Any]:
    """Mean paired difference with its 95 % interval, and relative to ``over``'s mean."""
    found = _interval(values - over)
    there = np.isfinite(values) & np.isfinite(over)
    before = float(over[there].mean()) if there.any() else float("nan")
    relative = found["mean"] is not None and before > 0
    found["relative"] = found["mean"] / before if relative else None
    return found


def _measure(outcome: Outcome, around: Surroundings) -> Measured:
    asked = around.asked
    values = {
        name: np.array([metric(ranks, cut) for ranks in outcome.ranks])
        for name, (metric, cut) in RANKING.items()
    }
    users, items = asked.matrix.shape
    values["novelty"] = novelty(outcome.top, asked.counts, users)
    values["diversity"] = diversity(outcome.top, around.vectors)
    if around.genres is not None:
        values["miscalibration"] = miscalibration(outcome.top, asked, around.genres)
    cold = asked.cold
    index = asked.matrix.item_index
    of_cold, of_warm, among = [], [], []
    for ranks, inside, wanted in zip(
        outcome.ranks, outcome.among_cold, asked.relevant, strict=True
    ):
        # An item outside the catalogue has no users: it is as cold as can be.
        chilly = np.array([one not in index or bool(cold[index[one]]) for one in wanted])
        of_cold.append(ndcg(ranks[chilly]))
        of_warm.append(ndcg(ranks[~chilly]))
        there = inside[chilly]
        among.append(np.nan if np.isnan(there).any() else ndcg(there))
    return Measured(
        values=values,
        cold=np.array(of_cold),
        among_cold=np.array(among),
        warm=np.array(of_warm),
        coverage=coverage(outcome.top, items),
        by_seed=[values[PRIMARY]],
    )


def _mean(each: Sequence[Values]) -> Values:
    return np.asarray(np.mean(np.stack(list(each)), axis=0), dtype=np.float64)


def _interval(values: Values) -> dict[str, Any]:
    """``agent.measure.mean_and_interval``, number for number, with the draws made once."""
    finite = values[np.isfinite(values)]
    n = int(finite.size)
    if n == 0:
        return {"mean": None, "low": None, "high": None, "n": 0}
    low, high = np.quantile(_draws(n) @ finite / n, [0.025, 0.975])
    return {"mean": float(finite.mean()), "low": float(low), "high": float(high), "n": n}


@lru_cache(maxsize=4)
def _draws(n: int, seed: int = 0, resamples: int = 1000) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples)
