"""Certificates without a fit behind them."""

from __future__ import annotations

import math
from typing import Any

from agent.fitting.certificate import Certificate, Measured, SourceLine
from retrieval.fusion.weights import FusionWeights

NOT_MEASURED = Measured("gain", math.nan, math.nan, math.nan)


def certificate_of(weights: FusionWeights, **changes: Any) -> Certificate:
    """A certificate of these weights; what is not given was not measured."""
    given: dict[str, Any] = {
        "made_at": "2026-01-02T03:04:05+00:00",
        "data_hash": weights.data_hash,
        "seed": 0,
        "cut": "2025-12-01T00:00:00+00:00",
        "share_after": 0.2,
        "users": 0,
        "trainable": 0,
        "recall": math.nan,
        "per_source": 50,
        "sources": tuple(
            SourceLine(name, Measured(name, 0.1, 0.08, 0.12), weight, 0.5, 1_000, "for a test")
            for name, weight in weights.without_text.items()
        ),
        "combined": (Measured("S", 0.12, 0.1, 0.14),),
        "gain": NOT_MEASURED,
        "best": next(iter(weights.without_text)),
        "mixture": None,
        "adaptive": None,
        "llm": None,
        "weights": weights,
        "notes": (),
    }
    return Certificate(**{**given, **changes})
