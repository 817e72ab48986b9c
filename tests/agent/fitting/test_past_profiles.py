"""Profiles of then: what a build would have indexed, with nothing of after the cut in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.fitting.past_profiles import PastProfiles, past_profiles
from agent.fitting.readers import possible_readers, reader_of
from agent.profiles.build import build_profiles
from agent.scripted import ScriptedModel
from agent.settings import LLMSettings, Settings
from agent.stores import Stores
from prompts.library import PromptLibrary
from retrieval.candidates.dense import DenseSource
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.profile_match import ProfileMatch
from retrieval.ports import Vectors
from retrieval.types import (
    Evidence,
    Interaction,
    Query,
    Review,
    ScoredItem,
    User,
    content_hash,
)
from tests.agent.fitting.fitted_shop import Quiet
from tests.agent.recommending.shop import HISTORY, ITEMS, NOW

PROMPTS = PromptLibrary()
ITEM_IDS = tuple(item.item_id for item in ITEMS)
USER_IDS = (*HISTORY, "nobody")
CUT = NOW + timedelta(days=10)
LATER = CUT + timedelta(seconds=1)
OLDER_REVIEWS = [
    Review("r8", "ann", "k1", "The handle is comfortable. The lid is too loose.", 4.0, NOW, "en"),
    Review("r9", "bob", "m2", "A beautiful colour and a warm feel.", 5.0, CUT, "en"),
]


class Index:
    """A vector index that keeps and does not search."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, NDArray[np.float32]]] = {}

    def upsert(
        self, ids: Sequence[str], vectors: Vectors, texts: Sequence[str], versions: Sequence[str]
    ) -> None:
        self.held.update(zip(ids, zip(versions, vectors, strict=True), strict=True))

    def vectors(self, ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        return {one: self.held[one][1] for one in ids if one in self.held}

    def versions(self) -> dict[str, str]:
        return {one: version for one, (version, _) in self.held.items()}

    def delete(self, ids: Sequence[str]) -> None:
        for one in ids:
            del self.held[one]

    def count(self) -> int:
        return len(self.held)

    def search(self, *_: object) -> list[ScoredItem]:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def _older_reviews(stores: Stores) -> None:
    stores.event_log.append_reviews(OLDER_REVIEWS)


def build(stores: Stores, model: ScriptedModel | None, **options: Any) -> tuple[Index, Index]:
    """What the build indexed of items and of users."""
    items, users = Index(), Index()
    build_profiles(
        catalog=stores.catalog,
        event_log=stores.event_log,
        profiles=stores.profiles,
        model=model,
        prompts=PROMPTS,
        embedder=stores.embedder,
        item_index=items,
        user_index=users,
        progress=Quiet(),
        **options,
    )
    return items, users


def past(
    stores: Stores,
    model_id: str | None = "scripted",
    items: tuple[str, ...] = ITEM_IDS,
    users: tuple[str, ...] = USER_IDS,
    progress: Quiet | None = None,
    **options: Any,
) -> PastProfiles:
    return past_profiles(
        catalog=stores.catalog,
        event_log=stores.event_log,
        profiles=stores.profiles,
        embedder=stores.embedder,
        prompts=PROMPTS,
        model_id=model_id,
        as_of=CUT,
        item_ids=items,
        user_ids=users,
        progress=progress or Quiet(),
        **options,
    )


def reader(stores: Stores, *ids: str, progress: Quiet | None = None) -> str | None:
    return reader_of(stores.profiles, stores.event_log, PROMPTS, ids, progress or Quiet())


def held(stores: Stores) -> tuple[Any, ...]:
    """Every row of every table, and the hash of the data."""
    with sqlite3.connect(stores.settings.store.home / "palate.sqlite3") as connection:
        rows = list(connection.iterdump())
    connection.close()
    return rows, stores.database.data_hash()


def same(one: PastProfiles, other: PastProfiles) -> bool:
    return np.array_equal(one.items, other.items) and np.array_equal(one.users, other.users)


@pytest.mark.parametrize("model", [ScriptedModel(), None])
def test_they_are_what_a_build_of_then_indexes(stores: Stores, model: ScriptedModel | None) -> None:
    stores.event_log.append_reviews(
        [Review("late", "cat", "k1", "The spout is great and precise.", 5.0, LATER, "en")]
    )
    items, users = build(stores, model, as_of=CUT, write_with_llm=False)
    found = past(stores, "scripted" if model else None)
    for table, ids, index in ((found.items, ITEM_IDS, items), (found.users, USER_IDS, users)):
        stored = index.vectors(ids)
        expected = [stored.get(one, np.zeros(stores.embedder.dimension)) for one in ids]
        assert table.dtype == np.float32
        np.testing.assert_allclose(table, expected, atol=1e-6)
    assert found.users.any(axis=1).tolist() == [one in users.held for one in USER_IDS]
    assert (found.texts > 0) == (model is not None)


def test_settings_of_the_build_count(stores: Stores) -> None:
    chosen: dict[str, Any] = {"max_rows": 2, "max_texts": 1, "tau_days": 5.0}
    items, _ = build(stores, ScriptedModel(), as_of=CUT, write_with_llm=False, **chosen)
    stored = items.vectors(ITEM_IDS)
    found = past(stores, **chosen).items
    np.testing.assert_allclose(found, [stored[one] for one in ITEM_IDS], atol=1e-6)
    assert not np.allclose(found, past(stores).items)


TEXT = st.sampled_from(
    ["The lid is loose and ugly.", "I love the quiet motor.", "香味很清新，不苦。", "Great handle!"]
)
WHO, WHAT = st.sampled_from(USER_IDS), st.sampled_from(ITEM_IDS)
DAYS = st.integers(0, 400)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    reviews=st.lists(st.tuples(WHO, WHAT, TEXT, DAYS), max_size=4),
    events=st.lists(st.tuples(WHO, WHAT, st.sampled_from(["purchase", "dislike"]), DAYS)),
)
def test_nothing_newer_than_the_cut_changes_them(
    stores: Stores, reviews: list[Any], events: list[Any]
) -> None:
    build(stores, ScriptedModel(), write_with_llm=False)
    before = past(stores)
    stores.event_log.append_reviews(
        Review(content_hash(*map(str, one)), *one[:3], None, LATER + timedelta(days=one[3]), "en")
        for one in reviews
    )
    stores.event_log.append_interactions(
        Interaction(user, item, kind, 1.0, LATER + timedelta(days=day))
        for user, item, kind, day in events
    )
    # A build of now reads the new texts, so that their extractions are there to be found.
    build(stores, ScriptedModel(), write_with_llm=False)
    assert same(past(stores), before)


