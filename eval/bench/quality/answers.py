"""The answers of a fused system, by its name."""

from __future__ import annotations

import json

from eval.bench.quality.fused import comb_sum, fused, rrf
from eval.bench.quality.judged import SCORERS, admit, judged
from eval.bench.quality.outcomes import Outcome
from eval.bench.quality.pool_files import Pools
from eval.bench.quality.protocols import Asked
from retrieval.fusion.weights import FusionWeights, prior_weights


def answer(
    name: str, asked: Asked, learn: Pools, test: Pools, weights: FusionWeights, seed: int
) -> Outcome:
    """Rank the pools of T3.

    Args:
        name: of ``settings.FUSED``.
        asked: the users of T3.
        learn: pools of T2, which the gate of F decides on.
        test: pools of T3 with the raw scores.
        weights: of S, learned on ``learn``.
        seed: of the gate.
    """
    match name:
        case "S":
            return fused(asked, test, weights, {"weights": json.loads(weights.to_json())})
        case "S-prior":
            return fused(asked, test, prior_weights(), {})
        case "rrf":
            return rrf(asked, test)
        case "comb_sum":
            return comb_sum(asked, test)
        case _:
            scorer = SCORERS[name.removeprefix("F-")]
            admitted = admit(scorer, learn, weights, seed=seed)
            return judged(asked, test, weights, scorer, admitted, {})
