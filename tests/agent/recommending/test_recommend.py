"""A request from end to end, on real stores and the scripted model."""

from __future__ import annotations

import json
import math
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.recommend import Recommender
from agent.scripted import ScriptedModel
from agent.settings import RerankSettings, Settings
from agent.stores import open_stores
from retrieval.errors import InvalidInput, NotFound, StoreError
from retrieval.fusion.guard import guarded_order
from retrieval.fusion.score import FusedCandidate, combine
from retrieval.fusion.weights import FusionWeights
from retrieval.types import Answer, Constraint, Interaction, Item, Query, User
from tests.agent.fitting.fitted_shop import put_weights
from tests.agent.recommending.conftest import Build
from tests.agent.recommending.shop import EPOCH, HISTORY, ITEMS, fill

REQUESTS = [
    Query(user_id="ann", text="a quiet kettle"),
    Query(user_id="bob"),
    Query(text="green tea under $20"),
    Query(text="不要塑料的水壶，50元以下"),
    Query(user_id="new"),
    Query(),
]


def ids(answer: Answer) -> list[str]:
    return [one.item_id for one in answer.recommendations]


def without_time(answer: Answer) -> Answer:
    return replace(answer, trace=replace(answer.trace, milliseconds_by_stage={}))


@pytest.fixture
def mine(filled: Settings, build: Build) -> Recommender:
    """One that a test may change."""
    return build(filled, ScriptedModel())


@pytest.mark.parametrize("query", REQUESTS, ids=str)
def test_the_parts_add_up_to_the_score_exactly(recommender: Recommender, query: Query) -> None:
    answer = recommender.recommend(query)
    assert answer.recommendations
    for one in answer.recommendations:
        assert math.fsum(one.parts.values()) == one.score
        assert math.isfinite(one.score)


@pytest.mark.parametrize("query", REQUESTS, ids=str)
def test_the_same_request_gets_the_same_answer(recommender: Recommender, query: Query) -> None:
    first = recommender.recommend(query)
    assert without_time(recommender.recommend(query)) == without_time(first)
    recommender.refresh()
    assert without_time(recommender.recommend(query)) == without_time(first)


@pytest.mark.parametrize("query", REQUESTS, ids=str)
def test_ranks_count_up_and_no_item_comes_twice(recommender: Recommender, query: Query) -> None:
    answer = recommender.recommend(query)
    assert [one.rank for one in answer.recommendations] == list(range(1, len(ids(answer)) + 1))
    assert len(set(ids(answer))) == len(ids(answer))


def test_the_model_takes_part_and_the_trace_says_so(recommender: Recommender) -> None:
    answer = recommender.recommend(Query(user_id="ann", text="a quiet kettle"))
    trace = answer.trace
    assert trace.ranker_used == "fused+llm"
    assert trace.degraded_because == ""
    assert trace.model == "scripted"
    assert trace.prompt_versions["rerank"].startswith("rerank@")
    assert trace.calls == 1
    assert trace.tokens > 0
    assert trace.weights_used == "prior"
    assert set(trace.milliseconds_by_stage) == {
        "understand", "candidates", "fuse", "rerank", "arrange", "explain",
    }  # fmt: skip
    assert any("llm" in one.parts for one in answer.recommendations)


