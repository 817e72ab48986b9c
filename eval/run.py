"""One evaluation run: split, fit, rank, measure, compare with what was expected."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.measure import mean_and_interval
from eval.config import EvalConfig, Expectation
from eval.metrics import parse_metric
from eval.splits import Split, global_temporal, leave_last_out
from eval.systems import make_estimator, ranks_of_relevant
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.errors import InvalidInput
from retrieval.ports import Progress
from retrieval.types import Interaction


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over queries with its bootstrap 95 % interval; ``empty`` queries had no answer."""

    mean: float
    low: float
    high: float
    empty: int


@dataclass(frozen=True, slots=True)
class SystemResult:
    """Figures of one system by metric name, and what it cost."""

    name: str
    figures: Mapping[str, Figure]
    fit_seconds: float
    rank_seconds: float


@dataclass(frozen=True, slots=True)
class Miss:
    """An expectation that did not hold."""

    expected: Expectation
    measured: float


@dataclass(frozen=True, slots=True)
class EvalResult:
    """What a run found."""

    queries: int
    train: int
    items: int
    left_out: Mapping[str, int]
    systems: Sequence[SystemResult]
    misses: Sequence[Miss]


def run_evaluation(
    config: EvalConfig,
    interactions: Sequence[Interaction],
    catalogue: Sequence[str],
    progress: Progress,
    clock: Callable[[], float] = time.perf_counter,
) -> EvalResult:
    """Run every system of the config on the same split.

    Args:
        config: what to run.
        interactions: the whole log; its order decides between equal instants.
        catalogue: every item id.
        progress: sees one stage, a unit a system and user.
        clock: seconds, for the cost columns.

    Raises:
        InvalidInput: nobody is left to test.
    """
    split = _split(config, interactions)
    if not split.relevant:
        reasons = ", ".join(f"{why}: {n}" for why, n in split.left_out.items())
        raise InvalidInput(f"the split leaves no user to test ({reasons})", "relax [split]")
    matrix = InteractionMatrix.from_interactions(split.train, item_ids=catalogue)
    relevant = {u: items for u, items in split.relevant.items() if u in matrix.user_index}
    progress.start(f"evaluate {config.name}", len(relevant) * len(config.systems))
    results = []
    for system in config.systems:
        started = clock()
        estimator = make_estimator(system).fit(matrix)
        fitted = clock()
        per_query: dict[str, list[float]] = {name: [] for name in config.metrics}
        for ranks in ranks_of_relevant(estimator, matrix, relevant):
            for name, values in per_query.items():
                metric, cut = parse_metric(name)
                values.append(metric(ranks, cut))
            progress.advance()
        figures = {
            name: _figure(np.array(values), config.seed) for name, values in per_query.items()
        }
        results.append(SystemResult(system.name, figures, fitted - started, clock() - fitted))
    return EvalResult(
        queries=len(relevant),
        train=len(split.train),
        items=len(catalogue),
        left_out=split.left_out,
        systems=results,
        misses=_misses(config.expect, results),
    )


def _split(config: EvalConfig, interactions: Sequence[Interaction]) -> Split:
    if config.split.kind == "leave-last-out":
        return leave_last_out(interactions, min_interactions=config.split.min_interactions)
    return global_temporal(interactions, test_fraction=config.split.test_fraction)


def _figure(values: NDArray[np.float64], seed: int) -> Figure:
    mean, low, high = mean_and_interval(values, seed=seed)
    return Figure(mean, low, high, int(np.isnan(values).sum()))


def _misses(expected: Sequence[Expectation], results: Sequence[SystemResult]) -> list[Miss]:
    by_name = {result.name: result for result in results}
    misses = []
    for one in expected:
        measured = by_name[one.system].figures[one.metric].mean
        # NaN compares false with everything, so it must be asked for: it is a miss.
        if not abs(measured - one.value) <= one.within:
            misses.append(Miss(one, measured))
    return misses
