"""The composition root: settings in, a working recommender out.

``agent.stores`` opens what lives on disk; here the sources are fitted from it, the fusion
weights are read, and everything is handed to ``agent.recommend``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from agent.stores import Stores, open_stores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agent.fitting.live import Fit, LiveFit
    from agent.ports import LanguageModel
    from agent.ranked import Snapshot
    from agent.recommend import Recommender
    from agent.settings import Settings
    from retrieval.fusion.weights import FusionWeights
    from retrieval.ports import CandidateSource, Embedder, VectorIndex
    from retrieval.rules.rules import Rules
    from retrieval.types import Item, Query

_log = logging.getLogger(__name__)
_REMEMBERED_TEXTS = 256


def build_recommender(settings: Settings, *, model: LanguageModel | None = None) -> Recommender:
    """Open the stores, read what was fitted, make the sources.

    Works on an empty home, without profiles, vectors, interactions or learned weights; the
    trace of every answer says what is missing.

    Args:
        settings: all of them.
        model: the language model that re-ranks; ``None`` answers by the fused score alone.

    Returns:
        The recommender; its ``close()`` closes the stores.

    Raises:
        InvalidInput: the home folder, the database URL, a prompt, the rules file or the
            experiment cannot be used.
        StoreError: a store cannot be opened, e.g. because another process holds it.
    """
    from agent.arms import recommender_kind
    from agent.fitting.live import Follower, LiveFit
    from agent.prompting import open_prompts
    from agent.rules_file import rules_of

    prompts = open_prompts(settings)
    rules = rules_of(settings)
    stores = open_stores(settings)
    try:
        make = recommender_kind(stores, prompts)
        live = LiveFit(settings.store.home)
        return make(
            settings=settings,
            catalog=stores.catalog,
            event_log=stores.event_log,
            profiles=stores.profiles,
            prompts=prompts,
            model=model,
            load=lambda: load_snapshot(stores, rules, live),
            follower=Follower(live),
            close=stores.close,
        )
    except BaseException:
        stores.close()
        raise


def load_snapshot(stores: Stores, rules: Rules, live: LiveFit) -> Snapshot:
    """Sources and vocabulary of what the stores hold now, with the models and weights of a fit.

    Nothing is trained where `palate fit` has saved models, and nothing is embedded.
    """
    from agent.arrange import Shelf, no_vectors
    from agent.gazetteer import build_gazetteer
    from agent.ranked import Snapshot
    from retrieval.rules.filters import Filters

    items = list(stores.catalog.items())
    fit = live.latest()
    sources, missing = _sources(stores, items, fit)
    weights, notes = _weights(fit, stores.database.data_hash())
    if live.unusable:
        notes.append(f"the newer fit cannot be used, the former answers: {live.unusable}")
    return Snapshot(
        sources=sources,
        weights=weights,
        gazetteer=build_gazetteer(items),
        notes=(*missing, *fit.left_out, *notes),
        shelf=Shelf(
            rules,
            Filters(rules.filters, items),
            stores.item_index.vectors if items and stores.has_vectors else no_vectors,
        ),
    )


def _sources(
    stores: Stores, items: list[Item], fit: Fit
) -> tuple[tuple[CandidateSource, ...], list[str]]:
    """The sources in the order in which they propose, and what is missing for some of them."""
    from agent.fitting.serving import serving_sources
    from retrieval.candidates.dense import DenseSource
    from retrieval.candidates.lexical import LexicalSource, document

    sources: list[CandidateSource] = []
    events = list(stores.event_log.interactions())
    histories, popular, missing = serving_sources(
        fit,
        events,
        [item.item_id for item in items],
        stores.settings.retrieval.ease_max_items,
    )
    if events:
        sources += histories
    else:
        missing.append("no interactions yet: behaviour and popularity say nothing")
    if items and stores.has_vectors and stores.item_index.count():
        sources += [
            DenseSource("profile", stores.item_index, _profile_vector(stores.user_index)),
            DenseSource("query", stores.item_index, _text_vector(stores.embedder)),
        ]
    elif items:
        missing.append("no profiles yet: run `palate profiles build` to search by meaning")
    texts = {profile.subject_id: profile.text for profile in stores.profiles.profiles("item")}
    sources.append(LexicalSource({i.item_id: document(i, texts.get(i.item_id, "")) for i in items}))
    sources.append(popular)
    return tuple(sources), missing


def _profile_vector(users: VectorIndex) -> Callable[[Query], NDArray[np.float32] | None]:
    def vector_of(query: Query) -> NDArray[np.float32] | None:
        if query.user_id is None:
            return None
        return users.vectors([query.user_id]).get(query.user_id)

    return vector_of


def _text_vector(embedder: Embedder) -> Callable[[Query], NDArray[np.float32] | None]:
    @lru_cache(maxsize=_REMEMBERED_TEXTS)
    def embed(text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = embedder.embed([text])[0]
        return vector

    return lambda query: embed(query.text) if query.text else None


def _weights(fit: Fit, data_hash: str) -> tuple[FusionWeights, list[str]]:
    """The weights to use, and what the reader of an answer should know about the fit.

    The prior answers when nothing was learned yet and when the file cannot be used. What was
    learned from older data stays: one new event does not undo what thousands taught.
    """
    from retrieval.fusion.weights import prior_weights

    notes: list[str] = []
    if fit.models is not None and fit.models.data_hash != data_hash:
        notes.append(
            "the data changed since `palate fit` fitted the models: what people did since "
            "counts, items that came since are found by words and popularity"
        )
    if fit.weights_unusable:
        _log.warning("%s", fit.weights_unusable)
        notes.append(f"fusion weights are the prior: {fit.weights_unusable}")
    if fit.weights is None:
        if not fit.weights_unusable:
            notes.append("fusion weights are the prior: `palate fit` learns them")
        return prior_weights(data_hash), notes
    if fit.weights.kind == "prior":
        notes += [fit.weights.note] if fit.weights.note else []
    elif fit.weights.data_hash != data_hash:
        notes.append("the data changed since `palate fit` learned the weights")
    return fit.weights, notes