def test_a_persuasive_item_rises_no_more_than_m(filled: Settings, build: Build) -> None:
    for max_rise in (0, 1, 3):
        settings = filled.model_copy(
            update={"rerank": RerankSettings(weight=1000.0, max_rise=max_rise, candidates=50)}
        )
        # The rule makes the model say yes to one item, whatever the person likes.
        model = ScriptedModel(rules=[("Glass mug", "yes"), (".", "no")])
        answer = build(settings, model).recommend(Query(user_id="gus", text="tea", n=12))
        base = {one.item_id: one.base_rank for one in answer.recommendations}
        assert answer.trace.ranker_used == "fused+llm"
        for one in answer.recommendations:
            assert one.rank >= base[one.item_id] - max_rise
        mug = next(one for one in answer.recommendations if one.item_id == "m2")
        assert mug.rank == max(1, mug.base_rank - max_rise)


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=15),
    st.lists(st.one_of(st.none(), st.floats(-50, 50)), max_size=15),
    st.integers(0, 5),
    st.floats(0, 100),
)
def test_guard_never_lifts_an_item_more_than_m(
    scores: list[float], odds: list[float | None], max_rise: int, weight: float
) -> None:
    base = [
        FusedCandidate(f"i{at}", score, {"popular": score})
        for at, score in enumerate(sorted(scores, reverse=True))
    ]
    judged = {f"i{at}": value for at, value in enumerate(odds)}
    final = {one.item_id: one for one in combine(base, judged, weight)}
    names = [one.item_id for one in base]
    order = guarded_order(names, {name: one.score for name, one in final.items()}, max_rise)
    for rank, name in enumerate(order):
        assert rank >= names.index(name) - max_rise
        assert math.fsum(final[name].parts.values()) == final[name].score


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (ScriptedModel(fail="timeout"), "the language model did not answer within 5 s"),
        (ScriptedModel(fail="rubbish"), "the language model answered nothing usable"),
        (ScriptedModel(fail="unavailable"), "the language model is not available"),
        (ScriptedModel(die_after=2), "the language model is not available"),
        (ScriptedModel(context_tokens=20), "the prompt does not fit"),
        (None, "no language model is running"),
    ],
    ids=["timeout", "rubbish", "unavailable", "dies", "overflow", "none"],
)
def test_when_the_model_fails_the_fused_ranking_stands_and_the_answer_says_so(
    filled: Settings, build: Build, model: ScriptedModel | None, words: str
) -> None:
    query = Query(user_id="ann", text="a quiet kettle")
    answer = build(filled, model).recommend(query)
    plain = build(filled).recommend(replace(query, rerank=False))
    assert ids(answer) == ids(plain)
    assert [one.parts for one in answer.recommendations] == [
        one.parts for one in plain.recommendations
    ]
    assert answer.trace.ranker_used == "fused"
    assert answer.trace.degraded_because.startswith(words)
    assert plain.trace.degraded_because == ""
    assert "re-ranking was switched off" in plain.trace.notes


def test_a_slow_model_is_cut_off_at_the_deadline(filled: Settings, build: Build) -> None:
    settings = filled.model_copy(update={"rerank": RerankSettings(deadline=0.1)})
    answer = build(settings, ScriptedModel(delay=1.0)).recommend(Query(text="tea"))
    assert answer.trace.degraded_because == "the language model did not answer within 0.1 s"
    assert answer.trace.milliseconds_by_stage["rerank"] < 1000


def test_seen_items_stay_out_unless_asked_for(recommender: Recommender) -> None:
    fresh = ids(recommender.recommend(Query(user_id="bob", n=12)))
    assert not set(fresh) & set(HISTORY["bob"])
    everything = ids(recommender.recommend(Query(user_id="bob", n=12, include_seen=True)))
    assert set(everything) == {item.item_id for item in ITEMS}


def test_conditions_hold_for_every_item(recommender: Recommender) -> None:
    cheap = recommender.recommend(
        Query(n=12, constraints=(Constraint("price", "lt", 20.0), Constraint("kind", "eq", "tea")))
    )
    assert set(ids(cheap)) == {"t1", "t2", "t3"}


def test_limits_and_refusals_in_the_text_hold_too(recommender: Recommender) -> None:
    answer = recommender.recommend(Query(text="a kettle, not plastic, under $50", n=12))
    prices = {item.item_id: item.attributes["price"] for item in ITEMS}
    assert ids(answer)[0] == "k1"
    assert all(prices[item_id] < 50 for item_id in ids(answer))  # type: ignore[operator]
    assert not {"k2", "k4", "g2"} & set(ids(answer))
    assert "m1" in ids(answer)
    assert any("price < 50" in note for note in answer.trace.notes)


