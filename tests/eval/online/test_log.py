"""Who took what they were shown, and the questions made of it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.pseudonyms import KEY_FILE, open_pseudonyms
from agent.settings import LogSettings, Settings, StoreSettings
from agent.stores import open_stores
from eval.online.log import Exposure, join, read_log
from eval.online.questions import to_questions
from eval.question import read_questions, write_questions
from retrieval.errors import InvalidInput, NotFound
from retrieval.types import Interaction, Item, LoggedRequest, User
from tests.eval.online.simulator import NOW, request

WINDOW = timedelta(hours=72)


def took(item_id: str, hours: float, user_id: str = "u1", kind: str = "purchase") -> Interaction:
    return Interaction(user_id, item_id, kind, 1.0, NOW + timedelta(hours=hours))  # type: ignore[arg-type]


def taken(exposures: list[Exposure]) -> list[set[str]]:
    return [set(one.taken) for one in exposures]


@pytest.mark.parametrize(
    ("interaction", "counts"),
    [
        (took("a", 1), True),
        (took("a", 0), True),
        (took("a", 72), True),
        (took("a", 72.1), False),
        (took("a", -1), False),
        (took("z", 1), False),
        (took("a", 1, "u2"), False),
    ],
)
def test_an_outcome_is_the_same_users_a_shown_item_and_within_the_window(
    interaction: Interaction, counts: bool
) -> None:
    found = join([request()], [interaction], window=WINDOW)
    assert taken(found) == [{"a"} if counts else set()]


def test_whole_seconds_of_a_shop_count_as_after_the_request() -> None:
    at = NOW + timedelta(milliseconds=700)
    assert taken(join([request(at=at)], [took("a", 0)], window=WINDOW)) == [{"a"}]


def test_what_is_taken_counts_once_for_the_latest_request_that_showed_it() -> None:
    requests = [request(0), request(1), request(2, shown=("b",)), request(5)]
    found = join(requests, [took("a", 3), took("b", 4), took("b", 6)], window=WINDOW)
    assert taken(found) == [set(), {"a"}, {"b"}, {"b"}]


def test_the_latest_showing_decides_even_when_an_older_window_is_longer() -> None:
    found = join([request(0), request(1)], [took("a", 72.5)], window=WINDOW)
    assert taken(found) == [set(), {"a"}]


def test_only_what_was_shown_can_be_taken() -> None:
    first, second = request().items
    hidden = request(items=(first, replace(second, rank=None)))
    assert taken(join([hidden], [took("b", 1)], window=WINDOW)) == [set()]


def test_a_strangers_request_has_no_outcome() -> None:
    assert taken(join([request(user_id=None)], [took("a", 1)], window=WINDOW)) == [set()]


def a_home(path: Path, requests: list[LoggedRequest], interactions: list[Interaction]) -> Settings:
    settings = Settings(store=StoreSettings(home=path), log=LogSettings(window_hours=24))
    with open_stores(settings) as stores:
        stores.catalog.upsert_items([Item(one, one) for one in "abcdef"])
        stores.catalog.upsert_users([User("u1"), User("u2")])
        stores.event_log.append_interactions(interactions)
        stores.request_log.append(requests)
    return settings


def test_a_home_is_read_with_its_window_and_the_kinds_that_count(tmp_path: Path) -> None:
    settings = a_home(
        tmp_path / "home",
        [request(0), request(1, user_id="u2", experiment="x"), request(2, user_id="u2")],
        [took("a", 23), took("b", 25), took("b", 2, kind="view"), took("a", 2, "u2", "like")],
    )
    assert taken(read_log(settings)) == [{"a"}, set(), {"a"}]
    assert taken(read_log(settings, kinds=("view",))) == [{"b"}, set(), set()]
    assert [one.request.request_id for one in read_log(settings, experiment="x")] == ["r00001"]


def test_pseudonyms_are_joined_by_the_key_and_without_it_nobody_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    name = open_pseudonyms(home).of("u1")
    plain = request(1, user_id="u2")
    settings = a_home(home, [request(user_id=name), plain], [took("a", 1), took("a", 2, "u2")])
    assert taken(read_log(settings)) == [{"a"}, {"a"}]
    (home / KEY_FILE).unlink()
    with pytest.raises(InvalidInput, match=KEY_FILE):
        read_log(settings)


def test_a_folder_that_is_no_home_is_named_and_not_made(tmp_path: Path) -> None:
    settings = Settings(store=StoreSettings(home=tmp_path / "none"))
    with pytest.raises(NotFound, match="none"):
        read_log(settings)
    assert not (tmp_path / "none").exists()


def test_questions_have_the_logged_candidates_and_what_was_taken(tmp_path: Path) -> None:
    exposures = [
        Exposure(request(0, shown=("a", "b", "c"), arm="on", lang="zh"), frozenset({"b"})),
        Exposure(request(1), frozenset()),
        Exposure(request(2, user_id=None), frozenset()),
        Exposure(request(3, shown=()), frozenset()),
        Exposure(request(4, query_text=""), frozenset({"a"})),
    ]
    made = to_questions(exposures)
    assert made.left_out == {
        "nothing was taken afterwards": 1, "by strangers": 1, "nothing was shown": 1,
    }  # fmt: skip
    first, second = made.questions
    assert (first.query_id, first.user_id, first.lang) == ("r00000", "u1", "zh")
    assert [item.item_id for item in first.candidates] == ["a", "b", "c"]
    assert first.relevant == {"b"}
    assert first.strata == {"lang": "zh", "text": "query", "arm": "on"}
    assert second.strata == {"lang": "en", "text": "silent"}
    write_questions(tmp_path / "q.jsonl", made.questions)
    assert read_questions(tmp_path / "q.jsonl") == list(made.questions)


def test_an_empty_log_gives_no_question() -> None:
    assert to_questions([]).questions == ()
    assert join([], [took("a", 1)], window=WINDOW) == []
