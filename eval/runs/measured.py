"""What every system scored on every question, and what that amounts to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.measure import mean_and_interval
from eval.question import Question
from eval.ranking import BASE, measure
from eval.records.record import Cost, Figure, Stratum
from eval.records.tables import Row
from eval.runs.contestants import Contestant

_TOP = 10


@dataclass(frozen=True, eq=False)
class Measured:
    """One system's values by metric, shape (questions,); NaN where there is none.

    ``asked`` marks the questions that the system answered: NaN among those is an empty
    metric and counted, NaN elsewhere is no answer.
    """

    contestant: Contestant
    values: Mapping[str, NDArray[np.float64]]
    asked: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """Of the system."""
        return self.contestant.name

    def figure(self, metric: str, seed: int) -> Figure:
        """Mean with its bootstrap interval over the questions that were answered."""
        values = self.values[metric][self.asked]
        mean, low, high = mean_and_interval(values, seed=seed)
        return Figure(mean=mean, low=low, high=high, empty=int(np.isnan(values).sum()))

    def coverage(self, catalogue: int) -> float:
        """Share of the catalogue that stands in some top ten; NaN for no catalogue."""
        shown = {
            item for order in self.contestant.orders if order is not None for item in order[:_TOP]
        }
        return len(shown) / catalogue if catalogue else math.nan

    def cost(self) -> Cost:
        """Calls, tokens and milliseconds; zeros for a system without a model."""
        answers = [one for one in self.contestant.answers if one is not None]
        if not answers:
            return Cost()
        milliseconds = [one.milliseconds for one in answers]
        prompt = sum(one.prompt_tokens for one in answers)
        completion = sum(one.completion_tokens for one in answers)
        replayed = sum(one.replayed for one in answers)
        return Cost(
            calls=sum(one.calls for one in answers),
            asked=sum(len(one.items) for one in answers) - replayed,
            replayed=replayed,
            prompt_tokens=prompt,
            completion_tokens=completion,
            p50_ms=float(np.quantile(milliseconds, 0.5)),
            p95_ms=float(np.quantile(milliseconds, 0.95)),
            tokens_per_query=(prompt + completion) / len(answers),
        )


def measure_all(
    contestants: Sequence[Contestant], questions: Sequence[Question], metrics: Sequence[str]
) -> dict[str, Measured]:
    """Every metric of every system on every question, by system name."""
    found = {}
    for one in contestants:
        rows = [
            None if order is None else measure(order, question, metrics)
            for order, question in zip(one.orders, questions, strict=True)
        ]
        values = {
            name: np.array([math.nan if row is None else row[name] for row in rows])
            for name in metrics
        }
        asked = np.array([row is not None for row in rows], dtype=np.bool_)
        found[one.name] = Measured(one, values, asked)
    return found


def strata_of(
    one: Measured, base: Measured, questions: Sequence[Question], metric: str, seed: int
) -> dict[str, dict[str, Stratum]]:
    """The metric in every group of every stratum, over the questions that were answered."""
    groups: dict[tuple[str, str], list[int]] = {}
    for at, question in enumerate(questions):
        if one.asked[at]:
            for stratum, group in question.strata.items():
                groups.setdefault((stratum, group), []).append(at)
    found: dict[str, dict[str, Stratum]] = {}
    for (stratum, group), places in sorted(groups.items()):
        values = one.values[metric][places]
        mean, low, high = mean_and_interval(values, seed=seed)
        delta, _, _ = mean_and_interval(values - base.values[metric][places], seed=seed)
        found.setdefault(stratum, {})[group] = Stratum(
            n=len(places), mean=mean, low=low, high=high, delta=delta
        )
    return found


def rows_of(
    measured: Mapping[str, Measured], questions: Sequence[Question], primary: str
) -> list[Row]:
    """One row a system and question, for ``rows.parquet``."""
    base = measured[BASE].values[primary]
    rows = []
    for name, one in measured.items():
        for at, question in enumerate(questions):
            if not one.asked[at]:
                continue
            judged = one.contestant.answers[at] if one.contestant.answers else None
            rows.append(
                Row(
                    system=name,
                    query_id=question.query_id,
                    strata=question.strata,
                    metrics={metric: float(values[at]) for metric, values in one.values.items()},
                    delta=float(one.values[primary][at] - base[at]),
                    prompt_tokens=judged.prompt_tokens if judged else 0,
                    completion_tokens=judged.completion_tokens if judged else 0,
                    milliseconds=judged.milliseconds if judged else 0.0,
                    calls=judged.calls if judged else 0,
                    judged=len(judged.items) if judged else 0,
                    failed=judged.failed if judged else 0,
                    missing=judged.missing if judged else 0,
                    replayed=judged.replayed if judged else 0,
                )
            )
    return rows
