"""The sources that need nothing but what people did; serving and fitting build them alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from retrieval.candidates.behaviour import BehaviourSource, fit_behaviour
from retrieval.candidates.matrix import KIND_WEIGHTS, InteractionMatrix
from retrieval.candidates.popular import PopularSource
from retrieval.types import Interaction


def history_sources(
    interactions: Iterable[Interaction],
    item_ids: Sequence[str],
    ease_max_items: int = 20_000,
) -> tuple[BehaviourSource, PopularSource]:
    """Fit ``behaviour`` and ``popular`` on the events, over the whole catalogue.

    Args:
        interactions: the events that the sources may know.
        item_ids: the catalogue; items without events stay reachable through ``popular``.
        ease_max_items: size of the catalogue above which iALS replaces EASE.
    """
    matrix = history_matrix(interactions, item_ids)
    return fit_behaviour(matrix, ease_max_items), PopularSource(matrix)


def history_matrix(
    interactions: Iterable[Interaction], item_ids: Sequence[str]
) -> InteractionMatrix:
    """The matrix that every source of histories is fitted on, and restored with.

    Args:
        interactions: any order.
        item_ids: the columns.
    """
    return InteractionMatrix.from_interactions(
        interactions, item_ids=item_ids, weights=KIND_WEIGHTS, positive="not-disliked"
    )
