"""Rules that move items: what they promise holds in every prefix."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from retrieval.rules.arrange import Arranged, arrange
from retrieval.rules.rules import Asker, Bury, Cap, Pin, Rules, When
from retrieval.types import Constraint, Item

BRANDS = ["x", "y", "z"]
LISTS = st.lists(st.one_of(st.none(), st.sampled_from(BRANDS), st.just(("x", "y"))), max_size=14)
CAPS = st.builds(
    Cap, st.just("brand"), most=st.integers(1, 3), within=st.integers(1, 9), strict=st.booleans()
)
PINS = st.builds(
    Pin,
    st.lists(st.integers(0, 15).map(str), min_size=1, max_size=3, unique=True).map(tuple),
    position=st.integers(1, 8),
)
BURIES = st.builds(Bury, where=st.sampled_from([(Constraint("brand", "eq", b),) for b in BRANDS]))


def shelf(brands: list[object]) -> dict[str, Item]:
    return {
        str(at): Item(str(at), "", {} if brand is None else {"brand": brand})  # type: ignore[dict-item]
        for at, brand in enumerate(brands)
    }


def run(brands: str, *rules: Cap | Pin | Bury) -> Arranged:
    """One letter an item; ids are places."""
    return arrange(
        [str(at) for at in range(len(brands))],
        shelf(list(brands)),
        Rules(
            caps=tuple(r for r in rules if isinstance(r, Cap)),
            pins=tuple(r for r in rules if isinstance(r, Pin)),
            buries=tuple(r for r in rules if isinstance(r, Bury)),
        ),
    )


@given(
    LISTS,
    st.lists(CAPS, max_size=2),
    st.lists(PINS, max_size=2),
    st.lists(BURIES, max_size=1),
)
def test_it_is_a_permutation_and_caps_hold_while_something_else_is_left(
    brands: list[object], caps: list[Cap], pins: list[Pin], buries: list[Bury]
) -> None:
    items = shelf(brands)
    rules = Rules(caps=tuple(caps), pins=tuple(pins), buries=tuple(buries))
    done = arrange(list(items), items, rules)
    assert len(set(done.order)) == len(done.order)
    assert set(done.order) <= set(items)
    if not any(cap.strict for cap in caps):
        assert set(done.order) == set(items)
    let_pass = any("nothing else was left" in sentence for sentence in done.sentences)
    for cap in caps:
        counts: Counter[str] = Counter()
        for one in done.order[: cap.within]:
            value = items[one].attributes.get("brand", ())
            counts.update(value if isinstance(value, tuple) else (str(value),))
        if cap.strict or not let_pass:
            assert all(count <= cap.most for count in counts.values())
    assert 0 <= done.free <= len(done.order)


@given(LISTS)
def test_without_rules_nothing_moves(brands: list[object]) -> None:
    items = shelf(brands)
    assert arrange(list(items), items, Rules()) == Arranged(tuple(items), (), len(items))


@given(LISTS, PINS)
def test_a_pin_stands_where_it_says_and_the_rest_keeps_its_order(
    brands: list[object], pin: Pin
) -> None:
    items = shelf(brands)
    order = arrange(list(items), items, Rules(pins=(pin,))).order
    there = [one for one in pin.item_ids if one in items]
    rest = [one for one in order if one not in there]
    assert rest == [one for one in items if one not in there]
    start = min(pin.position - 1, len(rest))
    assert list(order[start : start + len(there)]) == there


def test_a_cap_moves_the_surplus_down_just_behind_its_places() -> None:
    done = run("xxxxyz", Cap("brand", 2, within=4))
    assert done.order == ("0", "1", "4", "5", "2", "3")
    assert done.sentences == ("cap brand 2 in the first 4: moved down 2 items",)
    assert done.free == 4


def test_a_cap_lets_pass_what_is_left_and_a_strict_one_ends_the_list() -> None:
    soft = run("xxxy", Cap("brand", 1, within=4))
    assert soft.order == ("0", "3", "1", "2")
    assert soft.sentences == (
        "cap brand 1 in the first 4: moved down 2 items, let 2 items pass, nothing else was left",
    )
    strict = run("xxxy", Cap("brand", 1, within=4, strict=True))
    assert strict.order == ("0", "3")
    assert strict.sentences == ("cap brand 1 in the first 4: left out 2 items",)


def test_pins_count_for_caps_and_yield_to_them() -> None:
    done = run("yxxxz", Pin(("2", "3")), Cap("brand", 1, within=3))
    assert done.order == ("2", "0", "4", "1", "3")
    assert "pin 2, 3 at 1: 3 not pinned, cap brand 1 in the first 3 is full" in done.sentences
    assert "pin 2, 3 at 1: 2 put at 1" in done.sentences


def test_a_pin_that_may_not_be_shown_is_said_and_the_others_stand() -> None:
    done = run("xyz", Pin(("gone", "2"), 1))
    assert done.order == ("2", "0", "1")
    assert done.sentences == (
        "pin gone, 2 at 1: gone may not be shown here",
        "pin gone, 2 at 1: 2 put at 1",
    )


def test_two_pins_for_one_place_stand_in_the_order_of_the_file() -> None:
    assert run("xyzx", Pin(("3",), 2), Pin(("2",), 2)).order == ("0", "3", "2", "1")


def test_a_bury_moves_to_the_end_and_yields_to_a_pin() -> None:
    bury = Bury(("0",), (Constraint("brand", "eq", "y"),))
    done = run("xyyz", bury)
    assert done.order == ("3", "0", "1", "2")
    assert done.sentences == ("bury 0 or brand = y: moved 3 items to the end",)
    assert done.free == 1
    assert run("xyyz", bury, Pin(("2",), 1)).order == ("2", "3", "0", "1")


def test_when_says_on_which_requests_a_rule_applies() -> None:
    when = When(("gift", "礼物"), ("SE",), (Constraint("kind", "eq", "vip"),))
    rules = Rules(pins=(Pin(("a",), when=when),))
    vip = {"kind": "VIP"}
    for asker, applies in (
        (Asker("a GIFT", "se", None, vip), True),
        (Asker("一份礼物", "", None, {**vip, "region": "SE"}), True),
        (Asker("a gift", "NO", None, vip), False),
        (Asker("a gift", "SE"), False),
        (Asker("tea", "SE", None, vip), False),
    ):
        assert bool(rules.for_request(asker).pins) == applies
        assert rules.for_request(asker).pinned == (("a",) if applies else ())