def test_newer_captions_and_users_of_the_catalogue_change_nothing(stores: Stores) -> None:
    build(stores, ScriptedModel())
    before = past(stores)
    text = "The colour is beautiful, the lid is shiny."
    stores.event_log.append_evidence(
        [Evidence("c1", "item", "k1", "caption", text, "en", "", LATER, 1.0, content_hash(text))]
    )
    stores.catalog.upsert_users([User("nobody")])
    build(stores, ScriptedModel())
    assert same(past(stores), before)


def test_what_was_known_at_the_cut_counts(stores: Stores) -> None:
    build(stores, ScriptedModel())
    before = past(stores)
    stores.event_log.append_interactions(
        Interaction("new", item, "purchase", 1.0, CUT) for item in ("m1", "k1", "m2", "k3")
    )
    now = past(stores)
    new = USER_IDS.index("new")
    assert not before.users[new].any()
    assert now.users[new].any()
    assert np.array_equal(np.delete(now.users, new, 0), np.delete(before.users, new, 0))


def test_nothing_in_the_stores_changes_and_no_model_is_asked(stores: Stores) -> None:
    build(stores, ScriptedModel())
    stores.event_log.append_reviews(
        [Review("unread", "cat", "k1", "The spout is great and precise.", 5.0, NOW, "en")]
    )
    before = held(stores)
    found = past(stores)
    reader(stores, *possible_readers(stores.settings))
    assert held(stores) == before
    assert found.texts - found.texts_read == 2  # for the item and for its author


