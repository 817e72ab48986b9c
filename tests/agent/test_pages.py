"""Cursors that cannot be mistaken, and lists kept within bounds."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.pages import (
    Cursor,
    KeptLists,
    Listed,
    cursor_at,
    fingerprint,
    read_cursor,
    shown_hash,
)
from agent.understand import Understood
from retrieval.errors import InvalidInput
from retrieval.fusion.score import FusedCandidate
from retrieval.types import Constraint, Query, Trace

QUERY = Query("tea", "ann", (Constraint("price", "lt", 9.0),), region="SE")


def a_list(list_id: str, n: int = 5) -> Listed:
    order = tuple(FusedCandidate(f"i{at}", -float(at), {"popular": -float(at)}) for at in range(n))
    trace = Trace("fused+llm", "", "prior", {}, "m", 1, 70, {"fuse": 1.0}, n)
    base = {one.item_id: at for at, one in enumerate(order, start=1)}
    asked = Understood(QUERY, QUERY.text)
    return Listed(list_id, asked, fingerprint(QUERY), None, order, base, {}, trace, n)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_cursor_comes_back_as_it_went_out() -> None:
    cursor = cursor_at(a_list("l1"), 3)
    assert cursor == Cursor("l1", 3, fingerprint(QUERY), shown_hash(["i0", "i1", "i2"]))
    assert read_cursor(str(cursor), QUERY) == cursor
    assert read_cursor(str(cursor), replace(QUERY, n=3, explain=False, log=True)) == cursor
    assert len(str(cursor)) < 200


@pytest.mark.parametrize(
    "other",
    [
        {"text": "coffee"}, {"user_id": "bob"}, {"user_id": None}, {"constraints": ()},
        {"region": "FI"}, {"age": 20}, {"diversity": 0.5}, {"include_seen": True},
        {"rerank": False}, {"lang": "zh"},
    ],
)  # fmt: skip
def test_a_cursor_of_another_request_is_refused_and_says_so(other: dict[str, object]) -> None:
    text = str(cursor_at(a_list("l1"), 3))
    with pytest.raises(InvalidInput, match="other fields"):
        read_cursor(text, replace(QUERY, **other))  # type: ignore[arg-type]


@given(st.text(max_size=120))
def test_garbage_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidInput, match="none of Palate's"):
        read_cursor(text, QUERY)


@given(st.data())
def test_a_cursor_with_one_character_changed_is_refused(data: st.DataObject) -> None:
    text = str(cursor_at(a_list("l1"), 3))
    at = data.draw(st.integers(0, len(text) - 2))  # the last one may hold spare bits
    letter = data.draw(st.sampled_from("AZaz09-_").filter(lambda one: one != text[at]))
    with pytest.raises(InvalidInput):
        read_cursor(text[:at] + letter + text[at + 1 :], QUERY)


@pytest.mark.parametrize(
    "body", [[1, "l", 0, "q", "s"], [2, "l", 3, "q", "s"], [1, "l", True, "q", "s"], {}, 3, [1]]
)
def test_a_cursor_with_the_right_checksum_and_other_fields_is_refused(body: object) -> None:
    from agent.pages import _checksum

    packed = json.dumps(body).encode()
    text = base64.urlsafe_b64encode(_checksum(packed) + packed).decode()
    with pytest.raises(InvalidInput, match="none of Palate's"):
        read_cursor(text, QUERY)


def test_a_kept_list_comes_back_without_what_was_spent_on_it() -> None:
    lists = KeptLists(10**6, 60, Clock())
    lists.keep(a_list("l1"))
    again = lists.get("l1")
    assert again is not None
    assert again.order == a_list("l1").order
    assert (again.trace.calls, again.trace.tokens) == (0, 0)
    assert again.trace.ranker_used == "fused+llm"
    assert lists.get("l2") is None


def test_the_least_recently_used_list_goes_first_when_the_bytes_are_spent() -> None:
    one = KeptLists(10**6, 60)
    one.keep(a_list("a"))
    lists = KeptLists(int(2.5 * one._bytes), 60, Clock())
    for name in ("a", "b"):
        lists.keep(a_list(name))
    assert lists.get("a") is not None
    lists.keep(a_list("c"))
    assert [lists.get(name) is not None for name in "abc"] == [True, False, True]
    lists.keep(a_list("d", 500))
    assert [lists.get(name) is not None for name in "acd"] == [True, True, False]
    none = KeptLists(0, 60)
    none.keep(a_list("a"))
    assert len(none) == 0


def test_a_list_is_forgotten_after_its_time_which_each_use_begins_anew() -> None:
    clock = Clock()
    lists = KeptLists(10**6, 60, clock)
    lists.keep(a_list("a"))
    lists.keep(a_list("b"))
    clock.now = 50
    assert lists.get("a") is not None
    clock.now = 100
    assert lists.get("b") is None
    assert lists.get("a") is not None
    clock.now = 300
    lists.keep(a_list("c"))
    assert len(lists) == 1


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 30)), max_size=30))
def test_the_bytes_never_pass_the_bound_and_are_counted_right(kept: list[tuple[str, int]]) -> None:
    lists = KeptLists(5000, 60, Clock())
    for name, n in kept:
        lists.keep(a_list(name, n))
        assert lists._bytes == sum(len(packed) for _, packed in lists._kept.values()) <= 5000
