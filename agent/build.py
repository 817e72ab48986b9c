"""The composition root: settings in, a working recommender out.

``agent.stores`` opens what lives on disk; here the sources are fitted from it, the fusion
weights are read, and everything is handed to ``agent.recommend``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from agent.stores import Stores, open_stores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
    """Open the stores, fit the sources, read the weights.

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
    from agent.prompting import open_prompts
    from agent.rules_file import rules_of

    prompts = open_prompts(settings)
    rules = rules_of(settings)
    stores = open_stores(settings)
    try:
        make = recommender_kind(stores, prompts)
        return make(
            settings=settings,
            catalog=stores.catalog,
            event_log=stores.event_log,
            profiles=stores.profiles,
            prompts=prompts,
            model=model,
            load=lambda: load_snapshot(stores, rules),
            close=stores.close,
        )
    except BaseException:
        stores.close()
        raise


def load_snapshot(stores: Stores, rules: Rules) -> Snapshot:
    """Fit every source and read the vocabulary and the weights, from what the stores hold now."""
    from agent.arrange import Shelf, no_vectors
    from agent.gazetteer import build_gazetteer
    from agent.ranked import Snapshot
    from retrieval.rules.filters import Filters

    items = list(stores.catalog.items())
    sources, missing = _fit_sources(stores, items)
    weights, note = _weights(stores.settings.store.home, stores.database.data_hash())
    return Snapshot(
        sources=sources,
        weights=weights,
        gazetteer=build_gazetteer(items),
        notes=tuple(one for one in (*missing, note) if one),
        shelf=Shelf(
            rules,
            Filters(rules.filters, items),
            stores.item_index.vectors if items and stores.has_vectors else no_vectors,
        ),
    )


def _fit_sources(
    stores: Stores, items: list[Item]
) -> tuple[tuple[CandidateSource, ...], list[str]]:
    """The sources in the order in which they propose, and what is missing for some of them."""
    from retrieval.candidates.dense import DenseSource
    from retrieval.candidates.history import history_sources
    from retrieval.candidates.lexical import LexicalSource, document

    missing: list[str] = []
    sources: list[CandidateSource] = []
    events = list(stores.event_log.interactions())
    behaviour, popular = history_sources(
        events,
        [item.item_id for item in items],
        stores.settings.retrieval.ease_max_items,
    )
    if events:
        sources.append(behaviour)
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


def _weights(home: Path, data_hash: str) -> tuple[FusionWeights, str]:
    """The weights to use, and what the reader of an answer should know about them.

    The prior answers when nothing was learned yet and when the file cannot be used. Weights
    learned from older data stay: one new event does not undo what thousands taught.
    """
    from agent.fusion_file import load_weights
    from retrieval.errors import InvalidInput
    from retrieval.fusion.weights import prior_weights

    try:
        weights = load_weights(home)
    except InvalidInput as error:
        _log.warning("%s", error.message)
        return prior_weights(data_hash), f"fusion weights are the prior: {error.message}"
    if weights is None:
        return prior_weights(data_hash), "fusion weights are the prior: `palate fit` learns them"
    if weights.kind == "prior":
        return weights, weights.note
    if weights.data_hash != data_hash:
        return weights, "the data changed since `palate fit` learned the weights"
    return weights, ""
