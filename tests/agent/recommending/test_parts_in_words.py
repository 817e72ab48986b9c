"""Attribution: where the score comes from, stated exactly."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.attribution import attribution, shares

PARTS = st.dictionaries(
    st.sampled_from(["behaviour", "profile", "query", "lexical", "popular", "llm", "sound"]),
    st.floats(-3, 3, allow_subnormal=False),
    max_size=7,
)


@given(PARTS)
def test_shares_add_up_to_a_hundred_and_are_near_the_exact_ones(parts: dict[str, float]) -> None:
    found = shares(parts)
    positive = {name: value for name, value in parts.items() if value > 0}
    if not positive:
        assert found == {}
        return
    assert sum(found.values()) == 100
    total = math.fsum(positive.values())
    for name, value in positive.items():
        assert abs(found.get(name, 0) - 100 * value / total) < 1


@pytest.mark.parametrize("lang", ["en", "zh"])
@given(parts=PARTS)
def test_every_number_in_the_sentence_is_computed_from_the_parts(
    lang: str, parts: dict[str, float]
) -> None:
    text = attribution(parts, lang)
    percents = [int(number) for number in re.findall(r"(\d+) ?%", text)]
    exact = list(shares(parts).values())
    assert percents == (exact if len(exact) <= 4 else [*exact[:3], sum(exact[3:])])
    signed = {f"{value:+.2f}" for value in [*parts.values(), math.fsum(parts.values())]}
    for number in re.findall(r"[+−]\d+\.\d\d", text):
        assert number.replace("−", "-") in signed


def test_the_share_is_of_the_score_only_when_nothing_speaks_against_it() -> None:
    assert attribution({"behaviour": 0.75, "popular": 0.25}, "en") == (
        "Of the score, 75 % comes from people with similar behaviour and 25 % from popularity."
    )
    assert attribution({"behaviour": 0.75, "llm": -0.25}, "en") == (
        "Of what speaks for it, 100 % comes from people with similar behaviour; "
        "below the candidates' average: the language model's judgement (−0.25)."
    )
    assert attribution({"lexical": 1.0, "popular": 1.0}, "zh") == (
        "总分中50% 来自你的用词，50% 来自受欢迎程度。"
    )


def test_no_parts_and_only_negative_parts_have_a_sentence_too() -> None:
    assert "No source tells it apart" in attribution({}, "en")
    assert "(score −0.40)" in attribution({"popular": -0.4}, "en")
    assert "得分 −0.40" in attribution({"popular": -0.4}, "zh")
