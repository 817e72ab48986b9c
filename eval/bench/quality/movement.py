"""How the weights of S move with the person and the scene."""

from __future__ import annotations

from typing import Any

import numpy as np

from eval.bench.quality.pool_files import Pools
from retrieval.fusion.context import STRATA, Context
from retrieval.fusion.weights import TEXT_SOURCES, FusionWeights

_THIRDS = ("sources agree", "in between", "sources disagree")
_HEAVY = 60


def movement(pools: Pools, weights: FusionWeights) -> dict[str, Any]:
    """Mean shares on T3 by length of the history and by agreement, and those of some scenes.

    Returns:
        ``history``, ``agreement`` and ``scenes``: each a list of rows with ``name``, ``n``
        (users; ``None`` for a scene) and ``weights`` by source.
    """
    table = np.array([one.shares(pools.sources, weights) for one in pools.pools])
    strata = np.array([one.context.stratum for one in pools.pools])
    apart = np.array([one.context.disagreement for one in pools.pools])
    third = np.searchsorted(np.quantile(apart, [1 / 3, 2 / 3]), apart)

    def row(name: str, inside: Any) -> dict[str, Any]:
        shares = table[inside].mean(axis=0).tolist()
        return {
            "name": name,
            "n": int(np.sum(inside)),
            "weights": dict(zip(pools.sources, shares, strict=True)),
        }

    return {
        "history": [row(one, strata == one) for one in STRATA if (strata == one).any()],
        "agreement": [
            row(name, third == at) for at, name in enumerate(_THIRDS) if (third == at).any()
        ],
        "scenes": _scenes(pools, weights, float(np.median(apart))),
    }


def _scenes(pools: Pools, weights: FusionWeights, apart: float) -> list[dict[str, Any]]:
    usual, texts = pools.sources, (*pools.sources, *TEXT_SOURCES)
    pictured = float(np.median([one.context.pictured for one in pools.pools]))
    scenes = (
        ("a stranger in the morning, no words", False, ("popular",), 0),
        ("a stranger with a request in words", True, ("popular", *TEXT_SOURCES), 0),
        ("somebody with 3 items, no words", False, usual, 3),
        (f"somebody with {_HEAVY} items, no words", False, usual, _HEAVY),
        (f"somebody with {_HEAVY} items and a request in words", True, texts, _HEAVY),
    )
    return [
        {
            "name": name,
            "n": None,
            "weights": weights.for_request(
                with_words, live, Context(history, apart if history else 0.0, pictured)
            ),
        }
        for name, with_words, live, history in scenes
    ]
