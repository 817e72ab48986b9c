"""From a request over HTTP to a file of questions, and the other things that a log is for."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from agent.build import build_recommender
from agent.scripted import ScriptedModel
from agent.settings import ExperimentSettings, LogSettings, Settings, StoreSettings
from agent.stores import open_stores
from eval.question import read_questions
from retrieval.types import Item, LoggedRequest, User
from server.app import create_app
from server.cli.main import main

TEAS = ["green tea", "black tea", "white tea", "mint tea", "tea pot", "tea towel"]
USERS = [f"u{number}" for number in range(12)]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(
        store=StoreSettings(home=tmp_path / "home"),
        log=LogSettings(requests=True),
        experiment=ExperimentSettings(name="llm", arms=("off", "on"), explore=0.5, explore_depth=3),
    )
    with open_stores(made) as stores:
        stores.catalog.upsert_items([Item(f"i{at}", title) for at, title in enumerate(TEAS)])
        stores.catalog.upsert_users([User(user_id) for user_id in USERS])
    return made


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    recommender = build_recommender(settings, model=ScriptedModel())
    yield create_app(settings, recommender=recommender).test_client()
    recommender.close()


def ask(client: FlaskClient, user_id: str | None, **fields: Any) -> list[str]:
    body = {"user_id": user_id, "query": "tea, call 13800138000", "log": True, **fields}
    answer = client.post("/v1/recommend", json=body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [line["item_id"] for line in answer.get_json()["recommendations"]]


def take(client: FlaskClient, user_id: str, item_id: str, kind: str = "purchase") -> None:
    row = {"user_id": user_id, "item_id": item_id, "kind": kind}
    row["at"] = datetime.now(UTC).isoformat()
    assert client.post("/v1/interactions", json=[row]).get_json()["accepted"] == 1


def kept(settings: Settings) -> list[LoggedRequest]:
    with open_stores(settings) as stores:
        return list(stores.request_log.requests())


def palate(settings: Settings, *words: str) -> int:
    return main(["--home", str(settings.store.home), *words])


def test_requests_and_purchases_become_questions(
    client: FlaskClient, settings: Settings, tmp_path: Path, capsys: Any
) -> None:
    bought = {}
    for user_id in USERS[:3]:
        bought[user_id] = ask(client, user_id, n=4)[1]
        take(client, user_id, bought[user_id])
    ask(client, USERS[3])
    ask(client, None)
    take(client, USERS[4], "i0")
    out = tmp_path / "questions.jsonl"
    assert palate(settings, "eval", "from-log", "--out", str(out)) == 0
    said = capsys.readouterr().out
    assert "3 questions" in said
    assert "1 nothing was taken afterwards" in said
    assert "1 by strangers" in said
    questions = read_questions(out)
    assert [set(one.relevant) for one in questions] == [{item} for item in bought.values()]
    for one in questions:
        assert one.query_text == "tea, call «phone»"
        assert one.user_id not in USERS  # a pseudonym
        assert one.relevant < {item.item_id for item in one.candidates}
        assert all(item.card for item in one.candidates)
        assert one.strata["arm"] in ("off", "on")
    assert "13800138000" not in out.read_text(encoding="utf-8")


def test_nobody_who_was_not_asked_is_kept(client: FlaskClient, settings: Settings) -> None:
    ask(client, "u1", log=None)
    ask(client, "u1", log=False)
    client.post("/v1/recommend", json={"user_id": "u1", "query": "tea"})
    chat = {"messages": [{"role": "user", "content": "tea"}], "user": "u1"}
    client.post("/v1/chat/completions", json=chat)
    assert kept(settings) == []
    client.post("/v1/chat/completions", json={**chat, "store": True})
    assert [one.query_text for one in kept(settings)] == ["tea"]


def test_trying_it_out_on_the_command_line_is_never_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_LOG_REQUESTS", "true")
    monkeypatch.setenv("PALATE_LOG_CONSENT", "assume")
    assert palate(settings, "recommend", "--user", "u1", "--no-rerank") == 0
    assert kept(settings) == []


def test_an_interleaved_experiment_is_analysed_too(settings: Settings, capsys: Any) -> None:
    experiment = ExperimentSettings(name="both", kind="interleave", arms=("off", "on"))
    settings = settings.model_copy(update={"experiment": experiment})
    recommender = build_recommender(settings, model=ScriptedModel())
    client = create_app(settings, recommender=recommender).test_client()
    teams = {"off": 0, "on": 0}
    for user_id in USERS[:6]:
        first = ask(client, user_id, n=2)[0]
        take(client, user_id, first)
    for one in kept(settings):
        teams[one.shown[0].team] += 1
    recommender.close()
    assert palate(settings, "eval", "online") == 0
    said = capsys.readouterr().out
    assert "Interleaving both: on against off" in said
    row = said.splitlines()[-1].split()
    assert row[:5] == ["6", str(teams["on"]), str(teams["off"]), "0", "6"]


def test_consent_is_true_or_false_and_nothing_else(client: FlaskClient, envelope_of: Any) -> None:
    error = envelope_of(client.post("/v1/recommend", json={"log": "yes"}), 400)
    assert "log = 'yes'" in error["message"]


def test_the_experiment_is_analysed_from_the_command_line(
    client: FlaskClient, settings: Settings, capsys: Any
) -> None:
    for user_id in USERS:
        take(client, user_id, ask(client, user_id)[0], "click")
    assert palate(settings, "eval", "online") == 0
    said = capsys.readouterr().out
    assert "12 logged requests of 12 users, something taken after 12" in said
    assert "A/B llm" in said
    assert "split of users as planned: p = " in said
    assert palate(settings, "eval", "online", "--kind", "purchase", "--experiment", "llm") == 0
    assert "something taken after 0" in capsys.readouterr().out
    for words in ([], ["--weight", "0.5", "--depth", "3"]):
        assert palate(settings, "eval", "off-policy", *words) == 0
        said = capsys.readouterr().out
        assert all(name in said for name in ("as logged", "IPS", "SNIPS", "DR", "12 requests"))


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (["from-log", "--out", "q.jsonl"], 2, "none of 0 logged requests became a question"),
        (["from-log", "--out", "no/where/q.jsonl"], 2, "its folder does not exist"),
        (["online", "--experiment", "other"], 3, "experiment 'other'"),
        (["online", "--kind", "bought"], 2, "--kind 'bought'"),
        (["off-policy"], 2, "no logged request has propensities"),
        (["off-policy", "--run", "runs/1"], 2, "which ranking is meant"),
        (["off-policy", "--weight", "1", "--run", "r", "--system", "s"], 2, "which ranking"),
        (["off-policy", "--weight", "-1"], 2, ""),
        (["online", "--home", "nowhere"], 3, "nowhere is no home"),
        (["online", "--config", "gone.toml"], 2, "gone.toml"),
    ],
)
def test_bad_input_is_one_clear_error(
    settings: Settings, words: list[str], code: int, named: str, capsys: Any
) -> None:
    assert palate(settings, "eval", *words) == code
    error = capsys.readouterr().err
    assert named in error
    assert "Traceback" not in error


def test_an_empty_log_has_no_experiment(settings: Settings, capsys: Any) -> None:
    assert palate(settings, "eval", "online") == 0
    assert "No experiment in the log" in capsys.readouterr().out


def test_a_user_can_be_forgotten_from_the_command_line(
    client: FlaskClient, settings: Settings, capsys: Any
) -> None:
    for user_id in ("u1", "u1", "u2"):
        ask(client, user_id)
    assert palate(settings, "requests", "count") == 0
    assert "3 requests of 2 users, since 20" in capsys.readouterr().out
    assert palate(settings, "requests", "erase", "u1") == 0
    assert "requests forgotten: 2" in capsys.readouterr().out
    assert palate(settings, "requests", "prune") == 0
    assert palate(settings, "requests", "prune", "--days", "0") == 0
    assert "requests forgotten: 1" in capsys.readouterr().out
    assert kept(settings) == []
    assert palate(settings, "requests", "count") == 0
    assert "No new ones are kept" in capsys.readouterr().out  # the settings there are defaults


def test_the_answer_does_not_depend_on_being_kept(client: FlaskClient) -> None:
    body = {"query": "tea", "explain": False}
    first = client.post("/v1/recommend", json={**body, "log": True}).get_json()
    second = client.post("/v1/recommend", json=body).get_json()
    assert json.dumps(first["recommendations"]) == json.dumps(second["recommendations"])
