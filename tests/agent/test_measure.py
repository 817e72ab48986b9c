"""NDCG by hand and the interval of a mean; what fitting and evaluation both rely on."""

import math

import numpy as np
import pytest

from agent.measure import mean_and_interval, ndcg, ranks_in


def test_ndcg_by_hand() -> None:
    assert ndcg(ranks_in(["a", "b", "c"], frozenset("a"))) == 1.0
    assert ndcg(ranks_in(["b", "a", "c"], frozenset("a"))) == pytest.approx(1 / math.log2(3))
    assert ndcg(ranks_in(["a", "b", "c"], frozenset("ac"))) == pytest.approx(
        1.5 / (1 + 1 / math.log2(3))
    )
    assert ndcg(ranks_in([], frozenset("a"))) == 0.0
    assert ndcg(ranks_in([*"bcdefghijk", "a"], frozenset("a"))) == 0.0
    assert math.isnan(ndcg(ranks_in(["a"], frozenset())))


def test_an_interval_of_nothing_is_nan_and_of_one_value_a_point() -> None:
    assert all(math.isnan(value) for value in mean_and_interval(np.zeros(0)))
    assert mean_and_interval(np.ones(1)) == (1.0, 1.0, 1.0)
    mean, low, high = mean_and_interval(np.arange(100, dtype=np.float64))
    assert low < mean == 49.5 < high
