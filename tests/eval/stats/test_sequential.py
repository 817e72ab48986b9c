"""The early stop keeps its error rate however often one looks, and does stop early."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eval.stats.power import required_n
from eval.stats.sequential import SequentialTest, confidence_interval, log_capital
from retrieval.errors import InvalidInput

Runs = NDArray[np.float64]
ALPHA = 0.05
RUNS, QUESTIONS = 1000, 500
NAN = math.nan


def like_ndcg(rng: np.random.Generator) -> Runs:
    """Three quarters of the questions unchanged, the others by a step in the discount."""
    step = rng.choice([-0.37, -0.13, -0.06, 0.06, 0.13, 0.37], size=(RUNS, QUESTIONS))
    return np.where(rng.random((RUNS, QUESTIONS)) < 0.75, 0.0, step)


def skewed(rng: np.random.Generator) -> Runs:
    """Often a little better, seldom much worse; mean 0."""
    return np.where(rng.random((RUNS, QUESTIONS)) < 0.9, 0.1, -0.9)


def coins(rng: np.random.Generator) -> Runs:
    """As far apart as bounded differences can be."""
    return rng.choice([-1.0, 1.0], size=(RUNS, QUESTIONS))


def narrow(rng: np.random.Generator) -> Runs:
    return rng.uniform(-0.02, 0.02, size=(RUNS, QUESTIONS))


def first_above(capital: Runs, alpha: float = ALPHA) -> NDArray[np.float64]:
    """Question at which each run first had enough capital; ``inf`` where it never had."""
    enough = capital >= math.log(2 / alpha)
    return np.where(enough.any(axis=1), enough.argmax(axis=1) + 1.0, math.inf)


@pytest.mark.parametrize("draw", [like_ndcg, skewed, coins, narrow])
@pytest.mark.parametrize("shift", [0.0, 0.07])
def test_looking_after_every_question_errs_no_more_often_than_alpha(
    draw: Callable[[np.random.Generator], Runs], shift: float
) -> None:
    # The mean is the shift itself, since the drawn differences have mean 0.
    deltas = np.clip(draw(np.random.default_rng(0)) * (1 - shift) + shift, -1, 1)
    too_low = np.isfinite(first_above(log_capital(deltas, shift)))
    too_high = np.isfinite(first_above(log_capital(-deltas, -shift)))
    assert np.mean(too_low) <= ALPHA / 2
    assert np.mean(too_high) <= ALPHA / 2


def test_a_usual_test_with_as_many_looks_would_err_far_more_often() -> None:
    deltas = like_ndcg(np.random.default_rng(0))
    n = np.arange(1, QUESTIONS + 1)
    mean = np.cumsum(deltas, axis=1) / n
    spread = np.sqrt(np.maximum(np.cumsum(deltas**2, axis=1) / n - mean**2, 1e-12))
    ever = (np.abs(mean) > 1.96 * spread / np.sqrt(n))[:, 20:].any(axis=1)
    assert np.mean(ever) > 4 * ALPHA


def test_a_real_effect_is_found_long_before_the_last_question() -> None:
    deltas = np.clip(np.random.default_rng(0).normal(0.05, 0.15, size=(400, 1000)), -1, 1)
    stops = first_above(log_capital(deltas))
    assert np.mean(np.isfinite(stops)) > 0.99
    assert np.median(stops) < 250
    # and the price of looking all the time is bounded
    assert np.quantile(stops, 0.8) < 3 * required_n(sd=0.15, detect=0.05, alpha=ALPHA, power=0.8)


def test_an_effect_of_a_fiftieth_is_found_within_a_thousand_questions() -> None:
    deltas = np.clip(np.random.default_rng(0).normal(0.02, 0.1, size=(200, 1000)), -1, 1)
    stops = first_above(log_capital(deltas))
    assert np.mean(np.isfinite(stops)) > 0.95
    assert np.median(stops) < 400


@given(
    st.lists(st.floats(-1, 1) | st.just(NAN), max_size=80),
    st.sampled_from([0.01, 0.05, 0.3]),
    st.booleans(),
)
def test_one_by_one_decides_where_all_at_once_does(
    deltas: list[float], alpha: float, leaning: bool
) -> None:
    if leaning:
        deltas = [abs(delta) for delta in deltas]
    one_by_one = SequentialTest(alpha)
    decisions = []
    for delta in deltas:
        one_by_one.add(delta)
        if not math.isnan(delta):
            decisions.append(one_by_one.decision)
    seen = np.array([delta for delta in deltas if not math.isnan(delta)])
    assert one_by_one.n == seen.size
    better, worse = (
        float(first_above(log_capital(sign * seen[np.newaxis]), alpha)[0]) if seen.size else np.inf
        for sign in (1, -1)
    )
    at = decisions.index("better") + 1 if "better" in decisions else math.inf
    assert at == (better if better < worse else math.inf)
    at = decisions.index("worse") + 1 if "worse" in decisions else math.inf
    assert at == (worse if worse < better else math.inf)


@given(st.lists(st.floats(-1, 1), max_size=40), st.sampled_from([0.01, 0.05, 0.3]))
def test_the_interval_holds_the_mean_and_its_ends_are_where_the_capital_is_enough(
    deltas: list[float], alpha: float
) -> None:
    seen = np.array(deltas)
    low, high = confidence_interval(seen, alpha)
    assert -1 <= low < high <= 1
    if deltas:
        assert low <= seen.mean() <= high
    enough = math.log(2 / alpha)
    if low > -1 + 1e-6:
        assert log_capital(seen, low - 1e-7)[-1] > enough > log_capital(seen, low + 1e-7)[-1]
    if high < 1 - 1e-6:
        assert log_capital(-seen, -high - 1e-7)[-1] > enough > log_capital(-seen, -high + 1e-7)[-1]


@given(st.lists(st.floats(-1, 1), max_size=40))
def test_swapping_the_systems_mirrors_interval_and_decision(deltas: list[float]) -> None:
    there, back = SequentialTest(), SequentialTest()
    for delta in deltas:
        there.add(delta)
        back.add(-delta)
    low, high = there.interval
    assert back.interval == pytest.approx((-high, -low))
    assert back.decision == {"better": "worse", "worse": "better"}.get(there.decision, "undecided")


def test_a_decision_is_made_when_the_interval_leaves_zero_and_stays() -> None:
    test = SequentialTest(ALPHA)
    while test.decision == "undecided":
        assert test.interval[0] <= 0
        test.add(0.3)
    assert test.decision == "better"
    assert test.interval[0] > 0
    for _ in range(200):
        test.add(-0.5)
    assert test.decision == "better"
    assert test.interval[1] < 0


def test_before_the_first_question_everything_is_possible() -> None:
    test = SequentialTest()
    test.add(NAN)
    assert (test.n, test.decision, test.interval) == (0, "undecided", (-1.0, 1.0))


@pytest.mark.parametrize("delta", [1.5, -1.01, math.inf])
def test_a_difference_out_of_bounds_is_refused(delta: float) -> None:
    with pytest.raises(InvalidInput, match="is not between -1 and 1"):
        SequentialTest().add(delta)


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, NAN])
def test_an_alpha_out_of_bounds_is_refused(alpha: float) -> None:
    with pytest.raises(InvalidInput, match=f"alpha = {alpha}"):
        SequentialTest(alpha)
