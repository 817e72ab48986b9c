"""Holm over a family, against numbers worked out by hand."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.stats.family import with_holm
from eval.stats.paired import Comparison

NAN = math.nan


def with_p(p: float) -> Comparison:
    return Comparison("v", "S", "ndcg@10", 9, 0.1, 0.0, 0.2, p, NAN, 0.5, 5, 2, 2)


def holm(ps: list[float]) -> list[float]:
    return [one.p_holm for one in with_holm([with_p(p) for p in ps])]


@pytest.mark.parametrize(
    ("ps", "adjusted"),
    [
        # smallest times 4, next times 3, times 2, times 1, never below the one before
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.6, 0.5], [1.0, 1.0]),
        ([0.03], [0.03]),
        ([], []),
        # no test, so two in the family
        ([0.02, NAN, 0.03], [0.04, NAN, 0.04]),
        ([NAN], [NAN]),
    ],
)
def test_holm_of_hand_made_families(ps: list[float], adjusted: list[float]) -> None:
    assert holm(ps) == pytest.approx(adjusted, nan_ok=True)


def test_nothing_but_the_adjusted_p_changes() -> None:
    before = with_p(0.02)
    (after,) = with_holm([before])
    assert after == Comparison("v", "S", "ndcg@10", 9, 0.1, 0.0, 0.2, 0.02, 0.02, 0.5, 5, 2, 2)


# statsmodels collects garbage in every call: a quarter of a second each.
@settings(max_examples=15)
@given(st.lists(st.floats(0, 1) | st.just(NAN), max_size=12))
def test_holm_keeps_the_order_and_never_lowers_a_p(ps: list[float]) -> None:
    adjusted = holm(ps)
    tested = sorted(
        (p, p_holm) for p, p_holm in zip(ps, adjusted, strict=True) if not math.isnan(p)
    )
    assert all(p <= p_holm <= 1 for p, p_holm in tested)
    assert [p_holm for _, p_holm in tested] == sorted(p_holm for _, p_holm in tested)
    assert [math.isnan(p) for p in ps] == [math.isnan(p_holm) for p_holm in adjusted]
