from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.fusion.gate import STRICT, decide, decide_for_few, lower_bound, replaced

seeds = st.integers(0, 2**16)
few = settings(max_examples=12)
"""A bootstrap takes its time."""


def users(n: int, seed: int) -> np.ndarray:
    """Values in [0, 1], most of them 0, as NDCG@10 is."""
    random = np.random.default_rng(seed)
    return np.where(random.random(n) < 0.7, 0.0, random.random(n))


@few
@given(st.integers(0, 300), seeds)
def test_what_changes_nobody_is_never_let_through(n: int, seed: int) -> None:
    values = users(n, seed)
    decision = decide(values, values, ["1-2"] * n, seed)
    assert not decision.opened
    assert decision.overall.bound == (0.0 if n >= 2 else -math.inf)
    assert replaced(values, values + 1, ["1-2"] * n, decision) is values


@few
@given(st.integers(2, 600), st.floats(0.001, 1), seeds)
def test_what_helps_everybody_is_let_through_everywhere(n: int, gain: float, seed: int) -> None:
    values = users(n, seed)
    strata = ["1-2" if at % 3 else "21+" for at in range(n)]
    decision = decide(values, values + gain, strata, seed)
    assert decision.opened
    assert decision.overall.bound == pytest.approx(gain)
    assert decision.closed_in == ()
    assert (replaced(values, values + gain, strata, decision) == values + gain).all()


@few
@given(st.integers(200, 250), seeds)
def test_a_loss_in_a_large_stratum_closes_just_there(n: int, seed: int) -> None:
    lost, won = users(n, seed) + 0.1, users(4 * n, seed + 1)
    before = np.concatenate([lost, won])
    after = np.concatenate([lost * 0.9, won + 0.3])
    strata = ["1-2"] * n + ["6-10"] * (4 * n)
    decision = decide(before, after, strata, seed)
    assert decision.opened
    assert decision.closed_in == ("1-2",)
    served = replaced(before, after, strata, decision)
    assert (served[:n] == before[:n]).all()
    assert (served[n:] == after[n:]).all()


def test_a_small_stratum_follows_the_whole() -> None:
    before = np.full(1199, 0.5)
    after = before + np.where(np.arange(1199) < 199, -0.2, 0.2)
    strata = ["1-2"] * 199 + ["21+"] * 1000
    decision = decide(before, after, strata)
    assert decision.opened
    assert decision.closed_in == ()
    assert decision.strata[0].n == 199
    assert "follows the whole" in decision.strata[0].because


def test_a_stratum_closes_where_its_loss_is_shown_and_not_where_it_is_possible() -> None:
    random = np.random.default_rng(1)
    noise = random.normal(0.0, 0.2, 300)
    noise -= noise.mean()
    before = np.full(1300, 0.5)
    strata = ["1-2"] * 300 + ["21+"] * 1000
    for lost, closed in ((0.0, ()), (0.001, ()), (0.05, ("1-2",))):
        after = before + np.concatenate([noise - lost, np.full(1000, 0.2)])
        decision = decide(before, after, strata)
        assert decision.closed_in == closed
        assert decision.strata[0].bound < 0, "a loss is possible in all three"


def test_a_closed_gate_is_closed_in_every_stratum() -> None:
    before = np.full(500, 0.5)
    decision = decide(before, before - 0.1, ["1-2"] * 500)
    assert not decision.opened
    assert [one.opened for one in decision.strata] == [False]
    assert decision.closed_in == (), "nowhere else is it open"


def test_an_uncertain_gain_is_not_let_through() -> None:
    random = np.random.default_rng(5)
    gains = random.normal(0.0, 0.3, 2000)
    gains -= gains.mean() - 0.002
    decision = decide(np.full(2000, 0.5), 0.5 + gains, ["1-2"] * 2000)
    assert decision.overall.after > decision.overall.before
    assert not decision.opened


@few
@given(st.integers(2, 120), seeds)
def test_few_users_keep_the_mixture_until_it_is_shown_to_be_worse(n: int, seed: int) -> None:
    before = users(n, seed)
    assert decide_for_few(before, before, seed).opened, "the same is not worse"
    assert decide_for_few(before, before + 0.1, seed).opened
    assert not decide_for_few(before, before - 0.1, seed).opened
    noisy = before + np.random.default_rng(seed).normal(0, 0.2, n)
    shown_worse = lower_bound(before - noisy, seed, STRICT) > 0
    assert decide_for_few(before, noisy, seed).opened != shown_worse


def test_what_guesses_passes_a_usual_gate_one_time_in_ten_and_a_strict_one_hardly_ever() -> None:
    random = np.random.default_rng(3)
    guesses = [random.choice([-0.1, 0.0, 0.1], size=300) for _ in range(200)]
    usual = sum(lower_bound(one, seed) > 0 for seed, one in enumerate(guesses))
    strict = sum(lower_bound(one, seed, STRICT) > 0 for seed, one in enumerate(guesses))
    assert 10 <= usual <= 32
    assert strict <= 6


def test_one_user_shows_nothing() -> None:
    one = np.array([0.5])
    assert lower_bound(one) == -math.inf
    assert not decide(one, one + 0.5, ["1-2"]).opened
    assert decide_for_few(one, one - 0.5).opened


@few
@given(st.integers(0, 120), seeds)
def test_the_same_values_and_seed_give_the_same_decision(n: int, seed: int) -> None:
    before, after = users(n, seed), users(n, seed + 1)
    strata = [("1-2", "3-5", "21+")[at % 3] for at in range(n)]
    # As text: without users the means are NaN, which equals nothing.
    assert repr(decide(before, after, strata, seed)) == repr(decide(before, after, strata, seed))
    assert repr(decide_for_few(before, after, seed)) == repr(decide_for_few(before, after, seed))


@few
@given(st.integers(2, 120), seeds)
def test_the_bound_lies_between_the_worst_user_and_the_mean(n: int, seed: int) -> None:
    differences = users(n, seed) - users(n, seed + 1)
    bound = lower_bound(differences, seed)
    assert differences.min() - 1e-12 <= bound <= differences.mean() + 0.5 / math.sqrt(n)


def test_the_bound_holds_in_nine_of_ten_samples() -> None:
    random = np.random.default_rng(0)
    held = [
        lower_bound(random.choice([0.0, 0.0, 0.3, -0.2], size=400), seed) <= 0.025
        for seed in range(300)
    ]
    assert 0.86 <= np.mean(held) <= 0.94
