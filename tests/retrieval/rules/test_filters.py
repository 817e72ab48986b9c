"""What the rules leave for a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.rules.filters import Filters
from retrieval.rules.rules import (
    AgeLimit,
    Asker,
    ExcludeItems,
    Filter,
    InStock,
    Lacking,
    PriceRange,
    Regions,
)
from retrieval.types import Constraint, Item

ITEMS = [
    Item("gin", "Gin", {"stock": 3.0, "price": 20.0, "sold_in": ("SE", "fi"), "min_age": 20.0}),
    Item("tea", "Tea", {"stock": True, "price": 5.0, "sold_in": "*", "min_age": 0.0}),
    Item("mug", "Mug", {"stock": 0.0, "price": 9.0, "sold_in": "FI"}),
    Item("pot", "Pot", {"stock": "plenty", "price": 90.0}),
    Item("bare", "Bare"),
]
NOBODY = Asker()


def kept(rule: Filter, asker: Asker = NOBODY) -> set[str]:
    allowed = Filters([rule], ITEMS).allowed(asker).kept
    assert allowed is not None
    return set(allowed)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (ExcludeItems(("gin", "nothing")), {"tea", "mug", "pot", "bare"}),
        (ExcludeItems(where=(Constraint("price", "gt", 10.0),)), {"tea", "mug", "bare"}),
        (ExcludeItems(("tea",), (Constraint("price", "gt", 10.0),)), {"mug", "bare"}),
        (InStock("stock"), {"gin", "tea"}),
        (InStock("stock", "keep"), {"gin", "tea", "bare"}),
        (PriceRange("price", 5.0, 20.0), {"gin", "tea", "mug"}),
        (PriceRange("price", high=9.0), {"tea", "mug"}),
        (PriceRange("price", low=20.0, lacking="keep"), {"gin", "pot", "bare"}),
    ],
)
def test_a_rule_that_is_the_same_for_all(rule: Filter, expected: set[str]) -> None:
    assert kept(rule) == expected


@pytest.mark.parametrize(
    ("rule", "asker", "expected"),
    [
        (Regions("sold_in"), NOBODY, {"tea"}),
        (Regions("sold_in"), Asker(region="fi"), {"gin", "tea", "mug"}),
        (Regions("sold_in"), Asker(region="ＳＥ"), {"gin", "tea"}),
        (Regions("sold_in"), Asker(region="Atlantis"), {"tea"}),
        (Regions("sold_in"), Asker(attributes={"region": ("NO", "SE")}), {"gin", "tea"}),
        (Regions("sold_in"), Asker(region="FI", attributes={"region": "SE"}),
         {"gin", "tea", "mug"}),
        (Regions("sold_in", "home"), Asker(attributes={"home": "SE"}), {"gin", "tea"}),
        (Regions("sold_in", default="SE"), NOBODY, {"gin", "tea"}),
        (Regions("sold_in", lacking="keep"), NOBODY, {"tea", "pot", "bare"}),
    ],
)  # fmt: skip
def test_regions_go_by_the_request_then_the_user_then_the_default(
    rule: Filter, asker: Asker, expected: set[str]
) -> None:
    assert kept(rule, asker) == expected


@pytest.mark.parametrize(
    ("lacking", "asker", "expected"),
    [
        ("leave_out", NOBODY, {"tea"}),
        ("leave_out", Asker(age=19.9), {"tea"}),
        ("leave_out", Asker(age=20), {"tea", "gin"}),
        ("leave_out", Asker(attributes={"age": 40.0}), {"tea", "gin"}),
        ("leave_out", Asker(age=10, attributes={"age": 40.0}), {"tea"}),
        ("leave_out", Asker(attributes={"age": "forty"}), {"tea"}),
        ("leave_out", Asker(attributes={"age": True}), {"tea"}),
        ("keep", NOBODY, {"tea", "mug", "pot", "bare"}),
    ],
)
def test_an_age_limit_fails_closed(lacking: Lacking, asker: Asker, expected: set[str]) -> None:
    assert kept(AgeLimit("min_age", lacking=lacking), asker) == expected


def test_an_age_limit_that_is_no_number_is_never_met() -> None:
    items = [Item("a", "", {"min_age": "adult"})]
    filters = Filters([AgeLimit("min_age", lacking="keep")], items)
    assert filters.allowed(Asker(age=99)).kept == frozenset()


def test_all_rules_hold_together_and_each_says_what_it_did() -> None:
    rules = [InStock("stock"), AgeLimit("min_age"), ExcludeItems(("mug", "pot"))]
    allowed = Filters(rules, ITEMS).allowed(Asker(age=18))
    assert allowed.kept == {"tea"}
    assert allowed.left_out == {"gin", "mug", "pot", "bare"}
    assert allowed.sentences == (
        "in_stock stock: left out 3 items",
        "age_limit min_age: left out 4 items",
        "exclude mug, pot: left out 2 items",
    )


def test_without_rules_everything_is_allowed() -> None:
    allowed = Filters((), ITEMS).allowed(NOBODY)
    assert (allowed.kept, allowed.left_out, allowed.sentences) == (None, frozenset(), ())


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 90)), max_size=12),
    st.lists(st.one_of(st.none(), st.sampled_from(["SE", "FI", "*"])), max_size=12),
    st.one_of(st.none(), st.floats(0, 90)),
    st.sampled_from(["", "SE", "FI", "NO"]),
)
def test_nobody_is_shown_what_their_age_or_region_forbids(
    limits: list[float | None], places: list[str | None], age: float | None, region: str
) -> None:
    items = [
        Item(
            str(at),
            "",
            {
                **({"min_age": limit} if limit is not None else {}),
                **({"sold_in": place} if place is not None else {}),
            },
        )
        for at, (limit, place) in enumerate(zip(limits, places, strict=False))
    ]
    filters = Filters([AgeLimit("min_age"), Regions("sold_in")], items)
    allowed = filters.allowed(Asker(age=age, region=region)).kept
    assert allowed == {
        item.item_id
        for item in items
        if item.attributes.get("min_age", 999) <= (age or 0)  # type: ignore[operator]
        and item.attributes.get("sold_in") in ("*", region)
    }
