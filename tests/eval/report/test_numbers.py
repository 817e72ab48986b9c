"""What is missing is a dash, and a number looks like one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.report.numbers import (
    MISSING,
    interval,
    number,
    p_value,
    plain,
    share,
    signed,
    whole,
)

FORMS = (number, signed, whole, plain, p_value, share)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("gap", [None, math.nan, math.inf, -math.inf, "", True])
def test_a_gap_is_a_dash_and_never_a_zero(form, gap: object) -> None:
    assert form(gap) == MISSING


@pytest.mark.parametrize("form", FORMS)
@given(value=st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_is_never_a_dash_and_has_a_real_minus_sign(form, value: float) -> None:
    assert form(value) != MISSING
    assert not form(value).startswith("-")


def test_numbers_read_as_people_write_them() -> None:
    assert number(-0.12345) == "−0.123"
    assert signed(0.5) == "+0.500"
    assert signed(-0.0001) == "0.000"
    assert whole(12345.6) == "12\N{NARROW NO-BREAK SPACE}346"
    assert plain(3) == "3"
    assert plain(0.00041) == "0.00041"
    assert p_value(0.0002) == "< 0.001"
    assert p_value(0.04) == "0.040"
    assert share(0.25) == "25 %"
    assert interval(-0.1, 0.2, sign=True) == "[−0.100, +0.200]"
    assert interval(None, 0.2) == MISSING
