"""Rankings stay permutations within the guard, λ = 0 is S, and λ is chosen out of fold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.question import PoolItem, Question
from eval.ranking import (
    POOL_RECALL,
    WEIGHTS,
    alone_order,
    cross_validated_weights,
    fused_ranking,
    measure,
    source_order,
)
from tests.eval.runs.worlds import noise, questions

METRICS = ("ndcg@10", "hr@1", "recall@3", "ndcg@50", POOL_RECALL)
odds_values = st.none() | st.floats(-1e6, 1e6) | st.just(math.nan)


@st.composite
def asked(draw: st.DrawFn) -> tuple[Question, dict[str, float | None]]:
    size = draw(st.integers(0, 12))
    scores = sorted(draw(st.lists(st.floats(-9, 9), min_size=size, max_size=size)), reverse=True)
    with_parts = draw(st.booleans())
    items = tuple(
        PoolItem(f"i{at}", score, {"popular": score} if with_parts else {})
        for at, score in enumerate(scores)
    )
    wanted = draw(st.sets(st.integers(0, 15), min_size=1, max_size=4))
    question = Question("q", None, "en", "", "", items, frozenset(f"i{at}" for at in wanted))
    judged = draw(st.integers(0, size))
    return question, {f"i{at}": draw(odds_values) for at in range(judged)}


@given(asked(), st.floats(0, 50), st.integers(0, 14))
def test_a_ranking_is_a_permutation_and_nothing_rises_above_the_guard(
    case: tuple[Question, dict[str, float | None]], weight: float, max_rise: int
) -> None:
    question, odds = case
    base = [one.item_id for one in question.candidates]
    ranked = fused_ranking(question, odds, weight, max_rise)
    order = [one.item_id for one in ranked]
    assert sorted(order) == sorted(base)
    assert all(base.index(item) - at <= max_rise for at, item in enumerate(order))
    assert all(one.score == math.fsum(one.parts.values()) for one in ranked)
    for scored in ([c.item_id for c in ranked], alone_order(question, odds)):
        assert sorted(scored) == sorted(base)
        values = measure(scored, question, METRICS)
        assert list(values) == list(METRICS)
        assert all(0 <= value <= 1 for value in values.values())
        assert values[POOL_RECALL] == measure(base, question, METRICS)[POOL_RECALL]


@given(asked(), st.floats(0, 50), st.integers(0, 14))
def test_no_weight_no_rise_or_no_judgement_is_s(
    case: tuple[Question, dict[str, float | None]], weight: float, max_rise: int
) -> None:
    question, odds = case
    base = [one.item_id for one in question.candidates]
    failed: dict[str, float | None] = dict.fromkeys(odds)
    for one in (
        fused_ranking(question, odds, 0.0, max_rise),
        fused_ranking(question, odds, weight, 0),
        fused_ranking(question, {}, weight, max_rise),
        fused_ranking(question, failed, weight, max_rise),
    ):
        assert [c.item_id for c in one] == base


def test_a_score_that_came_without_parts_still_counts() -> None:
    items = tuple(PoolItem(f"i{at}", 9.0 - at) for at in range(4))
    question = Question("q", None, "en", "", "", items, frozenset({"i3"}))
    ranked = fused_ranking(question, {"i0": -1.0, "i1": -1.0, "i2": 1.0}, 0.1, 3)
    assert [one.item_id for one in ranked] == ["i0", "i1", "i2", "i3"]
    assert ranked[0].parts == {"S": 9.0, "llm": pytest.approx(-0.1 / math.sqrt(2))}


def test_what_is_outside_the_pool_is_lost_and_not_left_out() -> None:
    items = tuple(PoolItem(f"i{at}", -float(at)) for at in range(3))
    question = Question("q", None, "en", "", "", items, frozenset({"i1", "gone"}))
    values = measure(["i0", "i1", "i2"], question, ["recall@10", "hr@1", "ndcg@10", POOL_RECALL])
    assert values["recall@10"] == values[POOL_RECALL] == 0.5
    assert values["hr@1"] == 0.0
    assert values["ndcg@10"] == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))


def test_a_model_alone_orders_what_it_judged_and_leaves_the_rest_behind() -> None:
    items = tuple(PoolItem(f"i{at}", -float(at)) for at in range(5))
    question = Question("q", None, "en", "", "", items, frozenset({"i1"}))
    odds = {"i0": -1.0, "i1": None, "i2": 3.0, "i3": -1.0}
    assert alone_order(question, odds) == ["i2", "i0", "i3", "i1", "i4"]


def test_a_source_is_ordered_by_what_it_says_also_where_s_gives_it_no_weight() -> None:
    items = (
        PoolItem("a", 2.0, {"behaviour": 2.0, "popular": 0.0}, sources={"popular": 1.0}),
        PoolItem("b", 1.0, {"behaviour": 1.0, "popular": 0.0}, sources={"popular": 5.0}),
        PoolItem("c", 0.0, {"behaviour": 0.0}, sources={"behaviour": 7.0}),
    )
    question = Question("q", None, "en", "", "", items, frozenset({"a"}))
    assert source_order(question, "popular") == ["b", "a", "c"]
    assert source_order(question, "behaviour") == ["c", "a", "b"]
    bare = Question("q", None, "en", "", "", (PoolItem("a", 1, {"x": 1}),), frozenset({"a"}))
    assert source_order(bare, "x") == ["a"]


def knowing(asked: list[Question]) -> list[dict[str, float | None]]:
    return [
        {c.item_id: 1.0 if c.item_id in q.relevant else -1.0 for c in q.candidates} for q in asked
    ]


def test_a_weight_is_chosen_without_the_questions_that_it_ranks() -> None:
    # One question gains by the model; at the others it lies, which costs nothing: they are lost.
    asked, odds = [], []
    for at in range(5):
        gold = 11 if at == 2 else 10
        items = tuple(PoolItem(f"i{place}", -0.1 * place) for place in range(12))
        relevant = frozenset({f"i{gold}"})
        asked.append(Question(f"q{at}", None, "en", "", "", items, relevant))
        liked = gold if at == 2 else 0
        odds.append({one.item_id: float(one.item_id == f"i{liked}") for one in items})
    found = cross_validated_weights(asked, odds, 11, seed=0)
    assert found.overall > 0
    assert found.weights[2] == 0
    assert all(weight == found.overall for weight in np.delete(found.weights, 2))


def test_a_weight_comes_from_the_list_and_from_the_seed() -> None:
    asked = questions(50)
    found = cross_validated_weights(asked, knowing(asked), 11, seed=0)
    assert found.weights.shape == (50,)
    assert set(found.weights) <= set(WEIGHTS)
    assert found.overall > 0
    again = cross_validated_weights(asked, knowing(asked), 11, seed=0)
    assert (again.weights == found.weights).all()


def test_a_model_that_only_harms_gets_no_weight() -> None:
    asked = questions(40)
    lies = [{item: -(value or 0) for item, value in odds.items()} for odds in knowing(asked)]
    found = cross_validated_weights(asked, lies, 11, seed=0)
    assert found.overall == 0
    assert not found.weights.any()


def test_noise_earns_nothing_out_of_fold() -> None:
    asked = questions(200)
    odds = [{c.item_id: noise(q.query_id + c.item_id) for c in q.candidates} for q in asked]
    chosen = cross_validated_weights(asked, odds, 11, seed=0)
    gains = [
        measure([c.item_id for c in fused_ranking(q, o, w, 11)], q, ["ndcg@10"])["ndcg@10"]
        - measure([c.item_id for c in q.candidates], q, ["ndcg@10"])["ndcg@10"]
        for q, o, w in zip(asked, odds, chosen.weights, strict=True)
    ]
    assert abs(float(np.mean(gains))) < 0.02


def test_too_few_questions_for_folds_leave_the_model_out() -> None:
    asked = questions(4)
    found = cross_validated_weights(asked, knowing(asked), 11, seed=0)
    assert found.weights.tolist() == [0, 0, 0, 0]
    assert found.overall == 0
