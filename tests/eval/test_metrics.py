"""Metrics against hand-made cases and their own invariants."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.measure import mean_and_interval, ndcg, ranks_in
from eval.metrics import hit_rate, parse_metric, recall
from retrieval.errors import InvalidInput

INF = math.inf


def test_ndcg_of_a_hand_made_case() -> None:
    # relevant at positions 1 and 3 (0-based), three relevant in all
    dcg = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(np.array([1.0, 3.0, INF]), 10) == pytest.approx(dcg / ideal)


def test_the_cut_off_hides_what_stands_below_it() -> None:
    assert hit_rate(np.array([2.0]), 2) == 0.0
    assert hit_rate(np.array([2.0]), 3) == 1.0
    assert recall(np.array([0.0, 3.0]), 3) == 0.5


def test_an_item_that_was_not_ranked_has_no_rank() -> None:
    assert ranks_in(["a", "b", "c"], {"c", "a", "x"}).tolist() == [0.0, 2.0, INF]
    assert ranks_in([], {"x"}).tolist() == [INF]


def test_a_half_rank_counts_between_its_neighbours() -> None:
    above, middle, below = (ndcg(np.array([rank]), 10) for rank in (1.0, 1.5, 2.0))
    assert above > middle > below


def test_nothing_relevant_is_nan_and_never_zero() -> None:
    for metric in (ndcg, hit_rate, recall):
        assert math.isnan(metric(np.array([]), 10))


@given(st.sets(st.integers(0, 11), min_size=1), st.integers(1, 15))
def test_metrics_stay_in_the_unit_interval_and_a_perfect_ranking_scores_one(
    places: set[int], k: int
) -> None:
    ranks = np.array(sorted(places), dtype=np.float64)
    for metric in (ndcg, hit_rate, recall):
        assert 0.0 <= metric(ranks, k) <= 1.0
    assert ndcg(np.arange(len(places), dtype=np.float64), k) == pytest.approx(1.0)


def test_the_interval_holds_the_mean_and_leaves_nan_out() -> None:
    values = np.array([0.0, 1.0, 0.5, math.nan, 0.25] * 40)
    mean, low, high = mean_and_interval(values)
    assert mean == pytest.approx(0.4375)
    assert low < mean < high
    assert all(math.isnan(x) for x in mean_and_interval(np.array([math.nan])))


@pytest.mark.parametrize("name", ["ndcg", "ndcg@", "ndcg@0", "ndcg@-1", "map@10", "ndcg@ten"])
def test_an_unknown_metric_is_named(name: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        parse_metric(name)
