from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import InvalidInput
from retrieval.fusion.features import pool_features, z_scores
from retrieval.fusion.score import FusedCandidate, combine, fuse
from retrieval.fusion.weights import SOURCES, FusionWeights, prior_weights
from retrieval.types import Candidate

any_number = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 5e-324, -5e-324, sys.float_info.max, -sys.float_info.max, 1e-300]),
)
scores_by_source = st.dictionaries(st.sampled_from([*SOURCES, "picture"]), any_number)
pools = st.lists(scores_by_source, max_size=12).map(
    lambda pool: [Candidate(f"i{at}", scores) for at, scores in enumerate(pool)]
)
scene = st.dictionaries(
    st.sampled_from([*SOURCES, "picture"]), st.floats(0, 1e6), min_size=1
).filter(lambda one: sum(one.values()) > 0)
weights = st.builds(FusionWeights, scene, scene)


@given(pools, weights, st.booleans())
def test_parts_add_up_to_the_score_exactly(
    pool: list[Candidate], w: FusionWeights, has_query: bool
) -> None:
    for one in fuse(pool, w, has_query):
        assert math.fsum(one.parts.values()) == one.score
        assert math.isfinite(one.score)


@given(
    pools,
    weights,
    st.lists(st.one_of(st.none(), st.floats()), max_size=12),
    st.floats(0, 1e6),
)
def test_parts_still_add_up_once_the_model_has_spoken(
    pool: list[Candidate], w: FusionWeights, told: list[float | None], weight: float
) -> None:
    fused = fuse(pool, w, False)
    log_odds = {one.item_id: value for one, value in zip(fused, told, strict=False)}
    combined = combine(fused, log_odds, weight)
    assert [one.item_id for one in combined] == [one.item_id for one in fused]
    for one, before in zip(combined, fused, strict=True):
        assert math.fsum(one.parts.values()) == one.score
        assert ("llm" in one.parts) == (one.item_id in log_odds)
        assert abs(one.parts.get("llm", 0.0)) <= weight * 2.0
        assert {k: v for k, v in one.parts.items() if k != "llm"} == before.parts


@given(pools, weights, st.booleans())
def test_the_pool_comes_back_whole_and_best_first(
    pool: list[Candidate], w: FusionWeights, has_query: bool
) -> None:
    fused = fuse(pool, w, has_query)
    assert sorted(one.item_id for one in fused) == sorted(one.item_id for one in pool)
    keys = [(-one.score, one.item_id) for one in fused]
    assert keys == sorted(keys)
    assert fuse(pool[::-1], w, has_query) == fused


@given(st.lists(st.floats(), max_size=30), st.floats(0.1, 5))
def test_z_scores_are_bounded_and_missing_counts_zero(values: list[float], clip: float) -> None:
    z, present = z_scores(np.array(values), clip)
    assert (np.abs(z) <= clip).all()
    assert present.tolist() == [math.isfinite(value) for value in values]
    assert (z[~present] == 0).all()


@given(
    st.lists(st.integers(-1000, 1000), min_size=2, max_size=20),
    st.sampled_from([1e-300, 1e-9, 1.0, 1e9, 1e300]),
    st.sampled_from([-1000.0, 0.0, 7.0]),
)
def test_z_scores_do_not_depend_on_unit_or_origin(
    values: list[int], unit: float, origin: float
) -> None:
    plain, _ = z_scores(np.array(values, dtype=np.float64))
    other, _ = z_scores((np.array(values) + origin) * unit)
    np.testing.assert_allclose(other, plain, atol=1e-6)


def test_z_scores_by_hand() -> None:
    z, present = z_scores(np.array([1.0, 3.0, np.nan]))
    assert z.tolist() == [-1.0, 1.0, 0.0]
    assert present.tolist() == [True, True, False]
    outlier, _ = z_scores(np.array([0.0] * 99 + [1.0]))
    assert outlier[-1] == 3.0


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -7e300, 5e-324])
def test_a_constant_column_says_nothing(value: float) -> None:
    z, present = z_scores(np.full(5, value))
    assert not z.any()
    assert present.all()


