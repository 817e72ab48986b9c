"""Position probe: does it matter where in the call a candidate stands?

The same candidates are judged again in shuffled orders, with the relevant one ("gold") at a
fixed place. A pointwise scorer sees one candidate a prompt, so for it this measures what
batching does: prompts of one call that reach each other, and a server whose sums depend on
what else it computes. For a listwise scorer it would measure the bias of the position.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from eval.answers.judge import PromptFor, judge_question, judged_candidates
from eval.answers.lane import Lane
from eval.question import Question
from eval.ranking import LogOdds
from eval.records.whole import finite
from retrieval.ports import Progress

POSITIONS = (0, 5, 10, 15, 19)


@dataclass(frozen=True, slots=True)
class PositionFigures:
    """Gold at one position: mean ℓ, and mean rank by ℓ (from 1, ties in the middle).

    ``n`` counts questions; both means are NaN without any. ``failed`` counts those whose
    gold got no judgement.
    """

    position: int
    n: int
    failed: int
    log_odds: float
    rank: float


@dataclass(frozen=True, slots=True)
class PositionResult:
    """What positions do.

    Attributes:
        positions: one entry for each of ``POSITIONS``.
        kendall_tau: agreement of the orders by ℓ, in [-1, 1], between every two shuffles of
            a question, averaged over pairs, then over questions; NaN where no pair has two
            candidates with different ℓ.
        log_odds_range: largest minus smallest ℓ of gold, averaged over questions.
        n: questions that were asked.
        skipped: questions without a relevant item among the judged ones.
    """

    positions: tuple[PositionFigures, ...]
    kendall_tau: float
    log_odds_range: float
    n: int
    skipped: int

    def to_json(self) -> dict[str, Any]:
        """Three entries of the record's "probes"; what was not measured is ``None``."""
        record: dict[str, Any] = finite(
            {
                "position_bias": [
                    {
                        "position": one.position,
                        "n": one.n,
                        "failed": one.failed,
                        "log_odds": one.log_odds,
                        "rank": one.rank,
                    }
                    for one in self.positions
                ],
                "kendall_tau": self.kendall_tau,
                "position": {
                    "n": self.n,
                    "skipped": self.skipped,
                    "log_odds_range": self.log_odds_range,
                },
            }
        )
        return record


def position_probe(
    lane: Lane,
    questions: Sequence[Question],
    prompt_for: PromptFor,
    *,
    candidates: int,
    bins: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> PositionResult:
    """Judge every question once a position; nothing is replayed from the main pass.

    Args:
        lane: of the model.
        questions: those without a relevant item among the judged candidates are skipped.
        prompt_for: the prompt under test.
        candidates: how many of the best by S are judged.
        bins: the cards show what each source says.
        seed: of the shuffles; a question's shuffles depend on nothing else.
        progress: told of every question; its stage has been started.

    Raises:
        ModelUnavailable, BudgetSpent: see ``judge_question``. What was answered is on record.
    """
    gold_told: dict[int, list[tuple[float, float] | None]] = {at: [] for at in POSITIONS}
    taus: list[float] = []
    ranges: list[float] = []
    skipped = 0
    for question in questions:
        ids = [one.item_id for one in judged_candidates(question, candidates)]
        gold = next((item_id for item_id in ids if item_id in question.relevant), None)
        if gold is None:
            skipped += 1
        else:
            told: dict[int, LogOdds] = {}
            for at, order in _orders(ids, gold, f"{seed}/{question.query_id}").items():
                view = lane.view(salt=f"position {at} of seed {seed}")
                told[at] = judge_question(
                    view, question, prompt_for, candidates=candidates, bins=bins, order=order
                ).log_odds
                gold_told[at].append(_place(told[at], gold))
            taus.append(_agreement(list(told.values())))
            odds = [value for one in told.values() if (value := one.get(gold)) is not None]
            if odds:
                ranges.append(max(odds) - min(odds))
        if progress is not None:
            progress.advance()
    return PositionResult(
        tuple(_figures(at, told_at) for at, told_at in gold_told.items()),
        _mean([tau for tau in taus if not math.isnan(tau)]),
        _mean(ranges),
        len(questions) - skipped,
        skipped,
    )


def _orders(ids: Sequence[str], gold: str, seed: str) -> dict[int, list[str]]:
    """Position -> gold there and the others shuffled; positions that exist."""
    rng = random.Random(seed)
    others = [item_id for item_id in ids if item_id != gold]
    orders = {}
    for at in POSITIONS:
        if at < len(ids):
            rng.shuffle(others)
            orders[at] = [*others[:at], gold, *others[at:]]
    return orders


def _place(told: LogOdds, gold: str) -> tuple[float, float] | None:
    """ℓ of gold and its rank by ℓ among those that were judged; ``None`` when it was not."""
    own = told.get(gold)
    if own is None:
        return None
    others = [odds for item_id, odds in told.items() if item_id != gold and odds is not None]
    above = sum(odds > own for odds in others)
    return own, 1 + above + sum(odds == own for odds in others) / 2


def _agreement(told: Sequence[LogOdds]) -> float:
    """Mean Kendall τ over the pairs; NaN where none can be computed."""
    taus = []
    for one, other in combinations(told, 2):
        pairs = [
            (a, b)
            for item_id, a in one.items()
            if a is not None and (b := other.get(item_id)) is not None
        ]
        left, right = [a for a, _ in pairs], [b for _, b in pairs]
        if len(set(left)) > 1 and len(set(right)) > 1:
            taus.append(float(kendalltau(left, right).statistic))
    return _mean(taus)


def _figures(at: int, told: Sequence[tuple[float, float] | None]) -> PositionFigures:
    known = [one for one in told if one is not None]
    return PositionFigures(
        at,
        len(known),
        len(told) - len(known),
        _mean([odds for odds, _ in known]),
        _mean([rank for _, rank in known]),
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan
