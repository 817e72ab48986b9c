"""Where each source looks for its settings: ranges that hold what it does by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Value = int | float | str | None


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number in [low, high]; ``log``: as likely to double anywhere."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True, slots=True)
class Real:
    """A number in [low, high]."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some values."""

    values: tuple[Value, ...]


Range = Whole | Real | OneOf

_HALF_LIVES = (None, 7.0, 30.0, 90.0, 180.0, 365.0, 1000.0)
_STEPS = (None, 1.0, 2.0, 5.0, 10.0, 30.0)

SPACES: Mapping[str, Mapping[str, Range]] = {
    "behaviour": {"l2": Real(5.0, 3000.0, log=True)},
    "item_knn": {"k": Whole(20, 1000, log=True), "shrinkage": Real(0.0, 100.0)},
    "ials": {
        "factors": Whole(4, 128, log=True),
        "l2": Real(0.01, 300.0, log=True),
        "alpha": Real(0.5, 50.0, log=True),
        "iterations": Whole(5, 25),
    },
    "bpr": {
        "factors": Whole(16, 128, log=True),
        "learning_rate": Real(0.002, 0.2, log=True),
        "l2": Real(0.0002, 0.2, log=True),
        "iterations": Whole(30, 200, log=True),
    },
    "graph": {"rank": Whole(16, 256, log=True), "alpha": Real(0.0, 1.0)},
    "markov": {
        "window": Whole(1, 20),
        "decay": Real(0.3, 1.0),
        "shrinkage": Real(1.0, 300.0, log=True),
        "last": Whole(1, 40, log=True),
        "fade": Real(0.3, 1.0),
    },
    "session_knn": {
        "k": Whole(50, 2000, log=True),
        "sample": Whole(200, 4000, log=True),
        "last": Whole(1, 40, log=True),
        "fade": Real(0.3, 1.0),
    },
    "next_item": {
        "factors": OneOf((32, 64, 128)),
        "last": Whole(5, 40, log=True),
        "dropout": Real(0.0, 0.6),
        "learning_rate": Real(0.0005, 0.01, log=True),
    },
    "content": {"half_life": OneOf(_STEPS)},
    "picture": {"half_life": OneOf(_STEPS)},
    "popular": {"half_life_days": OneOf(_HALF_LIVES)},
}
"""By source; ``cold_start`` is not here: ``choose_mix`` decides it, as a fit does."""