def test_noise_of_float32_in_a_constant_column_is_no_signal() -> None:
    z, _ = z_scores(np.array([0.1, 0.1 + 1e-12, 0.1 - 1e-12]))
    assert not z.any()


def test_features_of_an_empty_pool_keep_their_columns() -> None:
    features = pool_features([], ["behaviour", "popular"])
    assert features.z.shape == (0, 2)
    assert features.live == ()


def test_fusing_by_hand() -> None:
    pool = [
        Candidate("a", {"behaviour": 2.0, "popular": 1.0}),
        Candidate("b", {"behaviour": 1.0, "popular": 3.0}),
        Candidate("c", {"popular": 2.0}),
    ]
    w = FusionWeights({"behaviour": 3.0, "popular": 1.0}, {"behaviour": 1.0})
    z = math.sqrt(1.5)
    fused = {one.item_id: one for one in fuse(pool, w, has_query=False)}
    assert fused["a"].parts == pytest.approx({"behaviour": 0.75, "popular": -0.25 * z})
    assert fused["b"].parts == pytest.approx({"behaviour": -0.75, "popular": 0.25 * z})
    assert fused["c"].parts == pytest.approx({"popular": 0.0})
    assert [one.item_id for one in fuse(pool, w, has_query=False)] == ["a", "c", "b"]


def test_the_weight_of_silent_sources_goes_to_the_others() -> None:
    pool = [Candidate("a", {"popular": 1.0}), Candidate("b", {"popular": 2.0})]
    fused = fuse(pool, prior_weights(), has_query=False)
    assert [(one.item_id, one.score) for one in fused] == [("b", 1.0), ("a", -1.0)]


def test_a_stranger_is_served_by_popular_even_where_training_gave_it_nothing() -> None:
    w = FusionWeights({"behaviour": 1.0}, {"query": 1.0})
    pool = [Candidate("a", {"popular": 1.0}), Candidate("b", {"popular": 2.0})]
    assert [one.item_id for one in fuse(pool, w, has_query=False)] == ["b", "a"]


def test_scores_that_are_not_finite_count_as_missing() -> None:
    pool = [Candidate("a", {"popular": math.nan}), Candidate("b", {"popular": math.inf})]
    assert [one.parts for one in fuse(pool, prior_weights(), has_query=False)] == [{}, {}]


def test_an_empty_pool_gives_an_empty_ranking() -> None:
    assert fuse([], prior_weights(), has_query=True) == []
    assert combine([], {"a": 1.0}, 0.5) == []


FUSED = [FusedCandidate(item, 0.0, {"popular": 0.0}) for item in "abcd"]


def test_the_model_speaks_in_z_scores_over_those_it_judged() -> None:
    combined = combine(FUSED, {"a": -1.0, "b": 3.0, "c": None}, weight=0.5)
    assert [one.parts.get("llm") for one in combined] == [-0.5, 0.5, 0.0, None]
    assert [one.score for one in combined] == [-0.5, 0.5, 0.0, 0.0]


@pytest.mark.parametrize(
    "log_odds",
    [
        {},
        {"a": 9.0},
        {"a": -9.0, "b": None},
        {"a": 2.0, "b": 2.0, "c": 2.0},
        {"a": None, "b": None},
        {"a": math.nan, "b": math.inf, "c": 1.0},
    ],
)
def test_fewer_than_two_different_judgements_change_nothing(
    log_odds: dict[str, float | None],
) -> None:
    combined = combine(FUSED, log_odds, weight=0.5)
    assert [one.score for one in combined] == [0.0] * 4


def test_a_judgement_of_an_item_outside_the_pool_has_no_influence() -> None:
    with_stranger = combine(FUSED, {"a": 1.0, "b": 2.0, "elsewhere": 1e9}, weight=0.5)
    assert with_stranger == combine(FUSED, {"a": 1.0, "b": 2.0}, weight=0.5)


@pytest.mark.parametrize(("weight", "clip"), [(-1.0, 2.0), (math.nan, 2.0), (1.0, -1.0)])
def test_a_negative_weight_is_refused(weight: float, clip: float) -> None:
    with pytest.raises(InvalidInput):
        combine(FUSED, {}, weight, clip)
