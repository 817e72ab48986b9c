from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import InvalidInput
from retrieval.sources.records import RowError, parse_row
from retrieval.sources.values import read_attribute, read_id, read_time
from retrieval.types import Interaction, Item, Review, User

GOOD: dict[str, Any] = {"user_id": "u", "item_id": "i", "value": 4, "at": "2024-05-01"}


def test_an_item_keeps_every_other_column_as_an_attribute() -> None:
    raw = {
        "item_id": "x/ y😀",
        "title": "<b>A &amp; B</b>",
        "image": "a.jpg|images/b.png",
        "grapes": "Merlot|Syrah",
        "alcohol": "12.5",
        "postcode": "01234",
        "tags": '["dry", "red"]',
        "label": '"a|b"',
        "organic": "TRUE",
        "empty": "",
    }
    assert parse_row("items", raw, typed=False) == Item(
        "x/ y😀",
        "A & B",
        {
            "grapes": ("Merlot", "Syrah"),
            "alcohol": 12.5,
            "postcode": "01234",
            "tags": ("dry", "red"),
            "label": "a|b",
            "organic": True,
        },
        ("images/a.jpg", "images/b.png"),
    )


def test_text_of_a_typed_format_stays_text() -> None:
    raw = {"user_id": 7, "code": "12", "pipes": "a|b", "age": 31, "none": None, "langs": ["en"]}
    assert parse_row("users", raw) == User(
        "7", {"code": "12", "pipes": "a|b", "age": 31.0, "langs": ("en",)}
    )


def test_decimals_of_a_table_are_numbers() -> None:
    assert read_attribute(Decimal("9.90"), typed=True) == 9.9
    low = parse_row("interactions", GOOD | {"value": Decimal("4.5")})
    assert isinstance(low, Interaction)
    assert low.value == 4.5


@pytest.mark.parametrize("text", ["1e400", "123456789012345678901", "1_000", "٣", "0x10", "inf"])
def test_what_is_no_plain_number_stays_text(text: str) -> None:
    assert read_attribute(text, typed=False) == text


def test_an_interaction_has_kind_and_value_by_default() -> None:
    at = datetime(2024, 5, 1, tzinfo=UTC)
    assert parse_row("interactions", GOOD) == Interaction("u", "i", "rating", 4.0, at)
    viewed = parse_row("interactions", {**GOOD, "value": ""})
    assert viewed == Interaction("u", "i", "view", 1.0, at)
    low = parse_row("interactions", {**GOOD, "value": "-3", "kind": "rating"})
    assert isinstance(low, Interaction)
    assert low.value == -3.0


def test_a_review_gets_a_stable_id_and_a_language() -> None:
    raw = {"user_id": "u", "item_id": "i", "text": "很好喝", "at": 1_700_000_000}
    one, two = parse_row("reviews", raw), parse_row("reviews", {**raw, "review_id": ""})
    assert isinstance(one, Review)
    assert one == two
    assert (one.lang, one.rating, len(one.review_id)) == ("zh", None, 64)
    other = parse_row("reviews", {**raw, "at": 1_700_000_001})
    assert isinstance(other, Review)
    assert other.review_id != one.review_id
    assert parse_row("reviews", {**raw, "lang": "zh-CN", "review_id": "r 1"}) == Review(
        "r 1", "u", "i", "很好喝", None, one.at, "zh"
    )


