"""Rules, diversity and pages over HTTP and on the command line, on a small shop of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from agent.build import build_recommender
from agent.recommend import Recommender
from agent.scripted import ScriptedModel
from agent.settings import (
    ExperimentSettings,
    LLMSettings,
    LogSettings,
    RetrievalSettings,
    RulesSettings,
    Settings,
    StoreSettings,
)
from agent.stores import open_stores
from retrieval.errors import InvalidInput
from retrieval.types import Interaction, Item, User
from server.app import create_app
from server.cli.main import main

AT = datetime(2026, 1, 1, tzinfo=UTC)
RULES = """
[[exclude]]
items = ["t11"]
[in_stock]
field = "stock"
[regions]
field = "sold_in"
lacking = "keep"
[age_limit]
field = "min_age"
lacking = "keep"
[[cap]]
field = "brand"
most = 2
within = 5
[[pin]]
items = ["t09"]
position = 2
when = { query_has = ["gift"] }
[[bury]]
where = [{ field = "brand", op = "eq", value = "dull" }]
"""


def items() -> list[Item]:
    """t00 is the most popular; t00 to t07 are of one brand, t10 is a copy of t01."""
    made = []
    for at in range(18):
        brand = "big" if at < 8 else "dull" if at == 8 else f"small{at}"
        title = "Tea 01" if at == 10 else f"Tea {at:02d}"
        made.append(Item(f"t{at:02d}", title, {"brand": brand, "stock": 5.0 if at != 12 else 0.0}))
    made[10] = Item("t10", "Tea 01", {"brand": "big", "stock": 1.0})
    made[13] = Item("t13", "Tea 13", {**made[13].attributes, "sold_in": ("SE",)})
    made[14] = Item("t14", "Tea 14", {**made[14].attributes, "min_age": 18.0})
    return made


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("ruled")
    (folder / "rules.toml").write_text(RULES, encoding="utf-8")
    settings = Settings(
        store=StoreSettings(home=folder / "home"),
        llm=LLMSettings(model="none"),
        rules=RulesSettings(file=str(folder / "rules.toml")),
        retrieval=RetrievalSettings(duplicates_may_differ=("stock",)),
    )
    with open_stores(settings) as stores:
        stores.catalog.upsert_items(items())
        stores.catalog.upsert_users(
            [User("ann", {"region": "SE", "age": 44.0}), User("kid", {"age": 9.0})]
        )
        stores.catalog.upsert_users(User(f"u{at}") for at in range(18))
        stores.event_log.append_interactions(
            Interaction(f"u{user}", f"t{at:02d}", "purchase", 1.0, AT + timedelta(hours=at))
            for at in range(18)
            for user in range(18 - at)
        )
    return settings


@pytest.fixture(scope="module")
def recommender(filled: Settings) -> Iterator[Recommender]:
    made = build_recommender(filled, model=ScriptedModel())
    yield made
    made.close()


@pytest.fixture
def client(filled: Settings, recommender: Recommender) -> FlaskClient:
    return create_app(filled, recommender=recommender).test_client()


def ask(client: FlaskClient, **fields: Any) -> Any:
    answer = client.post("/v1/recommend", json={"explain": False, "rerank": False, **fields})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def ids(answer: Any) -> list[str]:
    return [line["item_id"] for line in answer["recommendations"]]


def pages(client: FlaskClient, n: int, **fields: Any) -> list[Any]:
    found = [ask(client, n=n, **fields)]
    while found[-1]["next_cursor"]:
        found.append(ask(client, n=n, cursor=found[-1]["next_cursor"], **fields))
    return found


def test_rules_hold_and_the_trace_says_what_each_did(client: FlaskClient) -> None:
    answer = ask(client, n=20)
    shown = ids(answer)
    assert not {"t10", "t11", "t12", "t13", "t14"} & set(shown)
    assert shown[:3] == ["t00", "t01", "t09"]
    assert shown[-1] == "t08"
    assert answer["recommendations"][1]["collapsed"] == ["t10"]
    assert answer["trace"]["trade_off"] is None
    assert answer["trace"]["rules"] == [
        "exclude t11: left out 1 item",
        "in_stock stock: left out 1 item",
        "regions sold_in: left out 1 item",
        "age_limit min_age: left out 1 item",
        "near-duplicates: 1 item behind 1 shown",
        "bury brand = dull: moved 1 item to the end",
        "cap brand 2 in the first 5: moved down 6 items",
    ]


@pytest.mark.parametrize(
    ("fields", "there", "away"),
    [
        ({"region": "se"}, {"t13"}, {"t14"}),
        ({"age": 18}, {"t14"}, {"t13"}),
        ({"user_id": "ann"}, {"t13", "t14"}, set()),
        ({"user_id": "ann", "region": "FI", "age": 3}, set(), {"t13", "t14"}),
        ({"user_id": "kid", "region": "SE"}, {"t13"}, {"t14"}),
    ],
)
def test_region_and_age_are_the_requests_or_else_the_users(
    client: FlaskClient, fields: dict[str, Any], there: set[str], away: set[str]
) -> None:
    shown = set(ids(ask(client, n=20, **fields)))
    assert there <= shown
    assert not away & shown


def test_a_pin_applies_where_it_says_and_may_bring_in_what_nobody_proposed(
    client: FlaskClient,
) -> None:
    assert ids(ask(client, query="a gift of tea", n=3))[1] == "t09"
    answer = ask(
        client,
        query="a gift of tea",
        constraints=[{"field": "item_id", "op": "ne", "value": "t09"}],
    )
    assert "t09" not in ids(answer)
    assert "pin t09 at 2: t09 may not be shown here" in answer["trace"]["rules"]


def test_rules_that_leave_nothing_say_so(client: FlaskClient) -> None:
    sold_out = [{"field": "item_id", "op": "in", "value": ["t11", "t12"]}]
    answer = ask(client, constraints=sold_out)
    assert ids(answer) == []
    assert "the shop's rules leave nothing that fits the request" in answer["trace"]["notes"]


def test_it_does_not_matter_how_sources_are_told_what_rules_left_out(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    skipped = ids(ask(client, query="a gift of tea", n=20, region="SE"))
    monkeypatch.setattr("agent.pool._FEW", -1)
    assert ids(ask(client, query="a gift of tea", n=20, region="SE")) == skipped


def test_diversity_shows_what_it_cost_and_what_it_bought(client: FlaskClient) -> None:
    plain, mixed = ask(client, n=6), ask(client, n=6, diversity=0.9)
    trade_off = mixed["trace"]["trade_off"]
    assert plain["trace"]["trade_off"] is None
    assert trade_off["diversity"] == 0.9
    assert trade_off["after"] > trade_off["before"]
    assert 0 < trade_off["relevance_kept"] < 1
    assert sorted(ids(ask(client, n=20, diversity=0.9))) == sorted(ids(ask(client, n=20)))


@pytest.mark.parametrize("n", [1, 4, 11])
@pytest.mark.parametrize("fields", [{}, {"query": "a gift of tea", "rerank": True}])
def test_pages_are_one_list_in_parts(client: FlaskClient, n: int, fields: dict[str, Any]) -> None:
    whole = ask(client, n=20, **fields)
    parts = pages(client, n, **fields)
    lines = [line for part in parts for line in part["recommendations"]]
    assert [line["item_id"] for line in lines] == ids(whole)
    assert [line["rank"] for line in lines] == list(range(1, len(lines) + 1))
    assert parts[-1]["next_cursor"] is None
    for later in parts[1:]:
        assert later["trace"]["calls"] == 0
        assert later["trace"]["ranker_used"] == parts[0]["trace"]["ranker_used"]


def with_home(settings: Settings, tmp_path: Path, **changes: Any) -> Settings:
    import shutil

    shutil.copytree(settings.store.home, tmp_path / "home")
    return settings.model_copy(update={"store": StoreSettings(home=tmp_path / "home"), **changes})


@pytest.fixture
def opened(filled: Settings, tmp_path: Path) -> Iterator[Callable[..., FlaskClient]]:
    """An app on a copy of the home, with other settings."""
    made: list[Recommender] = []

    def opening(**changes: Any) -> FlaskClient:
        settings = with_home(filled, tmp_path, **changes)
        made.append(build_recommender(settings, model=ScriptedModel()))
        return create_app(settings, recommender=made[-1]).test_client()

    yield opening
    for one in made:
        one.close()


def test_the_next_page_goes_on_when_the_data_changed_but_shows_nothing_sold_out(
    opened: Callable[..., FlaskClient],
) -> None:
    client = opened()
    before = [ids(page) for page in pages(client, 4)]
    first = ask(client, n=4)
    gone = before[1][0]
    rows: list[dict[str, object]] = [{"item_id": "new", "title": "Tea new", "stock": 9}]
    rows.append({"item_id": gone, "title": f"Tea {gone[1:]}", "stock": 0, "brand": "x"})
    assert client.post("/v1/items", json=rows).status_code == 200
    second = ask(client, n=4, cursor=first["next_cursor"])
    assert ids(second) == [*before[1][1:], before[2][0]]
    assert [line["rank"] for line in second["recommendations"]] == [6, 7, 8, 9]
    assert "no longer allowed since the first page, and left out: 1" in second["trace"]["notes"]


@pytest.mark.parametrize("changed", [False, True])
def test_a_list_that_is_gone_is_ranked_anew_and_the_trace_says_so(
    opened: Callable[..., FlaskClient], changed: bool
) -> None:
    client = opened(retrieval=RetrievalSettings(pages_mb=0))
    first = ask(client, n=4)
    if changed:
        events = [
            {"user_id": f"u{at}", "item_id": "t15", "kind": "purchase", "at": "2026-01-02"}
            for at in range(18)
        ]
        client.post("/v1/interactions", json=events)
    second = ask(client, n=4, cursor=first["next_cursor"])
    (note,) = [note for note in second["trace"]["notes"] if "first page" in note]
    assert note.startswith("the list of the first page is no longer kept: it was ranked anew")
    assert ("items may come twice" in note) == changed
    if not changed:
        assert not set(ids(first)) & set(ids(second))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"region": 3}, "region = 3"),
        ({"region": ""}, "region"),
        ({"region": "x" * 101}, "region"),
        ({"age": "18"}, "age = '18'"),
        ({"age": -1}, "age = -1"),
        ({"age": 151}, "age = 151"),
        ({"diversity": 1.5}, "diversity = 1.5"),
        ({"diversity": True}, "diversity = True"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "x" * 501}, "cursor"),
        ({"cursor": "garbage"}, "cursor 'garbage' is none of Palate's"),
        ({"cursor": "茶"}, "cursor '茶' is none of Palate's"),
    ],
)
def test_bad_input_is_named(client: FlaskClient, envelope_of: Any, body: Any, named: str) -> None:
    assert named in envelope_of(client.post("/v1/recommend", json=body), 400)["message"]


def test_a_cursor_of_another_request_is_refused(client: FlaskClient, envelope_of: Any) -> None:
    cursor = ask(client, n=2)["next_cursor"]
    response = client.post(
        "/v1/recommend", json={"rerank": False, "query": "mug", "cursor": cursor}
    )
    error = envelope_of(response, 400)
    assert "belongs to a request with other fields" in error["message"]
    assert "n, explain and log may change" in error["hint"]


@pytest.mark.parametrize(
    "experiment",
    [
        ExperimentSettings(explore=1.0, explore_depth=5),
        ExperimentSettings(name="i", kind="interleave", arms=("off", "on")),
        ExperimentSettings(name="a", arms=("off", "on")),
    ],
    ids=["explore", "interleave", "ab"],
)
@pytest.mark.parametrize("pages_mb", [64, 0], ids=["kept", "ranked anew"])
def test_what_is_logged_is_what_is_shown_and_pages_go_on_with_it(
    opened: Callable[..., FlaskClient],
    tmp_path: Path,
    experiment: ExperimentSettings,
    pages_mb: int,
) -> None:
    client = opened(
        log=LogSettings(requests=True),
        experiment=experiment,
        retrieval=RetrievalSettings(pages_mb=pages_mb),
    )
    fields = {"user_id": "ann", "query": "a gift of tea", "log": True, "rerank": True}
    shown = [[one for page in pages(client, 6, **fields) for one in ids(page)] for _ in range(4)]
    with open_stores(Settings(store=StoreSettings(home=tmp_path / "home"))) as stores:
        requests = list(stores.request_log.requests())
    assert [[item.item_id for item in one.shown] for one in requests] == [one[:6] for one in shown]
    for one in shown:
        assert len(set(one)) == len(one)
        assert one[1] == "t09", "nothing is shuffled over a pin"
    assert len({frozenset(one) for one in shown}) == 1


def test_a_rules_file_that_cannot_be_used_stops_the_start(filled: Settings, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[[cap]]\nfield = 'x'\nmost = 0\n", encoding="utf-8")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    for name, message in (
        ("bad.toml", "most = 0"),
        ("none.toml", "no rules file"),
        ("latin.toml", "not UTF-8"),
        ("", "cannot be read"),
    ):
        settings = filled.model_copy(update={"rules": RulesSettings(file=str(tmp_path / name))})
        with pytest.raises(InvalidInput, match=message):
            build_recommender(settings)


class TestTheCommands:
    def test_check_says_every_rule_in_words_and_what_it_meets(
        self, filled: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        home = str(filled.store.home)
        assert main(["--home", home, "rules", "check", filled.rules.file]) == 0
        shown = capsys.readouterr().out
        assert "cap brand 2 in the first 5\n    at most 2 with the same brand" in shown
        assert "7 rules, all of them usable" in shown
        assert "a stranger of unknown region and age may be shown 14 of 18 items" in shown
        assert "warning: 17 of 18 items have no min_age" in shown

    def test_check_names_unknown_ids_and_makes_no_home(
        self, filled: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rules = tmp_path / "r.toml"
        rules.write_text("[bury]\nitems = ['gone']\n", encoding="utf-8")
        assert main(["--home", str(filled.store.home), "rules", "check", str(rules)]) == 0
        assert "bury gone: not in the catalogue: gone" in capsys.readouterr().out
        assert main(["--home", str(tmp_path / "no"), "rules", "check", str(rules)]) == 0
        assert not (tmp_path / "no").exists()

    def test_check_refuses_what_it_does_not_know_with_the_nearest_name(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rules = tmp_path / "r.toml"
        rules.write_text("[[cap]]\nfield = 'brand'\nmax = 2\nmost = 2\n", encoding="utf-8")
        assert main(["rules", "check", str(rules)]) == 2
        shown = capsys.readouterr().err
        assert "r.toml: cap 1: unknown key 'max'" in shown
        assert "hint: " in shown

    def test_recommend_shows_rules_trade_off_and_goes_on(
        self,
        filled: Settings,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("PALATE_RULES_FILE", filled.rules.file)
        flags = ["--home", str(filled.store.home), "recommend", "--no-rerank", "-n", "5"]
        flags += ["--region", "SE", "--age", "30", "--diversity", "0.5"]
        assert main(flags) == 0
        shown = capsys.readouterr().out
        assert "rule: exclude t11: left out 1 item" in shown
        assert "diversity 0.5: " in shown
        cursor = shown.rsplit("--cursor ", 1)[1].split()[0]
        assert main([*flags, "--cursor", cursor]) == 0
        assert "it was ranked anew" in capsys.readouterr().out
