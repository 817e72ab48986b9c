"""Limits, refusals and language, read out of free text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.bounds import find_bounds
from agent.gazetteer import build_gazetteer
from agent.understand import understand
from retrieval.errors import InvalidInput
from retrieval.types import Constraint, Item, Query

GAZETTEER = build_gazetteer(
    [
        Item("1", "Kettle", {"price": 30.0, "material": "recycled plastic", "abv": 12.5}),
        Item("2", "杯子", {"材质": "塑料", "甜度": "含糖", "wireless": True, "colour": "red"}),
        Item("3", "Pan", {"sugar": "no sugar", "grip": "non-stick", "tags": ("gift", "sugar")}),
        Item("4", "Bag", {"material": "plastic", "wine": "red wine vinegar"}),
    ]
)


def limits(text: str) -> list[tuple[str, str, object]]:
    asked = understand(Query(text), GAZETTEER)
    return [(c.field, c.op, c.value) for c in asked.query.constraints]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a kettle under 50", [("price", "lt", 50)]),
        ("a kettle below $50 please", [("price", "lt", 50)]),
        ("less than 30 euros", [("price", "lt", 30)]),
        ("no more than 1,200.50 usd", [("price", "le", 1200.5)]),
        ("at least 20 dollars", [("price", "ge", 20)]),
        ("not over €40", [("price", "le", 40)]),
        ("price up to 50", [("price", "le", 50)]),
        ("a budget of at most 2k", [("price", "le", 2000)]),
        ("between 20 and 50 dollars", [("price", "ge", 20), ("price", "le", 50)]),
        ("$20-$50", [("price", "ge", 20), ("price", "le", 50)]),
        ("abv under 13", [("abv", "lt", 13)]),
        ("50元以下", [("price", "le", 50)]),
        ("不超过100元的茶", [("price", "le", 100)]),
        ("不要超过100元", [("price", "le", 100)]),
        ("一百二十元以内", [("price", "le", 120)]),
        ("三百五十块以下的水壶", [("price", "le", 350)]),
        ("一万二千元以下", [("price", "le", 12000)]),
        ("20到50元之间", [("price", "ge", 20), ("price", "le", 50)]),
        ("价格低于80", [("price", "lt", 80)]),
        ("至少20元", [("price", "ge", 20)]),
    ],
)
def test_a_price_limit_in_the_text_becomes_a_condition(
    text: str, expected: list[tuple[str, str, float]]
) -> None:
    assert limits(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a rope under 50 cm",
        "a dumbbell under 50 pounds",
        "toys for kids under 5",
        "over 50 years of use",
        "a tent for up to 4",
        "a 2-3 person tent",
        "about 30 to 40 guests",
        "5岁以下",
        "容量不到500毫升",
        "under the sink",
        "$50",
    ],
)
def test_a_number_that_may_be_no_price_is_left_alone(text: str) -> None:
    asked = understand(Query(text), GAZETTEER)
    assert asked.query.constraints == ()
    assert asked.query.text == text


def test_a_price_without_a_price_attribute_is_ignored_with_a_note() -> None:
    asked = understand(Query("under $50"), build_gazetteer([Item("1", "x", {"a": "b"})]))
    assert asked.query.constraints == ()
    assert any("no numeric attribute named price" in note for note in asked.notes)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("a kettle, not plastic", {"material", "材质"}),
        ("without sugar", {"tags", "甜度"}),
        ("sugar-free tea", {"tags", "甜度"}),
        ("not made of plastic", {"material", "材质"}),
        ("I don't want red", {"colour"}),
        ("no plastic or sugar please", {"material", "材质", "tags", "甜度"}),
        ("not wireless", {"wireless"}),
        ("不要塑料的杯子", {"material", "材质"}),
        ("无糖的茶", {"tags", "甜度"}),
        ("不含糖", {"tags", "甜度"}),
    ],
)
def test_a_refused_value_is_avoided(text: str, fields: set[str]) -> None:
    asked = understand(Query(text), GAZETTEER)
    assert {condition.field for condition in asked.avoid} == fields
    assert asked.query.constraints == ()
    assert asked.notes


def test_a_refusal_reaches_values_whose_head_it_is_and_no_others() -> None:
    avoid = understand(Query("not plastic, not red"), GAZETTEER).avoid
    assert {c.value for c in avoid} == {"plastic", "recycled plastic", "塑料", "red"}


@pytest.mark.parametrize(
    "text",
    ["not too sweet", "no idea", "a non-stick pan", "plastic", "nothing special", "无线耳机"],
)
def test_what_is_not_certainly_a_refusal_stays_a_wish(text: str) -> None:
    asked = understand(Query(text), GAZETTEER)
    assert asked.avoid == ()
    assert asked.query.text == text


@pytest.mark.parametrize(
    "text", ["caffeine-free tea", "tea without caffeine", "没有咖啡因的茶", "no caffeine, please"]
)
def test_refusing_an_attribute_that_can_be_none_refuses_its_other_values(text: str) -> None:
    gazetteer = build_gazetteer(
        [Item(str(n), "", {"caffeine": v}) for n, v in enumerate(["none", "low", "high"])]
    )
    assert {c.value for c in understand(Query(text), gazetteer).avoid} == {"low", "high"}


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("a mug without a handle, please", "a mug , please"),
        ("适合送礼的茶，不要香精", "适合送礼的茶"),
        ("不要太苦的茶", "茶"),
    ],
)
def test_a_refusal_of_something_unknown_is_said_and_not_looked_for(text: str, rest: str) -> None:
    asked = understand(Query(text), GAZETTEER)
    assert asked.query.text == rest
    assert asked.avoid == ()
    assert any("not applied" in note for note in asked.notes)


def test_understood_words_leave_the_text_and_the_wish_stays() -> None:
    asked = understand(Query("a quiet kettle, not plastic, under $50"), GAZETTEER)
    assert asked.query.text == "a quiet kettle"
    assert asked.asked == "a quiet kettle, not plastic, under $50"


def test_conditions_of_the_caller_come_first() -> None:
    own = Constraint("colour", "eq", "red")
    asked = understand(Query("under $50", constraints=(own,)), GAZETTEER)
    assert asked.query.constraints == (own, Constraint("price", "lt", 50.0))


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        ("quiet", "", "en"),
        ("安静的水壶", "", "zh"),
        ("安静", "en", "en"),
        ("", "zh", "zh"),
        ("", "", "en"),
    ],
)
def test_the_language_is_that_of_the_text_unless_given(text: str, lang: str, expected: str) -> None:
    assert understand(Query(text, lang=lang), GAZETTEER).query.lang == expected


def test_an_unknown_language_and_an_endless_text_are_refused() -> None:
    with pytest.raises(InvalidInput, match="'fr'"):
        understand(Query("bonjour", lang="fr"), GAZETTEER)
    with pytest.raises(InvalidInput, match="5000 characters"):
        understand(Query("x" * 5000), GAZETTEER)


@given(st.text(max_size=200))
def test_any_text_is_understood_without_an_error(text: str) -> None:
    asked = understand(Query(text), GAZETTEER)
    assert len(asked.query.text) <= len(text)
    for bound in find_bounds(text):
        assert 0 <= bound.start < bound.end <= len(text)


@pytest.mark.parametrize(
    "text", ["1" * 4000, "一" * 4000, "1,111" * 800, "不" * 4000, "no " * 1300]
)
def test_a_hostile_text_costs_no_time(text: str) -> None:
    start = time.monotonic()
    understand(Query(text), GAZETTEER)
    assert time.monotonic() - start < 2.0
