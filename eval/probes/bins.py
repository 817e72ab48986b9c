"""Bin ablation: is a prompt better when the cards show what each source says?

Whether they help is contested and depends on the model, so it is measured in every run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent.measure import mean_and_interval
from eval.answers.judge import PromptFor, judge_question, judged_candidates
from eval.answers.lane import Lane
from eval.judged import JudgedQuestion
from eval.question import Question
from eval.ranking import LogOdds, fused_ranking, measure
from eval.records.whole import finite
from retrieval.ports import Progress


@dataclass(frozen=True, slots=True)
class BinAblation:
    """The primary metric with bins minus without, paired; positive where bins help.

    Attributes:
        n: questions that were measured both ways.
        mean, low, high: with a bootstrap 95 % interval over questions; NaN without any.
        failed: questions where one way got no judgement at all.
        without_bins: questions that have none to show.
    """

    n: int
    mean: float
    low: float
    high: float
    failed: int
    without_bins: int

    def to_json(self) -> dict[str, Any]:
        """As the run's record keeps it; what was not measured is ``None``."""
        record: dict[str, Any] = finite(
            {
                "n": self.n,
                "mean": self.mean,
                "low": self.low,
                "high": self.high,
                "failed": self.failed,
                "without_bins": self.without_bins,
            }
        )
        return record


def bin_ablation(
    lane: Lane,
    questions: Sequence[Question],
    judged: Sequence[JudgedQuestion],
    prompt_for: PromptFor,
    *,
    candidates: int,
    bins: bool,
    weight: float,
    max_rise: int,
    primary: str,
    seed: int = 0,
    progress: Progress | None = None,
) -> BinAblation:
    """Judge every question again with the bins toggled, and compare.

    Args:
        lane: the one of the main pass.
        questions: n of them.
        judged: aligned; the main pass.
        prompt_for: the prompt under test.
        candidates: how many of the best by S are judged.
        bins: what the main pass did.
        weight: λ, the same both ways.
        max_rise: m of the guard.
        primary: the metric, such as ``"ndcg@10"``.
        seed: of the interval.
        progress: told of every question; its stage has been started.

    Raises:
        ModelUnavailable, BudgetSpent: see ``judge_question``. What was answered is on record.
    """
    deltas: list[float] = []
    failed = without = 0
    for question, before in zip(questions, judged, strict=True):
        if not any(one.bins for one in judged_candidates(question, candidates)):
            without += 1
        else:
            toggled = judge_question(
                lane, question, prompt_for, candidates=candidates, bins=not bins
            )
            if _nothing(before.log_odds) or _nothing(toggled.log_odds):
                failed += 1
            else:
                shown, hidden = (before, toggled) if bins else (toggled, before)
                with_bins, without_bins = (
                    _value(question, one.log_odds, weight, max_rise, primary)
                    for one in (shown, hidden)
                )
                deltas.append(with_bins - without_bins)
        if progress is not None:
            progress.advance()
    values = np.array(deltas, dtype=np.float64)
    mean, low, high = mean_and_interval(values, seed=seed)
    return BinAblation(int(np.isfinite(values).sum()), mean, low, high, failed, without)


def _nothing(told: LogOdds) -> bool:
    return all(odds is None for odds in told.values())


def _value(question: Question, told: LogOdds, weight: float, max_rise: int, metric: str) -> float:
    order = [one.item_id for one in fused_ranking(question, told, weight, max_rise)]
    return measure(order, question, [metric]).get(metric, math.nan)
