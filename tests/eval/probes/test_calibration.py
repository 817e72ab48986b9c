"""What a model says against what came true."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.judged import JudgedItem, JudgedQuestion
from eval.probes.calibration import Calibration, calibration
from tests.eval.probes.asking import question


def held(odds: Sequence[float | None], relevant: Sequence[int]) -> Calibration:
    """One question in which item n has ``odds[n]``."""
    items = tuple(JudgedItem(f"i{at}", value, None, "") for at, value in enumerate(odds))
    asked = question(size=max(1, len(odds)), relevant=relevant)
    return calibration([asked], [JudgedQuestion("q0", items)])


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def test_a_model_that_is_right_as_often_as_it_says_has_no_error() -> None:
    rng = np.random.default_rng(3)
    said = rng.uniform(0.01, 0.99, 20_000)
    relevant = np.flatnonzero(rng.uniform(size=said.size) < said)
    found = held([logit(p) for p in said], relevant.tolist())
    assert found.ece < 0.015
    assert found.n == 20_000
    assert all(abs(one.said - one.true) < 0.05 for one in found.bins)


def test_a_model_that_is_sure_and_wrong_has_all_the_error() -> None:
    found = held([30.0] * 5 + [-30.0] * 5, relevant=range(5, 10))
    assert found.ece == pytest.approx(1)
    assert found.brier == pytest.approx(1)
    assert found.auc == 0


def test_figures_of_a_hand_made_case() -> None:
    found = held([logit(0.9), logit(0.8), logit(0.25), logit(0.25)], relevant=[0, 2])
    assert found.ece == pytest.approx((0.1 + 0.8 + 2 * 0.25) / 4)
    assert found.brier == pytest.approx((0.01 + 0.64 + 0.5625 + 0.0625) / 4)
    # Pairs: 0.9 beats both, 0.25 loses one and ties one.
    assert found.auc == pytest.approx(2.5 / 4)


def test_bins_are_of_equal_width_and_empty_ones_say_nothing() -> None:
    found = held([logit(0.55), logit(0.57)], relevant=[0])
    edges = [(one.low, one.high) for one in found.bins]
    assert edges == [(at / 10, (at + 1) / 10) for at in range(10)]
    assert [one.n for one in found.bins] == [0, 0, 0, 0, 0, 2, 0, 0, 0, 0]
    assert found.bins[5].true == 0.5
    assert math.isnan(found.bins[0].said)


def test_certainty_falls_into_the_outer_bins() -> None:
    found = held([1e6, -1e6], relevant=[0])
    assert (found.bins[0].n, found.bins[-1].n, found.ece) == (1, 1, 0)


def test_order_counts_where_probabilities_round_to_one() -> None:
    assert held([60.0, 50.0], relevant=[0]).auc == 1


def test_failed_judgements_are_counted_and_left_out() -> None:
    found = held([None, 0.0, None], relevant=[0])
    assert (found.n, found.failed) == (1, 2)
    assert math.isnan(found.auc)


@pytest.mark.parametrize("odds", [[], [None, None]])
def test_where_nothing_was_judged_there_is_no_figure(odds: list[float | None]) -> None:
    told = held(odds, relevant=[0]).to_json()
    json.dumps(told, allow_nan=False)
    assert (told["n"], told["failed"]) == (0, len(odds))
    assert told["ece"] is told["brier"] is told["auc"] is None
    assert {one["n"] for one in told["bins"]} == {0}


@given(st.lists(st.tuples(st.floats(-40, 40), st.booleans()), min_size=1, max_size=40))
def test_figures_stay_in_their_ranges(told: list[tuple[float, bool]]) -> None:
    relevant = [at for at, (_, true) in enumerate(told) if true]
    found = held([odds for odds, _ in told], relevant or [len(told)])
    assert 0 <= found.ece <= 1
    assert 0 <= found.brier <= 1
    assert math.isnan(found.auc) or 0 <= found.auc <= 1
    assert sum(one.n for one in found.bins) == found.n == len(told)
