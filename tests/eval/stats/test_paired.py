"""The paired tests against enumeration by hand and their own symmetries."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

from eval.stats.paired import (
    Comparison,
    bootstrap_difference,
    compare,
    effect_size,
    paired_randomisation,
)
from retrieval.errors import InvalidInput

NAN = math.nan
# Multiples of 1/64 are added without rounding, so that ties stay ties.
exact = st.integers(-64, 64).map(lambda n: n / 64)
metric_value = st.integers(0, 64).map(lambda n: n / 64) | st.just(NAN)
pairs = st.lists(st.tuples(metric_value, metric_value), max_size=30)


def both(of: list[tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values = np.array(of, dtype=np.float64).reshape(-1, 2)
    return values[:, 0], values[:, 1]


@given(st.lists(exact, min_size=1, max_size=8))
def test_p_is_that_of_every_sign_pattern_tried_by_hand(deltas: list[float]) -> None:
    observed = abs(sum(deltas))
    sums = [
        abs(sum(sign * delta for sign, delta in zip(signs, deltas, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(deltas))
    ]
    by_hand = sum(one >= observed for one in sums) / len(sums)
    assert paired_randomisation(np.array(deltas), seed=0) == pytest.approx(by_hand)


def test_p_of_a_case_that_fits_on_paper() -> None:
    # of eight sign patterns +++ and --- reach a sum of 6
    assert paired_randomisation(np.array([1.0, 2.0, 3.0]), seed=0) == pytest.approx(2 / 8)


def test_over_many_questions_p_is_near_that_of_the_t_test_and_repeats_with_its_seed() -> None:
    deltas = np.random.default_rng(1).normal(0.02, 0.1, 300)
    p = paired_randomisation(deltas, seed=7)
    assert p == pytest.approx(ttest_1samp(deltas, 0).pvalue, abs=0.01)
    assert p == paired_randomisation(deltas, seed=7)
    assert p != paired_randomisation(deltas, seed=8)


def test_a_drawn_p_is_never_zero() -> None:
    p = paired_randomisation(np.full(100, 0.5), seed=0, resamples=999)
    assert p == pytest.approx(1 / 1000)


@pytest.mark.parametrize(
    ("deltas", "p"),
    [([], NAN), ([NAN, NAN], NAN), ([0.0] * 30, 1.0), ([0.3], 1.0), ([0.3, 0.0, NAN], 1.0)],
)
def test_p_where_there_is_little_or_nothing_to_flip(deltas: list[float], p: float) -> None:
    assert paired_randomisation(np.array(deltas), seed=0) == pytest.approx(p, nan_ok=True)


def test_effect_size_of_a_hand_made_case() -> None:
    # mean 2, standard deviation 1
    assert effect_size(np.array([1.0, 2.0, 3.0, NAN])) == pytest.approx(2.0)


@pytest.mark.parametrize("deltas", [[], [NAN], [0.4], [0.1] * 7, [0.0, 0.0]])
def test_without_a_spread_there_is_no_effect_size(deltas: list[float]) -> None:
    assert math.isnan(effect_size(np.array(deltas)))


def test_the_interval_of_a_difference_holds_its_mean() -> None:
    deltas = np.random.default_rng(0).normal(0.05, 0.1, 100)
    mean, low, high = bootstrap_difference(deltas, seed=0)
    assert low < mean < high
    assert mean == pytest.approx(deltas.mean())
    # 1.96 standard errors either way, about
    assert high - low == pytest.approx(2 * 1.96 * deltas.std() / 10, rel=0.15)


def test_a_comparison_counts_only_questions_that_both_could_answer() -> None:
    values = np.array([0.5, 0.2, NAN, 0.7, 1.0, NAN])
    baseline = np.array([0.25, 0.2, 0.3, NAN, 0.75, NAN])
    found = compare("v2|tiny|0", "S", "ndcg@10", values, baseline, seed=0)
    assert (found.system, found.against, found.metric) == ("v2|tiny|0", "S", "ndcg@10")
    assert (found.n, found.wins, found.ties, found.losses) == (3, 2, 1, 0)
    assert found.mean == pytest.approx(0.5 / 3)
    assert found.p == pytest.approx(0.5)
    assert math.isnan(found.p_holm)


def test_a_comparison_of_nothing_has_counts_of_zero_and_no_figures() -> None:
    found = compare("a", "b", "ndcg@10", np.array([NAN]), np.array([0.5]), seed=0)
    assert (found.n, found.wins, found.ties, found.losses) == (0, 0, 0, 0)
    assert np.isnan([found.mean, found.low, found.high, found.p, found.effect]).all()


def test_values_that_cannot_be_paired_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"'a' has values of shape \(2,\) and 'b' of shape \(3,"):
        compare("a", "b", "ndcg@10", np.zeros(2), np.zeros(3), seed=0)


@settings(max_examples=25)
@given(pairs, st.integers(0, 5))
def test_comparing_a_with_b_mirrors_b_with_a(of: list[tuple[float, float]], seed: int) -> None:
    ours, theirs = both(of)
    there = compare("a", "b", "m", ours, theirs, seed=seed)
    back = compare("b", "a", "m", theirs, ours, seed=seed)
    assert (back.n, back.wins, back.ties, back.losses) == (
        there.n,
        there.losses,
        there.ties,
        there.wins,
    )
    assert [back.mean, back.low, back.high, back.p, back.effect] == pytest.approx(
        [-there.mean, -there.high, -there.low, there.p, -there.effect], nan_ok=True
    )


@settings(max_examples=25)
@given(pairs, exact)
def test_shifting_both_by_the_same_changes_nothing(
    of: list[tuple[float, float]], by: float
) -> None:
    ours, theirs = both(of)
    plain = compare("a", "b", "m", ours, theirs, seed=0)
    shifted = compare("a", "b", "m", ours + by, theirs + by, seed=0)
    assert figures(shifted) == pytest.approx(figures(plain), nan_ok=True, rel=0, abs=0)


@settings(max_examples=25)
@given(pairs)
def test_p_is_a_probability_and_the_counts_add_up(of: list[tuple[float, float]]) -> None:
    found = compare("a", "b", "m", *both(of), seed=0)
    assert found.wins + found.ties + found.losses == found.n
    if found.n:
        assert 0 < found.p <= 1
        assert found.low <= found.mean + 1e-12
        assert found.mean <= found.high + 1e-12


def figures(of: Comparison) -> list[float]:
    return [of.n, of.mean, of.low, of.high, of.p, of.effect, of.wins, of.ties, of.losses]
