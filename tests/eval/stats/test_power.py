"""Sample sizes against the textbook and against simulated tests."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import TTestPower

from eval.stats.paired import paired_randomisation
from eval.stats.power import detectable, required_n
from retrieval.errors import InvalidInput

USUAL = {"sd": 0.1, "detect": 0.01, "alpha": 0.05, "power": 0.8}


def test_a_hundredth_of_ndcg_at_the_usual_spread_needs_785_questions() -> None:
    assert required_n(sd=0.1, detect=0.01, alpha=0.05, power=0.8) == 785


def test_the_t_test_needs_two_or_three_questions_more() -> None:
    for detect in (0.01, 0.03, 0.05):
        n = required_n(sd=0.1, detect=detect, alpha=0.05, power=0.8)
        by_t = TTestPower().solve_power(effect_size=detect / 0.1, alpha=0.05, power=0.8)
        assert 0 < by_t - n < 3


def test_sixty_questions_find_nothing_below_a_thirtieth() -> None:
    assert detectable(n=60, sd=0.1, alpha=0.05, power=0.8) == pytest.approx(0.0362, abs=1e-4)


def test_a_huge_difference_still_needs_as_many_questions_as_can_reach_alpha() -> None:
    # p of six equal signs is 2/64, of five 2/32
    assert required_n(sd=0.01, detect=1.0, alpha=0.05, power=0.8) == 6
    assert paired_randomisation(np.full(6, 1.0), seed=0) <= 0.05
    assert paired_randomisation(np.full(5, 1.0), seed=0) > 0.05
    assert math.isnan(detectable(n=5, sd=0.01, alpha=0.05, power=0.8))


def test_the_randomisation_test_has_the_power_that_was_asked_for() -> None:
    n = required_n(sd=0.1, detect=0.03, alpha=0.05, power=0.8)
    rng = np.random.default_rng(0)
    found = [
        paired_randomisation(rng.normal(0.03, 0.1, n), seed=run, resamples=999) <= 0.05
        for run in range(300)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


@given(
    sd=st.floats(0.01, 1),
    detect=st.floats(0.001, 1),
    alpha=st.floats(0.001, 0.2),
    power=st.floats(0.3, 0.99),
)
def test_the_two_are_inverse(sd: float, detect: float, alpha: float, power: float) -> None:
    n = required_n(sd=sd, detect=detect, alpha=alpha, power=power)
    assert detectable(n=n, sd=sd, alpha=alpha, power=power) <= detect * (1 + 1e-9)
    one_less = detectable(n=n - 1, sd=sd, alpha=alpha, power=power) if n > 1 else math.nan
    assert math.isnan(one_less) or one_less > detect * (1 - 1e-9)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sd", 0.0),
        ("sd", -0.1),
        ("sd", math.nan),
        ("sd", 1.5),
        ("detect", 0.0),
        ("detect", -0.01),
        ("detect", 2.0),
        ("alpha", 0.0),
        ("alpha", 1.0),
        ("alpha", math.nan),
        ("power", 0.05),
        ("power", 1.0),
        ("power", math.nan),
    ],
)
def test_a_nonsense_value_is_named(name: str, value: float) -> None:
    with pytest.raises(InvalidInput, match=f"{name} = {value}"):
        required_n(**{**USUAL, name: value})


@pytest.mark.parametrize("n", [0, -5])
def test_no_questions_are_no_number_to_ask_about(n: int) -> None:
    with pytest.raises(InvalidInput, match=f"n = {n} is no number of questions"):
        detectable(n=n, sd=0.1, alpha=0.05, power=0.8)