@pytest.mark.parametrize(
    ("constraints", "words"),
    [
        ([Constraint("price", "lt", 1.0)], "no item satisfies price < 1: relax or drop"),
        (
            [Constraint("price", "lt", 20.0), Constraint("material", "eq", "steel")],
            "no item satisfies price < 20 and material = steel together",
        ),
    ],
)
def test_conditions_that_leave_nothing_give_an_empty_answer_and_the_reason(
    recommender: Recommender, constraints: list[Constraint], words: str
) -> None:
    answer = recommender.recommend(Query(text="tea", constraints=tuple(constraints)))
    assert answer.recommendations == ()
    assert answer.trace.pool_size == 0
    assert any(note.startswith(words) for note in answer.trace.notes)


def test_when_everything_that_fits_was_seen_the_answer_says_that(recommender: Recommender) -> None:
    answer = recommender.recommend(
        Query(user_id="fay", constraints=(Constraint("item_id", "in", ("k1", "k3")),))
    )
    assert answer.recommendations == ()
    assert any("all 2 items" in note and "include_seen" in note for note in answer.trace.notes)


def test_an_unknown_attribute_is_bad_input(recommender: Recommender) -> None:
    with pytest.raises(InvalidInput, match="prize"):
        recommender.recommend(Query(constraints=(Constraint("prize", "lt", 5.0),)))


