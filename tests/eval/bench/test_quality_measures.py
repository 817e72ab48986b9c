"""Figures against numbers worked out by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.fitting.rebuild import settings_of
from agent.measure import mean_and_interval
from eval.bench.quality.beyond import (
    coverage,
    diversity,
    genre_table,
    miscalibration,
    novelty,
    surroundings,
)
from eval.bench.quality.fused import reciprocal, scaled_sum
from eval.bench.quality.measures import gain, measure
from eval.bench.quality.outcomes import from_orders, from_scores, load_outcome, save_outcome
from eval.bench.quality.protocols import Asked
from eval.bench.quality.spaces import SPACES, OneOf
from eval.bench.quality.tuning import tune
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.line_up import line_up
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.errors import InvalidInput
from retrieval.types import Interaction, Item

START = datetime(2024, 1, 1, tzinfo=UTC)


def asked() -> Asked:
    """Ann had a and b and takes c; Bob had a and takes d (new) and z (not in the catalogue)."""
    taken = (("ann", "a"), ("ann", "b"), ("bob", "a"))
    events = [
        Interaction(user, item, "purchase", 1.0, START + timedelta(days=at))
        for at, (user, item) in enumerate(taken)
    ]
    matrix = InteractionMatrix.from_interactions(events, item_ids=["a", "b", "c", "d"])
    return Asked(matrix, ("ann", "bob"), (("c",), ("d", "z")))


def test_ranks_leave_out_what_was_had_and_share_the_middle_of_ties() -> None:
    scores = np.array([[9, 9, 1, 1], [5, 3, 2, 1]], dtype=np.float32)
    found = from_scores(asked(), lambda start, end: scores[start:end], {})
    assert found.ranks[0].tolist() == [0.5]
    assert found.ranks[1].tolist() == [2.0, math.inf]
    assert found.top[0, :3].tolist() == [2, 3, -1]
    assert found.top[1, :4].tolist() == [1, 2, 3, -1]


def test_an_order_of_a_pool_leaves_what_it_lacks_unranked() -> None:
    orders = [np.array([3, 2]), np.array([1], dtype=np.int64)]
    found = from_orders(asked(), orders, {})
    assert found.ranks[0].tolist() == [1.0]
    assert found.ranks[1].tolist() == [math.inf, math.inf]
    assert np.isnan(found.among_cold[0]).all()


def test_cold_and_warm_items_are_told_apart() -> None:
    scores = np.array([[9, 9, 2, 1], [5, 3, 2, 1]], dtype=np.float32)
    own = from_scores(asked(), lambda start, end: scores[start:end], {})
    found = measure([own], surroundings(asked(), [Item(i, i) for i in "abcd"], None, ""))
    assert found.values["ndcg@10"][0] == 1.0
    assert found.cold[0] == 1.0
    assert found.among_cold[0] == 1.0
    assert math.isnan(found.warm[0])
    ideal = 1 + 1 / math.log2(3)
    assert found.cold[1] == pytest.approx(1 / math.log2(4) / ideal)
    assert found.values["recall@10"].tolist() == [1.0, 0.5]


def test_a_score_that_is_not_finite_is_refused() -> None:
    scores = np.full((2, 4), np.nan, dtype=np.float32)
    with pytest.raises(InvalidInput, match="not finite"):
        from_scores(asked(), lambda start, end: scores[start:end], {})


def test_answers_come_back_as_they_were_kept(tmp_path: Path) -> None:
    found = from_orders(asked(), [np.array([2]), np.array([3])], {"k": 60})
    save_outcome(tmp_path / "one.npz", found)
    again = load_outcome(tmp_path / "one.npz", asked())
    assert [one.tolist() for one in again.ranks] == [one.tolist() for one in found.ranks]
    assert again.top.tolist() == found.top.tolist()
    assert again.meta == {"k": 60}


def test_coverage_counts_the_items_that_anybody_sees() -> None:
    assert coverage(np.array([[0, 1], [1, -1]], dtype=np.int32), 4) == 0.5
    assert math.isnan(coverage(np.zeros((0, 2), dtype=np.int32), 0))


def test_novelty_is_the_mean_surprise_in_bits() -> None:
    top = np.array([[0, 1], [2, -1], [-1, -1]], dtype=np.int32)
    found = novelty(top, np.array([4, 1, 0]), 4)
    assert found[:2].tolist() == [1.0, 2.0]
    assert math.isnan(found[2])


def test_diversity_is_one_less_the_mean_cosine() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32)
    found = diversity(np.array([[0, 1, 2], [0, 2, -1], [1, -1, -1]], dtype=np.int32), vectors)
    assert found[0] == pytest.approx(1 - 1 / 3)
    assert found[1] == pytest.approx(0.0)
    assert math.isnan(found[2])


def test_miscalibration_is_steck_s_divergence() -> None:
    items = [Item("a", "a", {"g": ("x", "y")}), *(Item(i, i, {"g": "x"}) for i in "bcd")]
    genres = genre_table(items, "g")
    assert genres.tolist() == [[0.5, 0.5], [1, 0], [1, 0], [1, 0]]
    top = np.array([[2, 3, -1], [2, -1, -1]], dtype=np.int32)
    found = miscalibration(top, asked(), genres)
    q = 0.99 * np.array([1.0, 0.0]) + 0.01 * np.array([0.75, 0.25])
    p = np.array([0.75, 0.25])
    assert found[0] == pytest.approx(float(np.sum(p * np.log(p / q))))
    assert np.isnan(miscalibration(top, asked(), np.zeros((4, 1)))).all()


def test_reciprocal_ranks_and_scaled_sums_by_hand() -> None:
    raw = np.array([[3.0, np.nan], [1.0, 5.0], [2.0, 5.0]], dtype=np.float32)
    assert reciprocal(raw).tolist() == pytest.approx([1 / 61, 1 / 63 + 1 / 61, 2 / 62])
    assert reciprocal(raw, per_source=1).tolist() == pytest.approx([1 / 61, 1 / 61, 0])
    assert scaled_sum(raw).tolist() == [1.0, 0.0, 0.5]


def test_a_gain_is_paired_and_relative() -> None:
    found = gain(np.array([0.4, 0.6, np.nan]), np.array([0.2, 0.6, 0.5]))
    assert found["mean"] == pytest.approx(0.1)
    assert found["relative"] == pytest.approx(0.25)
    assert found["n"] == 2
    assert gain(np.array([np.nan]), np.array([0.5]))["relative"] is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_intervals_are_those_of_the_evaluation(values: list[float]) -> None:
    found = gain(np.array(values), np.zeros(len(values)))
    mean, low, high = mean_and_interval(np.array(values))
    assert (found["mean"], found["low"], found["high"]) == pytest.approx((mean, low, high))


def test_every_space_holds_what_the_source_does_by_itself() -> None:
    vectors = np.ones((2, 2), dtype=np.float32)
    made = line_up(ItemFeatures(text=vectors, pictures=vectors), items=2)
    assert set(SPACES) == set(made) - {"cold_start"}
    for name, space in SPACES.items():
        usual = settings_of(made[name])
        for setting, found in space.items():
            value = usual[setting]
            if isinstance(found, OneOf):
                assert value in found.values, (name, setting)
            else:
                assert found.low <= value <= found.high, (name, setting)


def test_a_search_measures_the_first_settings_and_keeps_the_best() -> None:
    tried: list[float] = []

    def measured(settings: dict[str, float]) -> float:
        tried.append(settings["k"])
        return -abs(settings["k"] - 40)

    found = tune({"k": SPACES["item_knn"]["k"]}, {"k": 200}, measured, trials=8, seconds=60)
    assert tried[0] == 200
    assert found.default == -160
    assert found.trials == 8
    assert found.value == max(-abs(k - 40) for k in tried)
    assert found.settings == {"k": min(tried, key=lambda k: abs(k - 40))}


def test_a_search_that_can_measure_nothing_says_so() -> None:
    with pytest.raises(InvalidInput, match="no trial"):
        tune({}, {}, lambda settings: math.nan, trials=1, seconds=1)
    with pytest.raises(InvalidInput, match="trials=0"):
        tune({}, {}, lambda settings: 1.0, trials=0, seconds=1)
