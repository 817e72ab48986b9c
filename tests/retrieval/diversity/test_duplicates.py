"""What is one thing listed twice, and what only looks like it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.diversity.duplicates import collapse, worth_comparing
from retrieval.types import AttributeValue, Item


def one_of_two(
    left: tuple[str, dict[str, AttributeValue]],
    right: tuple[str, dict[str, AttributeValue]],
    cosine: float | None = None,
    may_differ: tuple[str, ...] = (),
) -> bool:
    items = {"a": Item("a", *left), "b": Item("b", *right)}
    vectors = {}
    if cosine is not None:
        other = [cosine, (1 - cosine**2) ** 0.5]
        vectors = {
            "a": np.array([1, 0], dtype=np.float32),
            "b": np.array(other, dtype=np.float32),
        }
    compared = worth_comparing(list(items.values()), may_differ)
    worth = {one: vector for one, vector in vectors.items() if one in compared}
    done = collapse(["a", "b"], items, worth, threshold=0.98, may_differ=may_differ)
    assert done == collapse(["a", "b"], items, vectors, threshold=0.98, may_differ=may_differ)
    assert done.into in ({}, {"a": ("b",)})
    return bool(done.into)


@pytest.mark.parametrize(
    ("left", "right", "cosine"),
    [
        (("House Blend", {"price": 9.0}), ("house  BLEND!", {"price": 9.0}), None),
        (("Green tea, organic", {}), ("Organic green tea", {"kind": "tea"}), 0.1),
        (("Ｔｅａ 100 g", {"tags": ("a", "b")}), ("tea 100 g", {"tags": ("b", "A")}), None),
        (("Steel kettle", {"kind": "kettle"}), ("Steel kettle (new)", {"kind": "kettle"}), 0.99),
    ],
)
def test_the_same_thing_twice_is_one(left, right, cosine) -> None:  # type: ignore[no-untyped-def]
    assert one_of_two(left, right, cosine)


@pytest.mark.parametrize(
    ("left", "right", "cosine"),
    [
        (("Coffee 250 g", {}), ("Coffee 1 kg", {}), 0.999),
        (("Coffee", {}), ("Coffee 1 kg", {}), 0.999),
        (("Coffee", {"weight_g": 250.0}), ("Coffee", {"weight_g": 1000.0}), 0.999),
        (("Shirt", {"colour": "red"}), ("Shirt", {"colour": "blue"}), 0.999),
        (("Hamlet", {"author": "Shakespeare"}), ("Hamlet", {"author": "Adamson"}), None),
        (("Chablis Vaillons", {"type": "white"}), ("Chablis Montmains", {"type": "white"}), 0.999),
        (("Coffee", {"kind": "coffee"}), ("Coffee decaf", {"kind": "coffee", "decaf": True}), 0.99),
        (("Steel kettle", {}), ("Steel kettle new", {}), 0.97),
        (("House Blend", {"price": 9.0}), ("House Blend", {"price": 30.0}), None),
        (("", {}), ("", {}), 1.0),
        (("!!!", {}), ("???", {}), 1.0),
    ],
)
def test_variants_and_namesakes_stay_apart(left, right, cosine) -> None:  # type: ignore[no-untyped-def]
    assert not one_of_two(left, right, cosine)


def test_attributes_may_be_allowed_to_differ() -> None:
    offers = (("Blend", {"price": 9.0}), ("Blend", {"price": 30.0}))
    assert one_of_two(*offers, may_differ=("price",))


def test_the_best_ranked_stays_and_names_the_others() -> None:
    items = {one: Item(one, "tea" if one != "x" else "mug") for one in "axbc"}
    done = collapse(["a", "x", "b", "c"], items, {}, threshold=0.98)
    assert done.order == ("a", "x")
    assert done.into == {"a": ("b", "c")}


def test_what_has_to_stay_takes_the_place_of_the_best_of_its_kind() -> None:
    items = {one: Item(one, "tea" if one != "x" else "mug") for one in "axbc"}
    done = collapse(["a", "x", "b", "c"], items, {}, threshold=0.98, stays={"b"})
    assert done.order == ("b", "x")
    assert done.into == {"b": ("a", "c")}
    both = collapse(["a", "x", "b", "c"], items, {}, threshold=0.98, stays={"b", "c"})
    assert both.order == ("b", "x", "c")


@given(
    st.lists(
        st.tuples(st.sampled_from(["tea", "Tea", "tea 2", "mug", ""]), st.sampled_from("xy")),
        max_size=10,
    )
)
def test_every_item_is_shown_or_behind_exactly_one_that_is(titles: list[tuple[str, str]]) -> None:
    items = {
        str(at): Item(str(at), title, {"brand": brand}) for at, (title, brand) in enumerate(titles)
    }
    done = collapse(list(items), items, {}, threshold=0.98)
    hidden = [one for others in done.into.values() for one in others]
    assert sorted([*done.order, *hidden]) == sorted(items)
    assert set(done.into) <= set(done.order)
    for kept, others in done.into.items():
        assert all(int(kept) < int(one) for one in others)
        assert all(items[kept].attributes == items[one].attributes for one in others)
