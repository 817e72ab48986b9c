from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import InvalidInput
from retrieval.fusion.guard import guarded_order

scores_in_base_order = st.lists(
    st.one_of(st.floats(allow_nan=False), st.integers(0, 2).map(float)), max_size=30
)


def named(scores: list[float]) -> tuple[list[str], dict[str, float]]:
    base = [f"i{at}" for at in range(len(scores))]
    return base, dict(zip(base, scores, strict=True))


@given(scores_in_base_order, st.integers(0, 40))
def test_guard_never_lifts_an_item_more_than_m(scores: list[float], m: int) -> None:
    base, by_item = named(scores)
    order = guarded_order(base, by_item, m)
    for position, item in enumerate(order):
        assert base.index(item) - position <= m


@given(scores_in_base_order, st.integers(0, 40))
def test_guard_returns_a_permutation(scores: list[float], m: int) -> None:
    base, by_item = named(scores)
    assert sorted(guarded_order(base, by_item, m)) == sorted(base)


@given(scores_in_base_order)
def test_m_of_zero_is_the_base_order(scores: list[float]) -> None:
    base, by_item = named(scores)
    assert guarded_order(base, by_item, 0) == base


@given(scores_in_base_order, st.integers(0, 10**6))
def test_a_large_m_sorts_by_score_with_ties_in_base_order(scores: list[float], more: int) -> None:
    base, by_item = named(scores)
    order = guarded_order(base, by_item, max(0, len(base) - 1) + more)
    assert order == sorted(base, key=lambda item: -by_item[item])


@given(scores_in_base_order, st.integers(0, 40))
def test_each_place_goes_to_the_best_item_that_may_stand_there(scores: list[float], m: int) -> None:
    base, by_item = named(scores)
    left = set(base)
    for position, item in enumerate(guarded_order(base, by_item, m)):
        may = [other for other in left if base.index(other) <= position + m]
        assert by_item[item] == max(by_item[other] for other in may)
        left.remove(item)


@given(st.integers(2, 30), st.integers(0, 29), st.integers(0, 5))
def test_praising_one_item_without_end_lifts_it_m_places_and_moves_the_others_one(
    n: int, target: int, m: int
) -> None:
    base, by_item = named([float(-at) for at in range(n)])
    praised = base[target % n]
    order = guarded_order(base, by_item | {praised: math.inf}, m)
    assert order.index(praised) == max(0, target % n - m)
    assert [item for item in order if item != praised] == [i for i in base if i != praised]


def test_by_hand() -> None:
    scores = {"a": 0.0, "b": 1.0, "c": 2.0, "d": 3.0}
    assert guarded_order("abcd", scores, 1) == ["b", "c", "d", "a"]
    assert guarded_order([], {}, 3) == []


@pytest.mark.parametrize(
    ("base", "scores", "m", "says"),
    [
        ("ab", {"a": 1.0, "b": 1.0}, -1, "max_rise=-1"),
        ("ab", {"a": 1.0}, 3, "no score for item 'b'"),
        ("ab", {"a": math.nan, "b": 1.0}, 3, "no score for item 'a'"),
        ("aa", {"a": 1.0}, 3, "twice"),
    ],
)
def test_unusable_input_is_named(base: str, scores: dict[str, float], m: int, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        guarded_order(base, scores, m)
