"""``palate recommend`` as people type it."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from agent.recommend import Recommender
from agent.settings import Settings
from retrieval.errors import InvalidInput
from retrieval.types import Constraint, Query
from server.cli.console import GlobalOptions
from server.cli.recommend import print_answer, register
from server.cli.where import parse_where


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price<50", Constraint("price", "lt", 50.0)),
        ("price <= 49.90", Constraint("price", "le", 49.9)),
        ("price>=5", Constraint("price", "ge", 5.0)),
        ("colour=red", Constraint("colour", "eq", "red")),
        ("colour!=dark red", Constraint("colour", "ne", "dark red")),
        ("tags~vegan", Constraint("tags", "contains", "vegan")),
        ("wireless=true", Constraint("wireless", "eq", True)),
        ('size="42"', Constraint("size", "eq", "42")),
        ("size in S, M", Constraint("size", "in", ("S", "M"))),
        ("size not in 41,42", Constraint("size", "not_in", (41.0, 42.0))),
        ("产地=福建", Constraint("产地", "eq", "福建")),
        ("url=a=b", Constraint("url", "eq", "a=b")),
    ],
)
def test_a_condition_is_read(text: str, expected: Constraint) -> None:
    assert parse_where(text) == expected


@pytest.mark.parametrize(
    "text", ["", "price", "<5", "price<", "price<cheap", "in", "size in ,", "=="]
)
def test_a_condition_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="condition"):
        parse_where(text)


def test_the_table_shows_rank_title_score_parts_reasons_and_the_trace(
    recommender: Recommender,
) -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    print_answer(recommender.recommend(Query(user_id="ann", text="a quiet kettle", n=3)), console)
    shown = console.export_text()
    assert "Steel kettle  k1" in shown
    assert '"hardly any noise"' in shown
    assert "behaviour +" in shown
    assert "█" in shown
    assert "ranked by fused+llm (prior weights)" in shown
    assert "scripted, 1 call" in shown


def test_an_empty_answer_says_why(recommender: Recommender) -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    print_answer(recommender.recommend(Query(text="tea under $1")), console)
    shown = console.export_text()
    assert "Nothing to recommend." in shown
    assert "no item satisfies price < 1" in shown


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    register(made)

    @made.callback()
    def _group() -> None:
        """So that the command keeps its name."""

    return made


def test_json_is_the_whole_answer(app: typer.Typer, filled: Settings) -> None:
    result = CliRunner().invoke(
        app,
        ["recommend", "-q", "绿茶", "-n", "2", "--where", "price<20", "--no-rerank", "--json"],
        obj=GlobalOptions(home=filled.store.home),
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert len(answer["recommendations"]) == 2
    assert answer["trace"]["ranker_used"] == "fused"


def test_bad_input_is_one_line_and_a_hint(settings: Settings) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "server.cli.main", "--home", str(settings.store.home),
         "recommend", "-n", "0", "--no-rerank"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert "error: n = 0" in run.stderr
    assert "hint: n is a whole number from 1 to 200" in run.stderr
    assert "Traceback" not in run.stderr
