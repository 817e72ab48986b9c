"""The fused score S and its exact parts; the language model joins as one more part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from retrieval.errors import InvalidInput
from retrieval.fusion.context import context_of
from retrieval.fusion.features import pool_features, z_scores
from retrieval.fusion.weights import FusionWeights
from retrieval.types import Candidate

LLM = "llm"
LLM_CLIP = 2.0


@dataclass(frozen=True, slots=True)
class FusedCandidate:
    """An item, its score, and what each source contributed.

    ``math.fsum(parts.values()) == score`` exactly. A source that gave the item no score
    is absent from ``parts``.
    """

    item_id: str
    score: float
    parts: Mapping[str, float]


def fuse(
    candidates: Sequence[Candidate], weights: FusionWeights, has_query: bool, history: int = 0
) -> list[FusedCandidate]:
    """S(i) = Σ_k w_k·z_k(i) over the pool, best first, ties in id order.

    Args:
        candidates: the pool; each item once.
        weights: of both scenes.
        has_query: the request carries free text.
        history: items that the user touched before.

    Returns:
        One entry a candidate; empty for an empty pool.
    """
    named = set().union(*(candidate.scores_by_source for candidate in candidates))
    usual = [source for source in weights.sources if source in named]
    sources = (*usual, *sorted(named.difference(usual)))
    # In id order: the last bits of a mean depend on the order of its terms.
    ordered = sorted(candidates, key=lambda one: one.item_id)
    features = pool_features(ordered, sources)
    share = weights.for_request(has_query, features.live, context_of(features, history))
    weighed = (features.z * [share.get(source, 0.0) for source in sources]).tolist()
    fused = []
    for item_id, values, present in zip(
        features.item_ids, weighed, features.present.tolist(), strict=True
    ):
        parts = {
            source: value
            for source, value, there in zip(sources, values, present, strict=True)
            if there
        }
        fused.append(FusedCandidate(item_id, math.fsum(parts.values()), parts))
    return sorted(fused, key=lambda one: (-one.score, one.item_id))


def combine(
    fused: Sequence[FusedCandidate],
    log_odds: Mapping[str, float | None],
    weight: float,
    clip: float = LLM_CLIP,
) -> list[FusedCandidate]:
    """F = S + λ·clip(z_ℓ): adds the part ``llm`` and keeps the order of ``fused``.

    z is over the candidates that were judged; a failed judgement (``None`` or not
    finite) contributes 0, and so does everything unless two judgements differ. Items
    that are not in ``log_odds`` were not asked about and get no ``llm`` part.

    Args:
        fused: candidates in base order; the guard needs exactly this order.
        log_odds: ℓ = logp(yes) - logp(no) by item id.
        weight: λ >= 0.
        clip: bound of z_ℓ.
    """
    if not 0 <= weight < math.inf or not 0 <= clip < math.inf:
        raise InvalidInput(f"weight {weight}, clip {clip}", "both are finite and >= 0")
    asked = [one.item_id for one in fused if one.item_id in log_odds]
    told = [log_odds[item_id] for item_id in asked]
    values = np.array([np.nan if value is None else value for value in told], dtype=np.float64)
    z, _ = z_scores(values, clip)
    part = {item_id: weight * float(one) for item_id, one in zip(asked, z, strict=True)}
    combined = []
    for one in fused:
        if one.item_id not in part:
            combined.append(one)
            continue
        parts = {**one.parts, LLM: part[one.item_id]}
        combined.append(replace(one, score=math.fsum(parts.values()), parts=parts))
    return combined
