from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.fusion.features import pool_features, z_scores, z_table
from retrieval.types import Candidate

numbers = st.one_of(
    st.floats(-1e6, 1e6),
    st.floats(),
    st.sampled_from([0.0, 5e-324, -5e-324, 1e-300, sys.float_info.max, -sys.float_info.max]),
)
tables = st.tuples(st.integers(0, 12), st.integers(0, 5)).flatmap(
    lambda shape: st.lists(numbers, min_size=math.prod(shape), max_size=math.prod(shape)).map(
        lambda values: np.array(values).reshape(shape)
    )
)


def by_definition(column: NDArray[np.float64]) -> NDArray[np.float64]:
    """z of one column of moderate, different numbers; NaN is missing."""
    known = np.isfinite(column)
    z = np.zeros(len(column))
    z[known] = (column[known] - column[known].mean()) / column[known].std()
    return np.clip(z, -3, 3)


@given(st.integers(2, 40), st.integers(1, 5), st.integers(0, 2**16))
def test_a_table_is_its_columns_by_definition(rows: int, columns: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(random.normal(size=columns) * 5, 2, size=(rows, columns))
    values[random.random(values.shape) < 0.3] = np.nan
    values[:2] = [[1.0], [2.0]] * np.ones((2, columns))  # At least two numbers that differ.
    z, present = z_table(values)
    expected = np.array([by_definition(column) for column in values.T]).T
    np.testing.assert_allclose(z, expected, atol=1e-9)
    assert (present == np.isfinite(values)).all()


@given(tables)
def test_whatever_comes_in_small_numbers_come_out(values: NDArray[np.float64]) -> None:
    z, present = z_table(values)
    assert z.shape == present.shape == values.shape
    assert (present == np.isfinite(values)).all()
    assert (np.abs(z) <= 3).all()
    assert (z[~present] == 0).all()


@given(tables)
def test_no_column_hears_of_another(values: NDArray[np.float64]) -> None:
    z, _ = z_table(values)
    for at in range(values.shape[1]):
        np.testing.assert_allclose(z_scores(values[:, at])[0], z[:, at], atol=1e-12)


@pytest.mark.parametrize("unit", [1e-300, 1e-30, 1.0, 1e30, 1e305])
def test_the_unit_of_a_score_does_not_matter(unit: float) -> None:
    values = np.array([[1.0, 5.0], [2.0, -3.0], [4.0, np.nan]])
    expected, _ = z_table(values)
    np.testing.assert_allclose(z_table(values * unit)[0], expected, rtol=1e-12)


def test_numbers_near_the_largest_do_not_overflow() -> None:
    most = sys.float_info.max
    z, _ = z_table(np.array([[most], [-most], [most], [-most]]))
    assert z.ravel().tolist() == [1, -1, 1, -1]


def test_features_say_who_gave_a_score() -> None:
    pool = [Candidate("a", {"popular": 1.0}), Candidate("b", {"popular": 3.0, "bpr": math.nan})]
    features = pool_features(pool, ["bpr", "popular"])
    assert features.z.tolist() == [[0, -1], [0, 1]]
    assert features.present.tolist() == [[False, True], [False, True]]
    assert features.live == ("popular",)
