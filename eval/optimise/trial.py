"""One prompt in the search: what was answered with it, and what that was worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eval.judged import JudgedQuestion
from eval.optimise.settings import OptimiseSettings
from eval.optimise.space import Candidate
from eval.question import Question
from eval.ranking import cross_validated_weights, fused_ranking, measure

METRIC = "ndcg@10"
Ask = Callable[[Candidate, Question], JudgedQuestion]


@dataclass(frozen=True, eq=False)
class Worth:
    """Per question, in the order asked: shape (n,).

    Attributes:
        gains: NDCG@10 of F minus that of S.
        costs: what the prompt tokens cost, in NDCG.
        weight: λ for use; per question it was chosen on the other folds.
        tokens: prompt tokens a question; NaN without questions.
        failed_share: of the judgements.
    """

    gains: NDArray[np.float64]
    costs: NDArray[np.float64]
    weight: float
    tokens: float
    failed_share: float

    @property
    def objective(self) -> NDArray[np.float64]:
        """What the search maximises the mean of."""
        return self.gains - self.costs


@dataclass
class Trial:
    """A candidate and its judgements, aligned with the questions in the order of the search.

    Attributes:
        candidate: the prompt.
        judged: so far.
        means: mean objective after each block.
        fate: why it is not in the race any more; "" while it is.
    """

    candidate: Candidate
    judged: list[JudgedQuestion] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    fate: str = ""

    def worth(
        self, questions: Sequence[Question], start: int, stop: int, settings: OptimiseSettings
    ) -> Worth:
        """Of the questions from ``start`` up to ``stop``."""
        asked, judged = questions[start:stop], self.judged[start:stop]
        odds = [one.log_odds for one in judged]
        if settings.weight is None:
            chosen = cross_validated_weights(asked, odds, settings.max_rise, settings.seed)
            weights, weight = chosen.weights, chosen.overall
        else:
            weights, weight = np.full(len(asked), settings.weight), settings.weight
        gains = np.array(
            [
                _ndcg(question, [one.item_id for one in fused])
                - _ndcg(question, [one.item_id for one in question.candidates])
                for question, fused in (
                    (question, fused_ranking(question, told, float(mine), settings.max_rise))
                    for question, told, mine in zip(asked, odds, weights, strict=True)
                )
            ]
        )
        tokens = np.array([one.prompt_tokens for one in judged], dtype=float)
        items = sum(len(one.items) for one in judged)
        return Worth(
            gains,
            tokens / 1000 * settings.price,
            weight,
            float(tokens.mean()) if judged else float("nan"),
            sum(one.failed for one in judged) / items if items else float("nan"),
        )


def _ndcg(question: Question, order: Sequence[str]) -> float:
    return measure(order, question, [METRIC])[METRIC]