@pytest.mark.parametrize(
    ("table", "change", "column", "reason"),
    [
        ("interactions", {"user_id": ""}, "user_id", "is missing"),
        ("interactions", {"user_id": " \t"}, "user_id", "is missing"),
        ("interactions", {"user_id": None}, "user_id", "is missing"),
        ("interactions", {"user_id": True}, "user_id", "True is not an id"),
        ("interactions", {"user_id": 1.5}, "user_id", "1.5 is not an id"),
        ("interactions", {"user_id": "a\x00b"}, "user_id", "control"),
        ("interactions", {"user_id": "\ud800"}, "user_id", "unencodable"),
        ("interactions", {"item_id": "x" * 1001}, "item_id", "1,001 characters"),
        ("interactions", {"value": "NaN"}, "value", "'NaN' is not a finite number"),
        ("interactions", {"value": float("inf")}, "value", "not a finite number"),
        ("interactions", {"value": "-Infinity"}, "value", "not a finite number"),
        ("interactions", {"value": "four"}, "value", "'four' is not a number"),
        ("interactions", {"value": 10**400}, "value", "not a number"),
        ("interactions", {"kind": "rating", "value": ""}, "value", "a rating needs one"),
        ("interactions", {"kind": "view", "value": 0}, "value", "no weight of a view"),
        ("interactions", {"kind": "bought"}, "kind", "'bought' is not one of view, click"),
        ("interactions", {"at": ""}, "at", "is missing"),
        ("interactions", {"at": "yesterday"}, "at", "'yesterday' is no time"),
        ("interactions", {"at": "1969-12-31T23:59:59Z"}, "at", "is before 1970"),
        ("interactions", {"at": -1}, "at", "-1 is before 1970"),
        ("interactions", {"at": "0001-01-01T00:00:00+05:00"}, "at", "is out of range"),
        ("interactions", {"at": 1_700_000_000_000}, "at", "in seconds, not ms"),
        ("interactions", {"at": "20240501"}, "at", "write 2024-05-01"),
        ("interactions", {"at": float("nan")}, "at", "not a finite number"),
        ("reviews", {"text": "\u200b <br>"}, "text", "is empty"),
        ("reviews", {"text": ["a"]}, "text", "is not text"),
        ("reviews", {"text": "ok", "rating": "nan"}, "rating", "not a finite number"),
        ("reviews", {"text": "ok", "lang": "fr"}, "lang", "'fr' is not en or zh"),
        ("items", {"title": ""}, "title", "is empty"),
        ("items", {"title": "t" * 1001}, "title", "1,001 characters"),
        ("items", {"title": "t", "image": "../../etc/passwd"}, "image", "not a path inside"),
        ("items", {"title": "t", "image": "/etc/passwd"}, "image", "not a path inside"),
        ("items", {"title": "t", "image": "C:\\x.jpg"}, "image", "not a path inside"),
        ("items", {"title": "t", "size": {"a": 1}}, "size", "is a dict"),
        ("items", {"title": "t", "size": [["a"]]}, "size", "is nested"),
        ("items", {"title": "t", "size": float("-inf")}, "size", "not a finite number"),
        ("items", {}, "title", "is missing"),
    ],
)
def test_a_bad_cell_is_named_with_its_column_and_reason(
    table: Any, change: dict[str, Any], column: str, reason: str
) -> None:
    with pytest.raises(RowError) as caught:
        parse_row(table, {**GOOD, **change})
    assert caught.value.column == column
    assert reason in caught.value.reason
    assert isinstance(caught.value, InvalidInput)
    assert caught.value.hint
    caught.value.message.encode("utf-8")


def test_an_item_with_too_many_attributes_is_refused() -> None:
    raw = {"item_id": "i", "title": "t"} | {f"a{n}": n for n in range(201)}
    with pytest.raises(RowError, match="201 attributes"):
        parse_row("items", raw)


@pytest.mark.parametrize("text", ["a/b", "with space", "😀", "x" * 1000, "ünï", "a|b", "../.."])
def test_ids_of_any_characters_are_kept(text: str) -> None:
    assert read_id(text) == text


@pytest.mark.parametrize(
    "value",
    [
        "2024-05-01T10:00:00Z",
        "2024-05-01 12:00:00+02:00",
        "2024-05-01T10:00:00",
        1714557600,
        "1714557600",
        "1714557600.0",
        datetime(2024, 5, 1, 10),  # noqa: DTZ001
        datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_all_ways_to_write_a_time_mean_the_same(value: object) -> None:
    assert read_time(value) == datetime(2024, 5, 1, 10, tzinfo=UTC)


def test_a_day_is_its_midnight_and_1970_itself_is_accepted() -> None:
    assert read_time(date(2024, 5, 1)) == read_time("2024-05-01") == read_time(1714521600)
    assert read_time(0) == datetime(1970, 1, 1, tzinfo=UTC)


@given(
    st.dictionaries(
        st.sampled_from(["user_id", "item_id", "kind", "value", "at", "text", "rating", "title"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
    ),
    st.sampled_from(["items", "users", "interactions", "reviews"]),
)
def test_any_row_is_either_a_record_or_a_named_error(raw: dict[str, Any], table: Any) -> None:
    with suppress(RowError):
        parse_row(table, raw)
