"""Which estimator stands behind which source name; fitting, serving and evaluation build alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from retrieval.candidates.bpr import Bpr
from retrieval.candidates.cold_start import ColdStart
from retrieval.candidates.cold_start_trained import TrainedColdStart
from retrieval.candidates.content import Content
from retrieval.candidates.ease import Ease
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.graph import GraphFilter
from retrieval.candidates.ials import Ials
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.item_knn import ItemKnn
from retrieval.candidates.markov import Markov
from retrieval.candidates.next_item import NextItem
from retrieval.candidates.popular import Popularity
from retrieval.candidates.session_knn import SessionKnn
from retrieval.errors import InvalidInput
from retrieval.ports import Progress

HISTORY_SOURCES = (
    "behaviour", "item_knn", "ials", "bpr", "graph", "markov", "session_knn", "next_item",
    "content", "picture", "cold_start", "popular",
)  # fmt: skip
"""Every source that needs nothing but what people did and what items are."""

HALF_LIFE_DAYS = 90.0


def line_up(
    features: ItemFeatures,
    *,
    items: int,
    ease_max_items: int = 20_000,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    without: Collection[str] = (),
    threads: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Estimator]:
    """Unfitted estimators by source name, in the order of ``HISTORY_SOURCES``.

    ``cold_start`` is the closed form; a setting ``loss`` ("bpr" or "bce") makes it the trained
    one, which was the weaker of the two wherever it was measured (docs/retrieval.md).

    ``content`` and ``picture`` are there only with vectors of that kind, ``behaviour`` is EASE
    up to ``ease_max_items`` items and iALS above: EASE's time grows with items cubed.

    Args:
        features: of the columns of the matrix that they will be fitted on.
        items: how many columns.
        ease_max_items: see above.
        settings: arguments of an estimator by source name, over its defaults.
        without: names to leave out.
        threads: of the solvers that can use them.
        seed: of everything that is drawn.
        progress: hears of the passes of what is trained step by step.

    Raises:
        InvalidInput: an unknown name, or a setting that its estimator refuses.
    """
    given = dict(settings or {})
    unknown = sorted((set(given) | set(without)) - set(HISTORY_SOURCES))
    if unknown:
        raise InvalidInput(f"no source is named {unknown[0]!r}", f"one of {HISTORY_SOURCES}")
    text, pictures = features.text, features.pictures

    def make(name: str) -> Estimator | None:
        own = dict(given.get(name, {}))
        match name:
            case "behaviour" if items <= ease_max_items:
                return Ease(**own)
            case "behaviour":
                return Ials(**{"threads": threads, "seed": seed, **own})
            case "item_knn":
                return ItemKnn(**own)
            case "ials":
                return Ials(**{"threads": threads, "seed": seed, **own})
            case "bpr":
                return Bpr(**{"seed": seed, **own})
            case "graph":
                return GraphFilter(**own)
            case "markov":
                return Markov(**own)
            case "session_knn":
                return SessionKnn(**own)
            case "next_item":
                base = {"threads": threads, "seed": seed, "progress": progress}
                return NextItem(features, **{**base, **own})
            case "content":
                return None if text is None else Content(text, **own)
            case "picture":
                return None if pictures is None else Content(pictures, **own)
            case "cold_start" if text is None and pictures is None:
                return None
            case "cold_start" if "loss" in own:
                base = {"threads": threads, "seed": seed, "progress": progress}
                return TrainedColdStart(features, **{**base, **own})
            case "cold_start":
                ials = Ials(**{"threads": threads, "seed": seed, **given.get("ials", {})})
                return ColdStart(features, **{"ials": ials, **own})
            case _:
                return Popularity(**{"half_life_days": HALF_LIFE_DAYS, "damped": True, **own})

    made = {name: make(name) for name in HISTORY_SOURCES if name not in without}
    return {name: estimator for name, estimator in made.items() if estimator is not None}
