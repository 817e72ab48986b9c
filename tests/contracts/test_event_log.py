"""What every EventLog does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import InvalidInput
from retrieval.ports import EventLog
from retrieval.store.database import Database
from retrieval.store.event_log import SqlEventLog
from retrieval.types import Evidence, Interaction, Review, content_hash

NOW = datetime(2024, 5, 1, 12, 30, 15, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
ODD = "a/b 😀\n" + "x" * 900


@pytest.fixture
def log(database: Database) -> EventLog:
    return SqlEventLog(database)


def review(review_id: str = "r1", text: str = "Warm sound", **changes: Any) -> Review:
    values = {"user_id": "u1", "item_id": "i1", "rating": 4.0, "at": NOW, "lang": "en"}
    return Review(review_id=review_id, text=text, **values | changes)


def evidence(evidence_id: str = "e1", text: str = "red", **changes: Any) -> Evidence:
    values: dict[str, Any] = {
        "subject": "item",
        "subject_id": "i1",
        "kind": "caption",
        "lang": "en",
        "author": "",
        "at": NOW,
        "trust": 0.5,
    }
    return Evidence(
        evidence_id=evidence_id, text=text, sha256=content_hash(text), **values | changes
    )


def test_interactions_come_back_in_time_order(log: EventLog) -> None:
    events = [
        Interaction("b", "i1", "view", 1.0, NOW),
        Interaction("a", "i2", "view", 1.0, NOW),
        Interaction("a", "i1", "rating", 4.5, NOW),
        Interaction("a", "i1", "purchase", 1.0, NOW),
        Interaction("c", "i1", "view", 1.0, NOW - HOUR),
    ]
    assert log.append_interactions(events) == 5
    expected = [events[4], events[3], events[2], events[1], events[0]]
    assert list(log.interactions()) == expected
    assert list(log.interactions("a")) == expected[1:4]
    assert list(log.interactions(until=NOW - HOUR)) == expected[:1]
    assert list(log.interactions(until=NOW)) == expected
    assert list(log.interactions("a", until=NOW - timedelta(microseconds=1))) == []
    assert list(log.interactions("nobody")) == list(log.interactions("\ud800")) == []


def test_appending_interactions_again_changes_nothing(log: EventLog, database: Database) -> None:
    events = [Interaction("u", f"i{n}", "view", 1.0, NOW) for n in range(10)]
    assert log.append_interactions([*events, events[0]]) == 10
    content = database.data_hash()
    assert log.append_interactions(iter(events)) == 0
    assert database.data_hash() == content


def test_a_corrected_value_replaces_the_old_one(log: EventLog, database: Database) -> None:
    log.append_interactions([Interaction("u", "i", "rating", 2.0, NOW)])
    content = database.data_hash()
    assert log.append_interactions([Interaction("u", "i", "rating", 5.0, NOW)]) == 0
    assert [one.value for one in log.interactions()] == [5.0]
    assert database.data_hash() != content


@pytest.mark.parametrize(
    "at",
    [
        NOW,
        datetime(1931, 2, 3, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=8))),
    ],
)
def test_any_instant_comes_back_exactly_and_in_utc(log: EventLog, at: datetime) -> None:
    log.append_interactions([Interaction("u", "i", "view", 1.0, at)])
    (one,) = log.interactions()
    assert one.at == at
    assert one.at.tzinfo is UTC


def test_more_than_a_page_is_read_in_order(log: EventLog) -> None:
    events = [
        Interaction(f"u{n % 7}", f"i{n}", "view", 1.0, NOW + HOUR * (n // 3000))
        for n in range(10_001)
    ]
    assert log.append_interactions(reversed(events)) == 10_001
    expected = sorted(events, key=lambda one: (one.at, one.user_id, one.item_id))
    assert list(log.interactions()) == expected


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"value": float("nan")}, "nan"),
        ({"value": float("inf")}, "inf"),
        ({"at": datetime(2024, 1, 1)}, "without a zone"),  # noqa: DTZ001
        ({"at": datetime(1, 1, 1, tzinfo=timezone(HOUR))}, "years 1 to 9999"),
        ({"user_id": ""}, "user_id"),
        ({"item_id": "x" * 1001}, "1001 characters"),
        ({"item_id": "\x00"}, "item_id"),
    ],
)
def test_an_interaction_that_cannot_be_kept_is_refused(
    log: EventLog, changes: dict[str, Any], named: str
) -> None:
    values = {"user_id": "u", "item_id": "i", "kind": "view", "value": 1.0, "at": NOW} | changes
    with pytest.raises(InvalidInput) as refused:
        log.append_interactions([Interaction(**values)])
    assert named in refused.value.message + refused.value.hint
    assert list(log.interactions()) == []


def test_a_review_becomes_evidence_about_its_item_and_its_author(log: EventLog) -> None:
    assert log.append_reviews([review()]) == 1
    (about_item,) = log.evidence("item", "i1")
    (about_user,) = log.evidence("user", "u1")
    assert about_item == Evidence(
        evidence_id="review:r1:item",
        subject="item",
        subject_id="i1",
        kind="review",
        text="Warm sound",
        lang="en",
        author="u1",
        at=NOW,
        trust=1.0,
        sha256=content_hash("Warm sound"),
    )
    assert (about_user.evidence_id, about_user.subject) == ("review:r1:user", "user")
    assert (about_user.text, about_user.sha256) == (about_item.text, about_item.sha256)
    assert log.evidence_by_id(["review:r1:user", "nope", "\x00"]) == {"review:r1:user": about_user}


def test_an_edited_review_updates_its_evidence(log: EventLog) -> None:
    log.append_reviews([review(), review("r2", "fine")])
    assert log.append_reviews([review(text="Broke at once"), review("r2", "fine")]) == 1
    assert [one.text for one in log.evidence("item", "i1")] == ["Broke at once", "fine"]
    assert [one.text for one in log.reviews()] == ["Broke at once", "fine"]
    moved = review(item_id="i9")
    assert log.append_reviews([moved]) == 1
    assert [one.evidence_id for one in log.evidence("item", "i9")] == ["review:r1:item"]


def test_a_review_without_words_is_not_trusted(log: EventLog) -> None:
    log.append_reviews([review(text=" \n")])
    assert [one.trust for one in log.evidence("item", "i1")] == [0.0]


def test_reviews_are_filtered_and_ordered(log: EventLog) -> None:
    first, second = review("b"), review("a", item_id="i2", rating=None)
    old = review("z", at=NOW - HOUR, user_id="u2")
    assert log.append_reviews([first, second, old]) == 3
    assert log.append_reviews([first, second, old]) == 0
    assert list(log.reviews()) == [old, second, first]
    assert list(log.reviews(user_id="u1")) == [second, first]
    assert list(log.reviews(item_id="i1")) == [old, first]
    assert list(log.reviews(user_id="u1", item_id="i1")) == [first]
    assert list(log.reviews(user_id="\x00")) == []


def test_odd_ids_and_broken_texts_do_no_harm(log: EventLog) -> None:
    odd = review(ODD, "a\x00b\ud800" + "长" * 100_000, user_id=ODD, item_id=ODD)
    assert log.append_reviews([odd]) == 1
    assert log.append_reviews([odd]) == 0
    (kept,) = log.evidence("user", ODD)
    assert kept.text == "ab\ufffd" + "长" * 100_000
    assert log.evidence_by_id([kept.evidence_id]) == {kept.evidence_id: kept}


def test_seen_is_what_a_user_touched_or_reviewed(log: EventLog) -> None:
    log.append_interactions([Interaction("u1", "i2", "dislike", 1.0, NOW)])
    log.append_reviews([review()])
    assert log.seen("u1") == {"i1", "i2"}
    assert log.seen("stranger") == log.seen("\ud800") == frozenset()


def test_evidence_is_kept_once_and_replaced_when_it_changes(log: EventLog) -> None:
    assert log.append_evidence([evidence(), evidence("e2", subject="user")]) == 2
    assert log.append_evidence([evidence(), evidence("e2", subject="user")]) == 0
    assert log.append_evidence([evidence(text="blue")]) == 1
    assert [one.text for one in log.evidence("item", "i1")] == ["blue"]
    assert log.evidence("item", "unknown") == log.evidence("item", "\x00") == []


def test_as_of_is_an_inclusive_cut_off(log: EventLog) -> None:
    log.append_evidence([evidence("late", at=NOW), evidence("early", at=NOW - HOUR)])
    found = log.evidence("item", "i1", as_of=NOW)
    assert [one.evidence_id for one in found] == ["early", "late"]
    just_before = NOW - timedelta(microseconds=1)
    assert [one.evidence_id for one in log.evidence("item", "i1", just_before)] == ["early"]


def test_subjects_with_evidence_are_listed_once_in_order(log: EventLog) -> None:
    log.append_reviews([review("1", user_id="é"), review("2", user_id="z"), review("3")])
    assert log.subjects_with_evidence("user") == sorted(["é", "z", "u1"])
    assert log.subjects_with_evidence("item") == ["i1"]


@pytest.mark.parametrize("changes", [{"trust": float("nan")}, {"subject_id": ""}, {"at": None}])
def test_evidence_that_cannot_be_kept_is_refused(log: EventLog, changes: dict[str, Any]) -> None:
    if changes.get("at", 0) is None:
        changes = {"at": datetime(2024, 1, 1)}  # noqa: DTZ001
    with pytest.raises(InvalidInput, match="e1"):
        log.append_evidence([evidence(**changes)])


EVIDENCE = st.lists(
    st.builds(
        evidence,
        evidence_id=st.sampled_from(["a", "b", "c", "B"]),
        text=st.text(max_size=5),
        subject=st.sampled_from(["item", "user"]),
        at=st.integers(-3, 3).map(lambda n: NOW + n * HOUR),
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(batches=st.lists(EVIDENCE, max_size=3), hours=st.integers(-4, 4))
def test_evidence_is_the_last_write_of_each_id_oldest_first(
    database: Database,
    empty: Callable[[Database], None],
    batches: list[list[Evidence]],
    hours: int,
) -> None:
    empty(database)
    log = SqlEventLog(database)
    for batch in batches:
        log.append_evidence(batch)
    last = {one.evidence_id: one for batch in batches for one in batch}.values()
    cut = NOW + hours * HOUR
    ordered = sorted(last, key=lambda one: (one.at, one.evidence_id))
    expected = [one.evidence_id for one in ordered if one.subject == "item" and one.at <= cut]
    assert [one.evidence_id for one in log.evidence("item", "i1", cut)] == expected
    assert log.append_evidence(last) == 0
