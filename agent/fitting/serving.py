"""Sources of histories for requests: restored from saved models, else fitted on the spot."""

from __future__ import annotations

from collections.abc import Sequence

from agent.fitting.live import Fit
from agent.fitting.rebuild import restore_models
from retrieval.candidates.behaviour import BehaviourSource
from retrieval.candidates.history import history_matrix, history_sources
from retrieval.candidates.popular import PopularSource
from retrieval.types import Interaction


def serving_sources(
    fit: Fit, events: Sequence[Interaction], item_ids: Sequence[str], ease_max_items: int
) -> tuple[list[BehaviourSource], PopularSource, list[str]]:
    """What people did, as sources over the log as it is now.

    With saved models nothing is trained: they read the histories of now, and know the items of
    their fit only. ``popular`` counts the log anew, over the whole catalogue.

    Args:
        fit: what `palate fit` left behind.
        events: the whole log.
        item_ids: the catalogue.
        ease_max_items: for ``behaviour`` without saved models.

    Returns:
        Sources in the order in which they propose; ``popular``, which always answers; and
        what the reader of an answer should know.
    """
    if fit.models is None:
        behaviour, popular = history_sources(events, item_ids, ease_max_items)
        return [behaviour], popular, []
    models = fit.models
    matrix = history_matrix(events, models.item_ids)
    estimators, left_out = restore_models(models, matrix, fit.features, list(models.arrays))
    estimators.pop("popular", None)
    sources = [BehaviourSource(matrix, one, name) for name, one in estimators.items()]
    whole = matrix if matrix.item_ids == tuple(item_ids) else history_matrix(events, item_ids)
    half_life = 90.0
    if "popular" in models.sources:
        half_life = models.sources["popular"].settings.get("half_life_days", half_life)
    # What could not be read is said by the fit; here only what does not fit together.
    notes = [
        f"source {name} is left out: {why}; run palate fit again"
        for name, why in left_out.items()
        if name not in models.damaged
    ]
    return sources, PopularSource(whole, half_life), notes
