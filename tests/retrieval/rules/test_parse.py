"""A rules file: every rule read, every mistake named."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import InvalidInput
from retrieval.rules.parse import _KINDS, parse_rules
from retrieval.rules.rules import (
    AgeLimit,
    Bury,
    Cap,
    ExcludeItems,
    InStock,
    Pin,
    PriceRange,
    Regions,
    Rules,
    When,
)
from retrieval.rules.words import in_words
from retrieval.types import Constraint

WHOLE = """
[[exclude]]
items = ["a", "b", "a"]
[[exclude]]
where = [{ field = "kind", op = "in", value = ["gift", 2] }]
[in_stock]
field = "stock"
[[price_range]]
field = "price"
low = 1
high = 9.5
lacking = "keep"
[[regions]]
field = "sold_in"
user_field = "country"
default = "SE"
[[age_limit]]
field = "min_age"
default = 17
[[cap]]
field = "brand"
most = 2
[[cap]]
field = "author"
most = 1
within = 5
strict = true
[pin]
items = ["c"]
position = 3
[pin.when]
query_has = ["gift"]
regions = ["SE"]
user = [{ field = "vip", op = "eq", value = true }]
[[bury]]
items = ["d"]
where = [{ field = "title", op = "contains", value = "used" }]
"""


def test_every_rule_is_read() -> None:
    when = When(("gift",), ("SE",), (Constraint("vip", "eq", True),))
    assert parse_rules(WHOLE) == Rules(
        (
            ExcludeItems(("a", "b")),
            ExcludeItems(where=(Constraint("kind", "in", ("gift", 2)),)),
            InStock("stock"),
            PriceRange("price", 1.0, 9.5, "keep"),
            Regions("sold_in", "country", "SE"),
            AgeLimit("min_age", default=17.0),
        ),
        (Cap("brand", 2), Cap("author", 1, 5, True)),
        (Pin(("c",), 3, when),),
        (Bury(("d",), (Constraint("title", "contains", "used"),)),),
    )
    assert parse_rules("") == Rules()


def test_every_rule_is_said_in_words() -> None:
    rules = parse_rules(WHOLE)
    said = [in_words(r) for r in (*rules.filters, *rules.caps, *rules.pins, *rules.buries)]
    assert said[0] == "never show a, b"
    assert said[3] == (
        "show an item only where price is at least 1 and at most 9.5; items without price are shown"
    )
    assert "user's country; 'SE' where neither is known" in said[4]
    assert said[7].endswith("when nothing else is left the list ends there")
    assert said[8].endswith(
        "but only where the request has 'gift' and the region is SE and the user has vip = yes"
    )
    assert said[9] == "move d and what has title contains used to the end"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[[cap", "is not valid TOML", "docs/rules.md"),
        ("[[caps]]\nfield = 'x'", "no rule 'caps'", "did you mean cap?"),
        ("[[cap]]\nfeild = 'x'\nfield = 'x'\nmost = 1", "unknown key 'feild'", "mean field?"),
        ("[[cap]]\nmost = 1", "cap 1 lacks field", "give it a text"),
        ("[[cap]]\nfield = 'x'", "cap 1 lacks most", "whole number"),
        ("[[cap]]\nfield = 'x'\nmost = 0", "most = 0", "from 1"),
        ("[[cap]]\nfield = 'x'\nmost = true", "most = True", "from 1"),
        ("[[cap]]\nfield = 'x'\nmost = 1\nwithin = -1", "within = -1", "from 1"),
        ("[[cap]]\nfield = 'x'\nmost = 1\nstrict = 1", "strict = 1", "true or false"),
        ("[[cap]]\nfield = 3\nmost = 1", "field = 3", "a text"),
        ("cap = 3", "cap 1 is 3", "[[cap]]"),
        ("[[pin]]\nposition = 2", "pin 1 lacks items", "give ids"),
        ("[[pin]]\nitems = []", "items = []", "a list"),
        ("[[pin]]\nitems = ['']", "items = ['']", "a list"),
        ("[[pin]]\nitems = ['a']\nwhen = {}", "when = {}", "query_has"),
        (
            "[[pin]]\nitems = ['a']\nwhen = { query = ['x'] }",
            "when: unknown key 'query'",
            "query_has",
        ),
        ("[[bury]]", "bury 1 names nothing", "items, where"),
        ("[[exclude]]\nwhere = {}", "where = {}", "field"),
        ("[[exclude]]\nwhere = [3]", "where 1 is 3", "field"),
        ("[[exclude]]\nwhere = [{ field = 'a', op = 'like', value = 1 }]", "op = 'like'", "eq"),
        ("[[exclude]]\nwhere = [{ field = 'a', op = 'lt', value = 'x' }]", "value = 'x'", "number"),
        ("[[exclude]]\nwhere = [{ field = 'a', op = 'in', value = 1 }]", "value = 1", "a list"),
        ("[[exclude]]\nwhere = [{ field = 'a', op = 'eq', value = nan }]", "nan", "finite"),
        ("[[exclude]]\nwhere = [{ field = 'a', op = 'eq' }]", "value = None", "text or numbers"),
        ("[[price_range]]\nfield = 'p'", "has no bound", "low, high"),
        ("[[price_range]]\nfield = 'p'\nlow = 3\nhigh = 1", "low = 3", "at most high"),
        ("[[price_range]]\nfield = 'p'\nlow = inf", "low = inf", "0 or more"),
        ("[[in_stock]]\nfield = 's'\nlacking = 'drop'", "lacking = 'drop'", "leave_out or keep"),
        ("[[age_limit]]\nfield = 's'\ndefault = -1", "default = -1", "0 or more"),
    ],
)
def test_a_mistake_is_named_with_what_would_do(text: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_rules(text, "rules.toml")
    assert "rules.toml" in caught.value.message
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_the_guide_shows_every_rule_and_its_example_is_usable() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
    example = guide.partition("```toml\n")[2].partition("```")[0]
    rules = parse_rules(example)
    said = [*rules.filters, *rules.caps, *rules.pins, *rules.buries]
    for rule in said:
        assert f"{rule.label}\n    {in_words(rule)}\n" in guide
    for kind in _KINDS:
        assert f"| `{kind}` |" in guide


@given(st.text(max_size=60))
def test_any_text_is_rules_or_one_clear_error(text: str) -> None:
    with suppress(InvalidInput):
        parse_rules(text)
