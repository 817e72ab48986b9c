"""From judgements to rankings: the same fusion and guard as production, and λ if asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.measure import ndcg, ranks_in
from eval.metrics import parse_metric
from eval.question import Question
from retrieval.fusion.guard import guarded_order
from retrieval.fusion.score import FusedCandidate, combine

POOL_RECALL = "pool_recall"
BASE = "S"
WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
"""λ that cross-validation chooses from; 0 is "leave the model out"."""

FOLDS = 5

LogOdds = Mapping[str, float | None]


def base_candidates(question: Question) -> list[FusedCandidate]:
    """The question's candidates by S."""
    return [
        # F is added up from the parts, so a score that came without any is its own.
        FusedCandidate(one.item_id, one.score, one.parts or {BASE: one.score})
        for one in question.candidates
    ]


def fused_ranking(
    question: Question, log_odds: LogOdds, weight: float, max_rise: int
) -> list[FusedCandidate]:
    """All candidates in the order of F = S + λ·clip(z), as the guard allows it."""
    base = base_candidates(question)
    if not log_odds:
        return base
    combined = {one.item_id: one for one in combine(base, log_odds, weight)}
    order = guarded_order(
        [one.item_id for one in base],
        {item_id: one.score for item_id, one in combined.items()},
        max_rise,
    )
    return [combined[item_id] for item_id in order]


def alone_order(question: Question, log_odds: LogOdds) -> list[str]:
    """Judged candidates by ℓ alone, best first; the rest behind them in the order of S."""
    ids = [one.item_id for one in question.candidates]
    told = {item_id: odds for item_id in ids if (odds := log_odds.get(item_id)) is not None}
    return sorted(told, key=lambda item_id: -told[item_id]) + [i for i in ids if i not in told]


def source_order(question: Question, source: str) -> list[str]:
    """Candidates by what one source says; those it does not score come last."""
    scored = {c.item_id: c.said[source] for c in question.candidates if source in c.said}
    rest = [c.item_id for c in question.candidates if c.item_id not in scored]
    return sorted(scored, key=lambda item_id: -scored[item_id]) + rest


def measure(order: Sequence[str], question: Question, metrics: Sequence[str]) -> dict[str, float]:
    """Every metric of one order; what is not in the order is lost. NaN = nothing to measure."""
    ranks = ranks_in(order, question.relevant)
    figures = {}
    for name in metrics:
        if name == POOL_RECALL:
            pool = {one.item_id for one in question.candidates}
            figures[name] = len(pool & question.relevant) / len(question.relevant)
        else:
            metric, cut = parse_metric(name)
            figures[name] = metric(ranks, cut)
    return figures


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """λ by question, each chosen on the questions of the other folds, and the one for use."""

    weights: NDArray[np.float64]
    overall: float


def cross_validated_weights(
    questions: Sequence[Question], log_odds: Sequence[LogOdds], max_rise: int, seed: int
) -> CrossValidated:
    """Choose λ from ``WEIGHTS`` by NDCG@10, out of fold.

    Args:
        questions: n of them.
        log_odds: aligned; an empty mapping keeps S.
        max_rise: of the guard.
        seed: of the folds.

    Returns:
        Weights of shape (n,); with fewer questions than folds every weight is 0.
    """
    if len(questions) < FOLDS:
        return CrossValidated(np.zeros(len(questions)), 0.0)
    values = np.array(
        [
            [
                ndcg(ranks_in([c.item_id for c in fused_ranking(q, odds, w, max_rise)], q.relevant))
                for w in WEIGHTS
            ]
            for q, odds in zip(questions, log_odds, strict=True)
        ]
    )
    fold = np.random.default_rng(seed).permutation(len(questions)) % FOLDS
    weights = np.zeros(len(questions))
    for left_out in range(FOLDS):
        # argmax takes the first of equals: the smallest weight that does as well.
        best = int(np.argmax(values[fold != left_out].mean(axis=0)))
        weights[fold == left_out] = WEIGHTS[best]
    return CrossValidated(weights, WEIGHTS[int(np.argmax(values.mean(axis=0)))])
