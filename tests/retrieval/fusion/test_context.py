from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.fusion.context import (
    FEATURES,
    STRANGER,
    STRATA,
    Context,
    context_of,
    disagreement,
    stratum_of,
)
from retrieval.fusion.features import pool_features, z_table
from retrieval.types import Candidate


@st.composite
def tables(draw: st.DrawFn) -> NDArray[np.float64]:
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    values = random.normal(size=(draw(st.integers(0, 15)), draw(st.integers(0, 6))))
    values[random.random(values.shape) < draw(st.sampled_from([0.0, 0.5]))] = np.nan
    return z_table(values)[0]


@given(tables(), st.integers(0, 99))
def test_disagreement_is_a_share_that_knows_no_order(z: NDArray[np.float64], seed: int) -> None:
    found = disagreement(z)
    assert 0 <= found <= 1
    random = np.random.default_rng(seed)
    shuffled = z[random.permutation(len(z))][:, random.permutation(z.shape[1])]
    assert disagreement(shuffled) == pytest.approx(found, abs=1e-9)


@given(tables(), st.integers(1, 5))
def test_sources_that_say_the_same_do_not_disagree(z: NDArray[np.float64], copies: int) -> None:
    for column in z.T:
        assert disagreement(np.repeat(column[:, None], copies, axis=1)) == pytest.approx(0)


def test_disagreement_by_hand() -> None:
    up = np.array([-1.0, 0.0, 1.0])
    across = np.array([1.0, -2.0, 1.0])
    assert disagreement(np.c_[up, -up]) == pytest.approx(1)
    assert disagreement(np.c_[up, across]) == pytest.approx(0.5)
    assert disagreement(np.c_[up, up, across]) == pytest.approx(1 / 3)
    silent = np.zeros(3)
    assert disagreement(np.c_[up, across, silent]) == pytest.approx(0.5), "silence is no view"
    assert disagreement(np.c_[up, silent]) == 0
    assert disagreement(np.zeros((0, 4))) == 0


@pytest.mark.parametrize(
    ("history", "stratum"),
    [
        (-1, "stranger"), (0, "stranger"), (1, "1-2"), (2, "1-2"), (3, "3-5"), (5, "3-5"),
        (6, "6-10"), (10, "6-10"), (11, "11-20"), (20, "11-20"), (21, "21+"), (10**6, "21+"),
    ],
)  # fmt: skip
def test_strata_begin_and_end_where_their_names_say(history: int, stratum: str) -> None:
    assert stratum_of(history) == Context(history).stratum == stratum
    assert stratum in STRATA
    assert STRATA[0] == STRANGER


@given(st.integers(-5, 10**9), st.floats(0, 1), st.floats(0, 1))
def test_a_context_is_a_few_small_numbers(history: int, apart: float, pictured: float) -> None:
    g = Context(history, apart, pictured).g
    assert g.shape == (len(FEATURES),)
    assert (np.abs(g) <= [5, 0.5, 0.5]).all()
    assert g[0] == Context(min(max(history, 0), 1000)).g[0]


def test_a_longer_history_counts_by_its_logarithm() -> None:
    assert Context(0).g[0] == -2
    assert Context(10).g[0] == pytest.approx(math.log(11) - 2)


def test_the_context_of_a_pool_knows_how_much_of_it_has_a_picture() -> None:
    pool = [
        Candidate("a", {"picture": 0.5, "popular": 1.0}),
        Candidate("b", {"picture": 0.1, "popular": 2.0}),
        Candidate("c", {"popular": 3.0}),
        Candidate("d", {"popular": 4.0}),
    ]
    context = context_of(pool_features(pool, ["picture", "popular"]), 7)
    assert (context.history, context.pictured) == (7, 0.5)
    assert context.disagreement > 0.5
    assert context_of(pool_features(pool, ["popular"]), 7) == Context(7)
    assert context_of(pool_features([], ["picture"]), 0) == Context()
