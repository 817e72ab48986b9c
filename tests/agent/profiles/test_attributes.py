"""What people choose says something too: rows from attributes, without a model."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from agent.profiles.attributes import TOP_PREFERENCES, Preferences, attribute_rows, liked_items
from retrieval.types import Interaction, InteractionKind

Shop = Any  # the fixture of conftest.py
START = datetime(2024, 1, 1, tzinfo=UTC)


def event(item: str, kind: InteractionKind, value: float = 1.0, day: int = 0) -> Interaction:
    return Interaction("u", item, kind, value, START + timedelta(days=day))


def test_a_rating_counts_from_four_or_from_the_users_own_mean() -> None:
    harsh = [event(f"i{n}", "rating", value) for n, value in enumerate([1, 2, 3])]
    assert set(liked_items(harsh)) == {"i1", "i2"}
    kind = [event(f"i{n}", "rating", value) for n, value in enumerate([4, 5, 5])]
    assert set(liked_items(kind)) == {"i0", "i1", "i2"}
    assert liked_items([]) == {}


def test_a_later_dislike_takes_an_item_out_and_the_latest_time_stands() -> None:
    events = [event("a", "purchase"), event("a", "dislike", day=1)]
    events += [event("b", "view"), event("b", "view", day=3)]
    assert liked_items(events) == {"b": START + timedelta(days=3)}


def test_every_attribute_becomes_one_context_row_and_links_do_not(shop: Shop) -> None:
    shop.item("i", "Wine", country="Italy", grape_kinds=("Syrah", "Merlot"), site="https://x.y")
    rows = list(attribute_rows(shop.event_log.evidence("item", "i")))
    assert [(row.label, row.quote, row.polarity) for row in rows] == [
        ("country", "country: Italy", "context"),
        ("grape kinds", "grape_kinds: Syrah, Merlot", "context"),
    ]


def test_a_preference_is_what_history_holds_more_often_than_the_catalogue(shop: Shop) -> None:
    for n in range(12):
        shop.item(f"i{n}", colour="red" if n < 3 else "blue", closed="cork", serial=f"s{n}")
    for n in (0, 1, 2, 3):
        shop.chose("ann", f"i{n}", day=n)
    rows = Preferences(shop.catalog, shop.event_log).rows("ann", None)
    assert {row.label for row in rows} == {"colour: red"}
    assert {row.evidence_id for row in rows} == {f"attribute:i{n}:colour" for n in range(3)}
    assert {row.quote for row in rows} == {"colour: red"}
    assert all(row.polarity == "like" for row in rows)


def test_what_holds_for_the_same_items_is_said_once_and_only_the_strongest_are_kept(
    shop: Shop,
) -> None:
    for n in range(30):
        group = n // 2
        shop.item(f"i{n}", region=f"region{group}", code=f"code{group}")
        shop.chose("ann", f"i{n}", day=n) if n < 24 else None
    rows = Preferences(shop.catalog, shop.event_log).rows("ann", None)
    labels = {row.label for row in rows}
    assert len(labels) == TOP_PREFERENCES
    assert len({label[-2:].strip("n") for label in labels}) == TOP_PREFERENCES


def test_choices_after_the_cut_off_are_not_read(shop: Shop) -> None:
    for n in range(6):
        shop.item(f"i{n}", colour="red" if n < 2 else "blue")
    shop.chose("ann", "i0", day=0)
    shop.chose("ann", "i1", day=10)
    preferences = Preferences(shop.catalog, shop.event_log)
    assert preferences.rows("ann", START + timedelta(days=5)) == []
    assert len(preferences.rows("ann", START + timedelta(days=10))) == 2


def test_somebody_without_a_history_has_no_preferences(shop: Shop) -> None:
    assert Preferences(shop.catalog, shop.event_log).rows("nobody", None) == []
