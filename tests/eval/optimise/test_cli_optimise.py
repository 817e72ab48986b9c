"""``palate eval optimise rerank``: one command from a config to a version, or to a plain no."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from eval.cli import app
from eval.optimise.search import optimise
from eval.optimise.settings import OptimiseSettings
from eval.optimise.space import read_instructions
from eval.prompt_config import read_prompt_config
from eval.question import write_questions
from prompts.library import PromptLibrary
from retrieval.errors import InvalidInput, NotFound
from tests.eval.optimise.worlds import BASES, Notes, SystemTurnModel, lane, questions

CONFIG = """
name = "gadgets"
data = { format = "questions", path = "questions.jsonl" }
pool = { judged = 12 }

[[models]]
name = "recorded"
cassette = "answers.jsonl"
replay = true

[[models]]
name = "scripted"
model = "scripted"

[[variants]]
name = "v1"
prompt = "rerank@1"
"""
INSTRUCTIONS = """
always = { en = "Answer yes or no.", zh = "只回答是或否。" }
[[instructions]]
id = "gamma"
about = "lets the model see"
en = { system = "Judge by the gamma rule.", question = "Is it gamma?" }
zh = { system = "按gamma规则判断。", question = "是gamma吗？" }
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gadgets.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "mine.toml").write_text(INSTRUCTIONS, encoding="utf-8")
    write_questions(tmp_path / "questions.jsonl", questions(30))
    return tmp_path


def call(*more: str) -> Result:
    options = ["--instructions", "mine.toml", "--out", "own", *more]
    return CliRunner().invoke(
        app, ["optimise", "rerank", "gadgets.toml", *options], env={"COLUMNS": "200"}
    )


def record(world: Path) -> dict[str, object]:
    (path,) = world.glob("runs/*-gadgets-optimise/optimise.json")
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_a_better_prompt_is_written_with_the_run_that_would_confirm_it(world: Path) -> None:
    model = SystemTurnModel("gamma")
    optimise(
        lane(world, model),
        questions(30),
        BASES,
        OptimiseSettings(candidates=12, weight=0.5),
        Notes(),
        instructions=read_instructions(world / "mine.toml"),
    )
    result = call()
    assert result.exit_code == 0, result.output
    assert "is better than rerank@1" in result.output
    assert "asked for 0 tokens" in result.output
    assert record(world)["written"] == "rerank@2"
    found = PromptLibrary(world / "own").find("rerank@2", "en")
    assert found.turns[0][1] == "Judge by the gamma rule. Answer yes or no."
    lines = result.output.splitlines()
    start, end = lines.index("[[variants]]"), lines.index("at_least = 0.0")
    copy = world / "copy.toml"
    copy.write_text("\n".join([CONFIG, *lines[start : end + 1]]), encoding="utf-8")
    assert [one.name for one in read_prompt_config(copy).variants] == ["v1", "rerank-v2"]
    assert read_prompt_config(copy).variants[1].folder == (world / "own").resolve()


def test_where_nothing_is_better_it_says_so_and_writes_no_prompt(world: Path) -> None:
    result = call("--model", "scripted")  # which does not read system turns at all
    assert result.exit_code == 0, result.output
    assert "no other prompt is significantly better" in result.output
    assert "it saves tokens and ranks no better" in result.output
    assert not (world / "own").exists()
    assert record(world)["written"] is None


def test_written_anyway_is_written_without_a_claim(world: Path) -> None:
    result = call("--model", "scripted", "--price", "0", "--write-anyway")
    assert result.exit_code == 0, result.output
    assert "It is not proven better" in result.output
    assert record(world)["decision"] == "none"
    assert PromptLibrary(world / "own").versions("rerank")[-1] == 2


def test_a_spent_budget_is_told_by_the_exit_code(world: Path) -> None:
    result = call("--model", "scripted", "--budget", "20000")
    assert result.exit_code == 2
    assert "stopped: " in result.output
    assert record(world)["decision"] == "incomplete"


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        (["--model", "gpt"], NotFound, "no model 'gpt'"),
        (["--variant", "v9"], NotFound, "no variant 'v9'"),
        (["--shots", "many"], InvalidInput, "shots: 'many'"),
        (["--price", "-1"], InvalidInput, "a price of -1"),
        (["--model", "scripted", "--limit", "3"], InvalidInput, "3 questions are too few"),
    ],
)
def test_what_cannot_be_searched_is_named(
    world: Path, options: list[str], error: type[Exception], said: str
) -> None:
    result = call(*options)
    assert isinstance(result.exception, error)
    assert said in str(result.exception)
    assert not (world / "own").exists()
