from __future__ import annotations

import math
import random
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.fit import FitReport, fit_fusion
from agent.fusion_file import FUSION_FILE, load_weights, save_weights
from agent.fitting.labels import LabelledUser, labelled_users, pool_for, split_by_time
from agent.settings import read_settings
from agent.stores import Stores, open_stores
from retrieval.candidates.history import history_sources
from retrieval.errors import InvalidInput, StoreError
from retrieval.fusion.weights import PRIOR_WITHOUT_TEXT, prior_weights
from retrieval.types import Interaction, InteractionKind, Item, Query, User
from server.cli.main import app

START = datetime(2024, 1, 1, tzinfo=UTC)
ITEMS = [f"i{at:02d}" for at in range(40)]


def event(user: str, item: str, day: float, kind: InteractionKind = "purchase") -> Interaction:
    return Interaction(user, item, kind, 1.0, START + timedelta(days=day))


def shop(users: int, seed: int = 0) -> list[Interaction]:
    """People of four tastes buy six things of their kind, evenly over 100 days."""
    rng = random.Random(seed)
    events = []
    for user in range(users):
        taste = ITEMS[user % 4 :: 4]
        for step, item in enumerate(rng.sample(taste, 6)):
            events.append(event(f"u{user:03d}", item, step * 16 + rng.random() * 16))
    return events


class Watcher:
    """Collects what a person would see."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.done = 0

    def start(self, stage: str, total: int | None) -> None:
        self.stages.append(stage)

    def advance(self, n: int = 1) -> None:
        self.done += n

    def note(self, text: str) -> None:
        self.stages.append(text)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    settings = read_settings(environ={}, overrides={"store": {"home": tmp_path / "home"}})
    with open_stores(settings) as opened:
        yield opened


def fill(stores: Stores, events: list[Interaction]) -> None:
    stores.catalog.upsert_items(Item(item, item) for item in ITEMS)
    stores.catalog.upsert_users(User(user) for user in sorted({e.user_id for e in events}))
    stores.event_log.append_interactions(events)


def fitted(stores: Stores, **options: int) -> FitReport:
    return fit_fusion(
        catalog=stores.catalog,
        event_log=stores.event_log,
        data_hash="hash",
        progress=Watcher(),
        **options,
    )


def test_enough_users_teach_that_taste_beats_popularity(stores: Stores) -> None:
    fill(stores, shop(200))
    watcher = Watcher()
    report = fit_fusion(
        catalog=stores.catalog, event_log=stores.event_log, data_hash="h", progress=watcher
    )
    alone = {one.name: one.ndcg for one in report.sources}
    assert alone["behaviour"] > alone["popular"] + 0.1
    weights = report.weights
    assert weights.kind == "learned"
    assert weights.data_hash == "h"
    assert weights.n_labelled == report.trainable >= 100
    assert weights.source_ndcg == alone
    assert weights.without_text["behaviour"] > 3 * weights.without_text["popular"]
    assert weights.without_text["profile"] == PRIOR_WITHOUT_TEXT["profile"]
    assert report.fused.low <= report.fused.ndcg <= report.fused.high
    assert report.fused.ndcg >= alone["behaviour"] - 0.02
    assert watcher.done == report.users
    assert watcher.stages[-1] == "learning weights"


def test_the_same_log_and_seed_give_the_same_weights(stores: Stores) -> None:
    fill(stores, shop(150))
    assert fitted(stores).weights == fitted(stores).weights


def test_few_users_get_the_prior_and_hear_why(stores: Stores) -> None:
    fill(stores, shop(30))
    report = fitted(stores)
    assert report.weights.kind == "prior"
    assert report.weights.without_text == PRIOR_WITHOUT_TEXT
    assert report.weights.note == f"{report.trainable} users to learn from, 100 are needed"
    assert 0 < report.trainable <= 30
    assert report.fused.ndcg == report.prior.ndcg > 0


def test_a_log_without_spread_in_time_gets_the_prior(stores: Stores) -> None:
    fill(stores, [event(f"u{u}", item, 1) for u in range(120) for item in ITEMS[:4]])
    report = fitted(stores)
    assert report.weights.kind == "prior"
    assert report.users == 0
    assert math.isnan(report.fused.ndcg)
    assert math.isnan(report.recall)


def test_an_empty_log_is_an_error_that_says_what_to_do(stores: Stores) -> None:
    with pytest.raises(InvalidInput, match="no interaction") as caught:
        fitted(stores)
    assert "palate ingest" in caught.value.hint


def test_the_cap_on_users_holds(stores: Stores) -> None:
    fill(stores, shop(200))
    assert fitted(stores, max_users=120).users == 120


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


def test_weights_survive_the_file(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    assert load_weights(home) is None
    weights = prior_weights("hash", "note")
    assert save_weights(weights, home) == home / FUSION_FILE
    loaded = load_weights(home)
    assert loaded is not None
    assert loaded.to_json() == weights.to_json()
    assert [path.name for path in home.iterdir()] == [FUSION_FILE]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"format": 99}'])
def test_a_broken_file_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FUSION_FILE).write_bytes(content)
    with pytest.raises(InvalidInput, match="cannot be read") as caught:
        load_weights(tmp_path)
    assert "palate fit" in caught.value.hint


def test_a_home_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        save_weights(prior_weights(), blocked)
    assert stat.S_ISREG(blocked.stat().st_mode)
    assert blocked.read_text() == "in the way"


def test_the_command_prints_the_table_and_saves(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = read_settings(environ={}, overrides={"store": {"home": home}})
    with open_stores(settings) as stores:
        fill(stores, shop(150))
        data_hash = stores.database.data_hash()
    run = CliRunner().invoke(app, ["--home", str(home), "fit", "--max-users", "120"])
    assert run.exit_code == 0, run.output
    for word in (
        "behaviour",
        "popular",
        "not measured",
        "S, prior weights",
        "S - best source",
        "pool recall",
        "120",
    ):
        assert word in run.output
    saved = load_weights(home)
    assert saved is not None
    assert saved.kind == "learned"
    assert saved.data_hash == data_hash