def test_without_extractions_attributes_and_choices_still_speak(stores: Stores) -> None:
    without, unread = past(stores, None), past(stores, "scripted")
    assert same(without, unread)
    assert (without.texts, unread.texts_read) == (0, 0)
    assert unread.texts > 0
    assert without.items.any(axis=1).all()
    assert without.users[USER_IDS.index("eva")].any()
    assert not without.users[USER_IDS.index("nobody")].any()
    build(stores, ScriptedModel())
    assert not same(past(stores), without)


def test_rows_follow_the_ids_and_unknown_ones_are_zero(stores: Stores) -> None:
    found = past(stores, None, items=("t2", "?", "k1"), users=("eva", "nobody"))
    whole = past(stores, None)
    np.testing.assert_array_equal(found.items[1], 0)
    np.testing.assert_array_equal(
        found.items[[0, 2]], whole.items[[ITEM_IDS.index("t2"), ITEM_IDS.index("k1")]]
    )
    np.testing.assert_array_equal(found.users[0], whole.users[USER_IDS.index("eva")])
    nothing = past(stores, None, items=(), users=())
    assert nothing.items.shape == nothing.users.shape == (0, stores.embedder.dimension)


def test_the_work_is_told_with_how_much_there_is(stores: Stores) -> None:
    progress = Quiet()
    past(stores, progress=progress)
    assert progress.stages == [
        ("item profiles as of the cut", len(ITEM_IDS)),
        ("user profiles as of the cut", len(USER_IDS)),
    ]


@pytest.mark.parametrize("last", ["other", "scripted"])
def test_the_model_that_read_is_found_by_what_the_profiles_cite(stores: Stores, last: str) -> None:
    rules = [(word, f"sound | need | {word}") for word in ("quiet motor", "too loud", "noise")]
    models = {"other": ScriptedModel(rules, model_id="other"), "scripted": ScriptedModel()}
    first = next(name for name in models if name != last)
    build(stores, models[first])
    build(stores, models[last])
    assert reader(stores, "unknown", "other", "scripted") == last
    assert reader(stores, "scripted", "other") == last


def test_a_build_that_is_out_of_date_still_tells_its_model(stores: Stores) -> None:
    build(stores, ScriptedModel(), as_of=NOW, max_rows=3)
    stores.event_log.append_reviews(
        [Review("late", "cat", "k1", "The spout is great and precise.", 5.0, LATER, "en")]
    )
    assert reader(stores, *possible_readers(stores.settings)) == "scripted"


def test_profiles_that_cite_no_text_have_no_reader(stores: Stores) -> None:
    progress = Quiet()
    assert reader(stores, "scripted", progress=progress) is None
    build(stores, None)
    assert reader(stores, "scripted", progress=progress) is None
    assert not progress.notes


@pytest.mark.parametrize("ids", [(), ("unknown",)])
def test_a_reader_that_cannot_be_named_is_told(stores: Stores, ids: tuple[str, ...]) -> None:
    progress = Quiet()
    build(stores, ScriptedModel())
    assert reader(stores, *ids, progress=progress) is None
    (note,) = progress.notes
    assert "llm.model" in note


def test_the_model_of_the_settings_is_tried_first() -> None:
    named = possible_readers(Settings(llm=LLMSettings(model="mine")))
    assert named[0] == "mine"
    assert "mine" not in possible_readers(Settings())
    assert len(set(named)) == len(named)
    assert {"scripted", "qwen2.5-coder-1.5b-instruct"} <= set(named)
    assert any(one.startswith("qwen2.5-coder-1.5b-instruct@") for one in named)


def test_a_match_of_them_equals_the_source_that_serves(stores: Stores) -> None:
    items, users = build(stores, ScriptedModel(), as_of=CUT, write_with_llm=False)
    found = past(stores)
    matrix = InteractionMatrix.from_interactions(stores.event_log.interactions(), item_ids=ITEM_IDS)
    match = ProfileMatch(found.users, found.items, USER_IDS).fit(matrix)
    scores = match.score_users(np.arange(matrix.shape[0]))
    served = DenseSource(
        "profile",
        items,
        lambda query: users.vectors([str(query.user_id)]).get(str(query.user_id)),
    )
    for user_id, own in zip(matrix.user_ids, scores, strict=True):
        expected = served.scores(Query(user_id=user_id), ITEM_IDS)
        assert own == pytest.approx([expected.get(item, 0.0) for item in ITEM_IDS], abs=1e-6)
