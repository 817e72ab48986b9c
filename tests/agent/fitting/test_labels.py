from __future__ import annotations

import random
from datetime import timedelta

from agent.fitting.labels import LabelledUser, labelled_users, pool_for, split_by_time
from retrieval.candidates.history import history_sources
from retrieval.types import Query
from tests.agent.fitting.four_tastes import ITEMS, START, event


def test_the_cut_leaves_the_last_share_after_it() -> None:
    events = [event("u", f"i{day}", day) for day in range(10)]
    random.Random(1).shuffle(events)
    split = split_by_time(events, 0.2)
    assert split.cut == START + timedelta(days=7)
    assert [e.item_id for e in split.after] == ["i8", "i9"]
    assert len(split.before) == 8


def test_events_at_the_instant_of_the_cut_stay_before_it() -> None:
    split = split_by_time([event("u", f"i{at}", 1) for at in range(9)] + [event("u", "z", 2)], 0.5)
    assert len(split.before) == 9
    assert [e.item_id for e in split.after] == ["z"]
    assert split_by_time([], 0.2).cut is None


def test_labels_are_new_known_and_of_the_strongest_kind() -> None:
    before = [event(u, "i00", 0) for u in ("buyer", "looker", "hater")]
    after = [
        event("buyer", "i01", 9, "view"),
        event("buyer", "i02", 9, "purchase"),
        event("buyer", "i00", 9, "purchase"),
        event("buyer", "gone", 9, "purchase"),
        event("looker", "i01", 9, "view"),
        event("hater", "i01", 9, "dislike"),
        event("newcomer", "i01", 9, "purchase"),
    ]
    split = split_by_time(before + after, 0.7)
    assert len(split.after) == len(after)
    assert labelled_users(split, frozenset(ITEMS), 100, seed=0) == [
        LabelledUser("buyer", frozenset({"i00"}), frozenset({"i02"})),
        LabelledUser("looker", frozenset({"i00"}), frozenset({"i01"})),
    ]


def test_a_pool_never_holds_what_no_source_found() -> None:
    events = [event(u, i, 0) for u in "abc" for i in ITEMS[:5]]
    sources = history_sources(events, ITEMS)
    user = LabelledUser("a", frozenset(ITEMS[:5]), frozenset({"i39"}))
    pool = pool_for(user, sources, per_source=3)
    assert [one.item_id for one in pool] == ["i05", "i06", "i07"]
    assert all("popular" in one.scores_by_source for one in pool)


def test_sources_fitted_on_the_past_do_not_know_the_future() -> None:
    events = [event(f"u{u}", "i00", 0) for u in range(3)] + [
        event(f"u{u}", "i01", 9) for u in range(3)
    ]
    split = split_by_time(events, 0.5)
    popular = history_sources(split.before, ITEMS)[1]
    assert popular.scores(Query(), ["i00", "i01"])["i01"] == 0.0
