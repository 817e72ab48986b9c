"""Every system of a run as rankings: S, its sources, the variants and their controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from eval.judged import JudgedQuestion
from eval.prompt_config import PromptRunConfig, VariantConfig
from eval.question import Question
from eval.ranking import (
    BASE,
    LogOdds,
    alone_order,
    cross_validated_weights,
    fused_ranking,
    source_order,
)
from eval.runs.ask import SHUFFLED, Answers, AskedRun, Contender
from retrieval.fusion.score import FusedCandidate

Kind = Literal["base", "source", "variant", "control"]
ALONE = "~alone"


@dataclass(frozen=True)
class Contestant:
    """One system's answers, aligned with the questions.

    Attributes:
        name, kind: see docs/evaluation.md.
        orders: item ids, best first; ``None`` where the system was not asked.
        contender: ``None`` for systems without a model.
        answers: the model's judgements; all ``None`` without a model.
        ranked: fused candidates with their parts; empty for systems that only order.
        weight: λ for use; ``None`` where the model has no part.
        weight_from: who chose λ.
    """

    name: str
    kind: Kind
    orders: Sequence[Sequence[str] | None]
    contender: Contender | None = None
    answers: Sequence[JudgedQuestion | None] = ()
    ranked: Sequence[Sequence[FusedCandidate] | None] = field(default=(), repr=False)
    weight: float | None = None
    weight_from: Literal["config", "cross-validated"] = "config"


def contestants_of(
    config: PromptRunConfig, questions: Sequence[Question], run: AskedRun
) -> list[Contestant]:
    """All systems, S first.

    The random and the popularity scorer stand in the model's place, with the first variant's
    weight and guard: what fusion and guard make of a judge that knows nothing. ``~alone`` is
    the model without S.
    """
    found = [Contestant(BASE, "base", [[c.item_id for c in q.candidates] for q in questions])]
    sources = sorted({name for q in questions for c in q.candidates for name in c.said})
    found += [
        Contestant(name, "source", [source_order(q, name) for q in questions]) for name in sources
    ]
    for one in run.contenders:
        answers = run.answers[one.name]
        found.append(_fused(one.name, "variant", questions, answers, one, config.seed))
        found.append(
            Contestant(
                one.name + ALONE,
                "control",
                [
                    None if judged is None else alone_order(question, judged.log_odds)
                    for question, judged in zip(questions, answers, strict=True)
                ],
            )
        )
        if (shuffled := run.answers.get(one.name + SHUFFLED)) is not None:
            name = one.name + SHUFFLED
            found.append(_fused(name, "control", questions, shuffled, one, config.seed))
    first = config.variants[0]
    rng = np.random.default_rng(config.seed)
    random = [
        {c.item_id: float(rng.normal()) for c in q.candidates[: config.pool.judged]}
        for q in questions
    ]
    found.append(_scored("random", questions, random, first, config.seed))
    if "popular" in sources:
        popular = [
            {c.item_id: c.said.get("popular") for c in q.candidates[: config.pool.judged]}
            for q in questions
        ]
        found.append(_scored("popularity", questions, popular, first, config.seed))
    return found


def _fused(
    name: str,
    kind: Kind,
    questions: Sequence[Question],
    answers: Answers,
    one: Contender,
    seed: int,
) -> Contestant:
    asked = [at for at, judged in enumerate(answers) if judged is not None]
    log_odds = [judged.log_odds for judged in answers if judged is not None]
    ranked, weight = _rank([questions[at] for at in asked], log_odds, one.variant, seed)
    by_question = dict(zip(asked, ranked, strict=True))
    aligned = [by_question.get(at) for at in range(len(questions))]
    return Contestant(
        name,
        kind,
        [None if row is None else [c.item_id for c in row] for row in aligned],
        one,
        answers,
        aligned,
        weight,
        _chosen_by(one.variant),
    )


def _scored(
    name: str,
    questions: Sequence[Question],
    log_odds: Sequence[LogOdds],
    variant: VariantConfig,
    seed: int,
) -> Contestant:
    ranked, weight = _rank(questions, log_odds, variant, seed)
    return Contestant(
        name,
        "control",
        [[c.item_id for c in row] for row in ranked],
        weight=weight,
        weight_from=_chosen_by(variant),
    )


def _chosen_by(variant: VariantConfig) -> Literal["config", "cross-validated"]:
    return "cross-validated" if isinstance(variant.weight, str) else "config"


def _rank(
    questions: Sequence[Question], log_odds: Sequence[LogOdds], variant: VariantConfig, seed: int
) -> tuple[list[list[FusedCandidate]], float]:
    """Rankings by F, and λ: each question's own out of fold where λ is cross-validated."""
    if isinstance(variant.weight, str):
        chosen = cross_validated_weights(questions, log_odds, variant.max_rise, seed)
        weights, weight = chosen.weights, chosen.overall
    else:
        weights, weight = np.full(len(questions), variant.weight), variant.weight
    ranked = [
        fused_ranking(question, odds, float(w), variant.max_rise)
        for question, odds, w in zip(questions, log_odds, weights, strict=True)
    ]
    return ranked, weight
