"""What every RequestLog does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import InvalidInput
from retrieval.ports import RequestLog
from retrieval.store.database import Database, open_database
from retrieval.store.request_log import SqlRequestLog
from retrieval.types import LoggedItem, LoggedRequest

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def log(database: Database) -> RequestLog:
    return SqlRequestLog(database)


def a_request(number: int = 0, user_id: str | None = "u1", **changes: object) -> LoggedRequest:
    items = (
        LoggedItem(
            item_id="a",
            base_rank=1,
            score=0.1 + 0.2,
            parts={"lexical": 0.1, "popular": 0.2},
            card="A card",
            bins={"popular": "4/5"},
            log_odds=-1.25,
            policy_rank=2,
            rank=1,
            propensity=0.84,
            team="on",
        ),
        LoggedItem("b/茶 🍵", 2, 0.25, {"popular": 0.25}),
    )
    made = LoggedRequest(
        request_id=f"r{number:04}",
        at=NOW + timedelta(hours=number),
        user_id=user_id,
        consent="asked",
        lang="zh",
        query_text="不要塑料的水壶 \x00\ud800",
        person_text="Likes tea.",
        items=items,
        experiment="wording",
        design="ab",
        arms=("off", "rerank@2"),
        weights=(0.5, 1 / 3),
        arm="off",
        exposed=False,
        degraded_because="no language model is running",
        prompt="rerank@2",
        model="tiny",
        explore=0.2,
        explore_depth=5,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_request_comes_back_as_it_was_kept_but_for_what_no_text_can_hold(
    log: RequestLog,
) -> None:
    assert log.append([a_request()]) == 1
    (found,) = log.requests()
    assert found == a_request(query_text="不要塑料的水壶 \ufffd")
    assert [item.item_id for item in found.shown] == ["a"]


def test_a_bare_request_of_a_stranger_comes_back_too(log: RequestLog) -> None:
    bare = LoggedRequest("r", NOW, None, "assumed", "en", "", "", ())
    log.append([bare])
    assert list(log.requests()) == [bare]
    assert bare.shown == ()


def test_appending_again_changes_nothing(log: RequestLog) -> None:
    log.append([a_request(), a_request(1)])
    assert log.append([a_request(arm="rerank@2"), a_request(2), a_request(2)]) == 1
    assert [one.arm for one in log.requests()] == ["off"] * 3


def test_requests_come_in_order_of_time_however_many_there_are(log: RequestLog) -> None:
    made = [a_request(number, at=NOW - timedelta(minutes=number // 2)) for number in range(450)]
    assert log.append(made) == 450
    expected = sorted(made, key=lambda one: (one.at, one.request_id))
    assert [one.request_id for one in log.requests()] == [one.request_id for one in expected]


def test_one_experiment_can_be_asked_for(log: RequestLog) -> None:
    log.append([a_request(), a_request(1, experiment="other"), a_request(2, experiment="")])
    assert [one.request_id for one in log.requests("other")] == ["r0001"]
    assert [one.request_id for one in log.requests("")] == ["r0002"]
    assert list(log.requests("nope")) == []
    assert list(log.requests("\x00")) == []


def test_erasing_a_user_takes_all_of_theirs_and_nothing_else(log: RequestLog) -> None:
    log.append([a_request(), a_request(1, "u2"), a_request(2, None), a_request(3)])
    assert log.erase(["u1", "unknown", "\x00", ""]) == 2
    assert [one.user_id for one in log.requests()] == ["u2", None]
    assert log.erase(["u1"]) == 0
    assert log.erase([]) == 0


def test_pruning_takes_what_is_older(log: RequestLog) -> None:
    log.append([a_request(number) for number in range(4)])
    assert log.prune(NOW + timedelta(hours=2)) == 2
    assert [one.request_id for one in log.requests()] == ["r0002", "r0003"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"request_id": ""}, "request_id"),
        ({"user_id": ""}, "user_id"),
        ({"at": datetime(2026, 1, 1)}, "zone"),  # noqa: DTZ001
        ({"explore": float("nan")}, "explore"),
        ({"items": (LoggedItem("", 1, 0.0, {}),)}, "item_id"),
        ({"items": (LoggedItem("a", 1, float("inf"), {}),)}, "score"),
        ({"items": (LoggedItem("a", 1, 0.0, {"x": float("nan")}),)}, "part 'x'"),
        ({"items": (LoggedItem("a", 1, 0.0, {}, log_odds=float("nan")),)}, "log_odds"),
    ],
)
def test_what_cannot_be_kept_is_named(log: RequestLog, changes: dict, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        log.append([a_request(**changes)])
    assert list(log.requests()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scores=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5))
def test_every_finite_score_comes_back_exactly(database: Database, empty, scores) -> None:
    empty(database)
    log = SqlRequestLog(database)
    items = tuple(LoggedItem(str(at), at + 1, one, {"s": one}) for at, one in enumerate(scores))
    log.append([a_request(items=items)])
    (found,) = log.requests()
    assert found.items == items


def test_no_byte_of_an_erased_request_stays_in_the_files(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'palate.sqlite3'}")
    log = SqlRequestLog(database)
    log.append(
        a_request(number, f"u{number % 2}", query_text=f"secret wish {number % 2}")
        for number in range(300)
    )
    log.erase(["u1"])
    kept = b"".join(path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert b"secret wish 0" in kept
    assert b"secret wish 1" not in kept
    database.close()
