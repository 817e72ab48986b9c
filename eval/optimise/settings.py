"""How a search for a better prompt is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from retrieval.errors import InvalidInput

ShotsKind = Literal["current", "none", "mined"]


@dataclass(frozen=True, slots=True)
class OptimiseSettings:
    """What is searched, what a token costs, and how sure a finding must be.

    Attributes:
        candidates: how many of the best by S are judged, at least 2.
        weight: λ; ``None`` chooses it for each prompt by cross-validation.
        max_rise: of the guard.
        bins: the prompt in use shows what each source says.
        try_bins: search both, where the questions have bins.
        shots: kinds of shots to try. "mined" writes what tuning users said into the prompt.
        shot_count: mined shots, half yes and half no.
        price: NDCG that 1,000 prompt tokens a question must earn. Four shots on twenty
            cards are about 2,000 tokens: at the default they have to earn .0004.
        seed: of the order of questions, the shots, the folds and every resampling.
        block: questions between two halvings; fewer where the search share asks for it.
        search_share: share of the questions that the halving may use, in (0, 1). The rest
            is fresh: only there finalists are compared with the prompt in use.
        finalists: how many prompts reach the comparison.
        alpha: error rate of a claim, all finalists together.
        power: of the required number of questions that is reported.
        detect: NDCG worth finding, for the same.
        probe: questions of the injection probe.
        lift_tolerance: ranks that the mean injection lift may be above that of the prompt
            in use.
        max_failed: share of failed judgements that a prompt may have.
    """

    candidates: int = 20
    weight: float | None = None
    max_rise: int = 3
    bins: bool = False
    try_bins: bool = True
    shots: tuple[ShotsKind, ...] = ("current", "none")
    shot_count: int = 4
    price: float = 0.0002
    seed: int = 0
    block: int = 20
    search_share: float = 0.4
    finalists: int = 3
    alpha: float = 0.05
    power: float = 0.8
    detect: float = 0.01
    probe: int = 40
    lift_tolerance: float = 0.25
    max_failed: float = 0.05

    def __post_init__(self) -> None:
        """Refuse what cannot be searched with."""
        if not 0 <= self.price <= 1:
            raise InvalidInput(
                f"a price of {self.price}",
                "give NDCG points for 1,000 prompt tokens, from 0 (free) to 1",
            )
        if self.weight is not None and self.weight <= 0:
            raise InvalidInput(
                f"a weight of {self.weight:g} leaves the model out, so all prompts are the same",
                "give the variant a weight above 0, or cross-validated",
            )
        if self.shot_count < 2 or self.shot_count % 2:
            raise InvalidInput(
                f"{self.shot_count} mined shots cannot be balanced", "give an even number from 2"
            )
        if min(self.candidates - 1, self.finalists, self.block, self.probe) < 1:
            raise InvalidInput(
                "a search needs 2 candidates a question, 1 finalist, 1 question a block and "
                "1 question of the injection probe",
                "give more of what is below",
            )
        if not 0 < self.search_share < 1 or not 0 < self.alpha < self.power < 1:
            raise InvalidInput(
                f"search_share {self.search_share}, alpha {self.alpha}, power {self.power}",
                "give shares between 0 and 1, alpha below power",
            )


def shots_kinds(text: str) -> tuple[ShotsKind, ...]:
    """``"current,none"`` as kinds, each once.

    Raises:
        InvalidInput: an unknown kind, or none at all.
    """
    known: dict[str, ShotsKind] = {kind: kind for kind in get_args(ShotsKind)}
    named = [one for part in text.split(",") if (one := part.strip())]
    if not named or (unknown := [one for one in named if one not in known]):
        wrong = repr(unknown[0]) if named else "no kind"
        raise InvalidInput(f"shots: {wrong}", f"choose from {', '.join(known)}")
    return tuple(dict.fromkeys(known[one] for one in named))
