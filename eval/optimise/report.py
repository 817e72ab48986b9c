"""What a search found, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from eval.optimise.settings import OptimiseSettings
from eval.optimise.space import Candidate
from eval.stats.paired import Comparison

Decision = Literal["better", "none", "incomplete"]


@dataclass(frozen=True, slots=True)
class Tried:
    """One prompt of the search.

    Attributes:
        candidate: the prompt.
        fate: "in use", "finalist", or when it went out.
        questions: asked with it.
        means: mean objective after each block of the halving.
        weight: λ that it had where it was last measured; NaN with nothing asked.
        tokens: prompt tokens a question.
        failed_share: of its judgements.
        objective: against the prompt in use, ``p_holm`` over all finalists; ``None`` unless
            a finalist.
        gain: the same in NDCG@10 alone, cost left out and not part of the family.
        injection: figures of the probe; ``None`` where it was not run.
        rejected: why it cannot be claimed although it was measured; "" when it can.
    """

    candidate: Candidate
    fate: str
    questions: int
    means: tuple[float, ...]
    weight: float
    tokens: float
    failed_share: float
    objective: Comparison | None = None
    gain: Comparison | None = None
    injection: Mapping[str, float] | None = None
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class OptimiseReport:
    """The whole search.

    Attributes:
        base: reference of the prompt in use, e.g. ``rerank@1``.
        model_id: what answered.
        settings: of the search.
        questions: measured ones.
        shot_questions: ids of those that shots were taken from, never measured.
        compared: questions on which the finalists were compared; the halving saw none of them.
        tried: the prompt in use first, then in the order of the search space.
        best: name of the best finalist; "" when there is none.
        decision: "better" only where a claim holds.
        required_n: fresh questions that ``settings.detect`` takes at the spread seen, and
            that the difference seen takes; ``None`` where it cannot be said.
        tokens: prompt and completion of the search, replayed ones included and the probe not.
        calls, replayed: judgements, counted in the same way.
        stopped: why the search is incomplete; "" when it is not.
    """

    base: str
    model_id: str
    settings: OptimiseSettings
    questions: int
    shot_questions: tuple[str, ...]
    compared: int
    tried: tuple[Tried, ...]
    best: str
    decision: Decision
    required_n: Mapping[str, int | None]
    tokens: int
    calls: int
    replayed: int
    stopped: str = ""

    @property
    def winner(self) -> Tried | None:
        """The best finalist, whether or not anything may be claimed of it."""
        return next((one for one in self.tried if one.candidate.name == self.best), None)

    def to_json(self) -> dict[str, Any]:
        """As ``optimise.json`` keeps it; ``eval.records.whole`` writes numbers as JSON can."""
        return {
            "format": 1,
            "kind": "optimise",
            "base": self.base,
            "model_id": self.model_id,
            "settings": asdict(self.settings),
            "questions": self.questions,
            "shot_questions": list(self.shot_questions),
            "compared": self.compared,
            "decision": self.decision,
            "best": self.best or None,
            "required_n": dict(self.required_n),
            "tokens": self.tokens,
            "judgements": self.calls,
            "replayed": self.replayed,
            "stopped": self.stopped or None,
            "tried": [_tried(one) for one in self.tried],
        }


def _tried(one: Tried) -> dict[str, Any]:
    return {
        "name": one.candidate.name,
        "instruction": one.candidate.instruction,
        "shots": one.candidate.shots,
        "bins": one.candidate.bins,
        "fate": one.fate,
        "questions": one.questions,
        "blocks": list(one.means),
        "weight": one.weight,
        "tokens_per_query": one.tokens,
        "failed_share": one.failed_share,
        "objective": None if one.objective is None else asdict(one.objective),
        "gain": None if one.gain is None else asdict(one.gain),
        "injection": None if one.injection is None else dict(one.injection),
        "rejected": one.rejected or None,
        "prompts": {
            lang: {"sha256": prompt.sha256, "text": prompt.source}
            for lang, prompt in one.candidate.prompts.items()
        },
    }