@pytest.mark.parametrize("n", [0, -1, 201, 10**6, True])
def test_n_out_of_range_is_bad_input_that_names_the_range(recommender: Recommender, n: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        recommender.recommend(Query(n=n))
    assert "1 to 200" in caught.value.hint


def test_an_unknown_user_is_not_found(recommender: Recommender) -> None:
    with pytest.raises(NotFound) as caught:
        recommender.recommend(Query(user_id="nobody/🫖"))
    assert "nobody/🫖" in caught.value.message
    assert "stranger" in caught.value.hint


def test_a_stranger_without_a_query_gets_the_popular_items(recommender: Recommender) -> None:
    answer = recommender.recommend(Query(n=3))
    assert ids(answer) == ["k1", "t1", "t2"]
    assert answer.trace.calls == 0
    assert any("no history and no query" in note for note in answer.trace.notes)
    assert ids(recommender.recommend(Query(user_id="new", n=3))) == ids(answer)


def test_a_chinese_query_finds_chinese_items_and_answers_in_chinese(
    recommender: Recommender,
) -> None:
    answer = recommender.recommend(Query(text="清新的茉莉花茶", n=3))
    assert ids(answer)[0] == "t2"
    explanation = answer.recommendations[0].explanation
    assert explanation is not None
    assert "来自" in explanation.text


def test_explanations_are_left_out_on_request(recommender: Recommender) -> None:
    answer = recommender.recommend(Query(explain=False))
    assert all(one.explanation is None for one in answer.recommendations)


def test_show_bins_puts_the_sources_on_the_cards(filled: Settings, build: Build) -> None:
    model = ScriptedModel()
    settings = filled.model_copy(update={"rerank": RerankSettings(show_bins=True)})
    build(settings, model).recommend(Query(user_id="bob", text="tea"))
    assert "popular 5/5" in str(list(model.seen))


def test_a_user_with_history_and_no_profile_is_judged_by_titles(
    filled: Settings, build: Build
) -> None:
    model = ScriptedModel()
    build(filled, model).recommend(Query(user_id="fay"))
    assert "Chose: Steel kettle; Glass kettle; Hand grinder" in str(list(model.seen))


class TestWhatIsMissing:
    """Every store may be empty: the answer is what the rest allows, and says what is missing."""

    def test_an_empty_home(self, settings: Settings, build: Build) -> None:
        answer = build(settings, ScriptedModel()).recommend(Query(text="tea"))
        assert answer.recommendations == ()
        assert any("palate ingest" in note for note in answer.trace.notes)

    def test_a_catalogue_of_one_item(self, settings: Settings, build: Build) -> None:
        with open_stores(settings) as stores:
            stores.catalog.upsert_items([Item("only/one 🫖", "Pot")])
        answer = build(settings, ScriptedModel()).recommend(Query(text="a pot", n=200))
        assert ids(answer) == ["only/one 🫖"]
        assert answer.recommendations[0].score == 0.0

    def test_no_profiles_and_no_vectors(self, settings: Settings, build: Build) -> None:
        with open_stores(settings) as stores:
            fill(stores, with_profiles=False)
        answer = build(settings, ScriptedModel()).recommend(Query(user_id="ann", text="green tea"))
        assert answer.recommendations
        assert any("palate profiles build" in note for note in answer.trace.notes)

    def test_no_interactions(self, settings: Settings, build: Build) -> None:
        with open_stores(settings) as stores:
            stores.catalog.upsert_items(ITEMS)
            stores.catalog.upsert_users([User("ann")])
        recommender = build(settings)
        assert len(ids(recommender.recommend(Query(user_id="ann", n=12)))) == 12
        assert ids(recommender.recommend(Query(text="black tea")))[0] == "t3"
        notes = recommender.recommend(Query()).trace.notes
        assert any("no interactions yet" in note for note in notes)

    def test_no_weights(self, recommender: Recommender) -> None:
        notes = recommender.recommend(Query()).trace.notes
        assert any("`palate fit` learns them" in note for note in notes)


def _learned(settings: Settings, data_hash: str) -> None:
    weights = FusionWeights(
        {"behaviour": 1.0}, {"lexical": 1.0}, kind="learned", n_labelled=500, data_hash=data_hash
    )
    put_weights(weights, settings.store.home)


def test_learned_weights_outlive_new_data_and_the_trace_says_so(
    filled: Settings, build: Build
) -> None:
    with open_stores(filled) as stores:
        _learned(filled, stores.database.data_hash())
    recommender = build(filled)
    assert recommender.recommend(Query(user_id="bob")).trace.weights_used == "learned"
    recommender.event_log.append_interactions([Interaction("new", "k1", "like", 1.0, EPOCH)])
    recommender.refresh()
    trace = recommender.recommend(Query(user_id="bob")).trace
    assert trace.weights_used == "learned"
    assert any("the data changed" in note for note in trace.notes)


@pytest.mark.parametrize("text", ["", "{", '{"format": 1}', "[]", "\x00"])
def test_a_broken_weights_file_costs_nothing_but_a_note(
    filled: Settings, build: Build, text: str
) -> None:
    (filled.store.home / "fusion.json").write_text(text, encoding="utf-8")
    trace = build(filled).recommend(Query(user_id="bob")).trace
    assert trace.weights_used == "prior"
    assert any("fusion weights are the prior" in note for note in trace.notes)


def test_new_data_is_seen_after_refresh(mine: Recommender) -> None:
    mine.catalog.upsert_items([Item("z1", "Matcha whisk", {"price": 7.0})])
    mine.refresh()
    assert ids(mine.recommend(Query(text="matcha whisk")))[0] == "z1"


def test_a_source_that_fails_is_left_out_and_named(
    mine: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StoreError("the index is gone")

    query_source = next(s for s in mine._snapshot.sources if s.name == "query")
    monkeypatch.setattr(query_source, "candidates", broken)
    answer = mine.recommend(Query(text="green tea"))
    assert ids(answer)[0] == "t1"
    assert "source query failed" in answer.trace.degraded_because
    assert any("the index is gone" in note for note in answer.trace.notes)


def test_many_threads_get_the_same_answers_while_sources_are_refreshed(
    recommender: Recommender,
) -> None:
    expected = {at: ids(recommender.recommend(q)) for at, q in enumerate(REQUESTS)}
    wrong: list[object] = []

    def ask() -> None:
        try:
            for at, query in enumerate(REQUESTS):
                if ids(recommender.recommend(query)) != expected[at]:
                    wrong.append(query)
        except Exception as error:  # a thread's exception would be lost otherwise
            wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    recommender.refresh()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_ready_says_what_stands(recommender: Recommender) -> None:
    ok, state = recommender.ready()
    assert ok
    assert state["items"] == "12"
    assert state["model"] == "scripted"
    assert "lexical" in state["sources"]


def test_an_answer_is_plain_data(recommender: Recommender) -> None:
    from dataclasses import asdict

    assert json.dumps(asdict(recommender.recommend(Query(user_id="ann"))), ensure_ascii=False)


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path, build: Build) -> None:
    from agent.settings import StoreSettings

    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidInput, match="cannot be made"):
        build(Settings(store=StoreSettings(home=tmp_path / "file" / "home")))
