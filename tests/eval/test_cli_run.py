"""``palate eval run`` as a user meets it: exit codes 0, 1 and 2, one line and a hint, no trace."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from agent.scripted import ScriptedModel
from eval.answers.cassette import Cassette
from eval.cli import app
from eval.records.folder import RunFolder
from tests.eval.runs.worlds import (
    Judge,
    answering,
    questions,
    reads,
    record_of,
    says_nothing,
    write_config,
)

BAR = '[[thresholds]]\nsystem = "v1"\nfigure = "failed_share"\nat_most = {}\n'


def palate(path: Path, *options: str) -> Result:
    runs = str(path.parent / "runs")
    return CliRunner().invoke(app, ["run", str(path), "--runs", runs, *options])


def refused(done: Result, says: str, *, hint: bool = True) -> None:
    """Exit code 2, one line and one hint on stderr, no trace and nothing on stdout."""
    assert done.exit_code == 2, done.output
    lines = [line for line in done.stderr.splitlines() if re.match(r"(error|hint): ", line)]
    assert len(lines) == 1 + hint, done.stderr
    assert lines[0].startswith("error: ")
    assert re.search(says, lines[0]), lines[0]
    assert "Traceback" not in done.output
    assert done.stdout == ""
    assert not list(Path().glob("runs/*/record.json"))


def test_the_exit_code_is_the_verdict(tmp_path: Path) -> None:
    path = write_config(tmp_path, questions(6), model='model = "scripted"\n' + BAR.format(0.0))
    done = palate(path, "--id", "good")
    assert done.exit_code == 0, done.output
    for text in (
        "good: 6 questions",
        "v1|m|0~shuf",
        "passed: v1|m|0 failed_share <= 0: 0.0000",
        "passed: 1 thresholds hold",
        "report: ",
    ):
        assert text in done.stdout
    harder = write_config(
        tmp_path,
        questions(6),
        model='model = "scripted"\n[[thresholds]]\nsystem = "v1"\nat_least = 1.1\n'
        '[[thresholds]]\nsystem = "v1"\nfigure = "kendall_tau"\nat_least = 0.0\n',
    )
    done = palate(harder, "--id", "bad")
    assert done.exit_code == 1
    assert re.search(r"FAILED: v1\|m\|0 ndcg@10 mean >= 1.1: 1\.0000", done.stdout)
    assert "FAILED: v1|m|0 kendall_tau >= 0: not measured" in done.stdout
    assert "failed: v1|m|0 ndcg@10 mean" in done.stdout


def test_a_budget_that_ends_early_is_no_pass(tmp_path: Path) -> None:
    path = write_config(tmp_path, questions(6), model='model = "scripted"')
    done = palate(path, "--budget", "3000", "--limit", "5")
    assert done.exit_code == 2
    assert "incomplete: " in done.stdout
    assert "of 3,000 tokens are spent" in done.stdout
    assert "left out: 1 (over the limit)" in done.stdout
    record = record_of(tmp_path / "runs")
    assert record["verdict"] == "incomplete"
    assert record["queries"] < record["asked_for"] == 5


@pytest.mark.parametrize(
    "options", [["--limit", "0"], ["--budget", "0"], ["--limit", "-3"], ["--budget", "many"]]
)
def test_a_limit_or_budget_of_nothing_is_bad_usage(tmp_path: Path, options: list[str]) -> None:
    done = palate(write_config(tmp_path, questions(2)), *options)
    assert done.exit_code == 2
    assert options[0] in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[pool]", "[pool]\njudgd = 3", r"c\.toml: pool\.judgd: there is no such entry"),
        ("[[models]]", "[[model]]", r"c\.toml: models?: "),
        ("questions.jsonl", "none.jsonl", r"cannot read .*none\.jsonl"),
        ("rerank@1", "rerank@77", "variant 'v1': there is no rerank@77; there is rerank@1"),
        ("rerank@1", "magic", "variant 'v1': there is no prompt 'magic'; the prompts are"),
        ("rerank@1", "extract@1", "extract@1 has no two labels"),
        ('"scripted"', '"none"', "model 'm' is 'none'"),
        ('"scripted"', '"gpt-9000"', "gpt-9000"),
        ('"scripted"', '"scripted"\nreplay = true\ncassette = "no.jsonl"', "there is no cassette"),
        ('"scripted"', '"scripted"\ncassette = "c.toml"', r"c\.toml is no cassette"),
        ('"scripted"', '"x"\nbase_url = "http://127.0.0.1:9/v1"', "127.0.0.1:9"),
    ],
)
def test_what_a_config_gets_wrong_is_said_in_one_line(
    tmp_path: Path, old: str, new: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_config(tmp_path, questions(2))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    refused(palate(path), says)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"relevant": []}, r"questions\.jsonl:3: relevant: .* at least 1 item"),
        ({"query_id": "q0"}, r"questions\.jsonl:3: query_id 'q0' stands in line 1 too"),
        ({"query_id": "x", "colour": 1}, r"questions\.jsonl:3: colour"),
    ],
)
def test_a_bad_question_stops_the_run(
    tmp_path: Path, line: dict[str, object], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_config(tmp_path, questions(2))
    asked = tmp_path / "questions.jsonl"
    row = json.loads(asked.read_text().splitlines()[0]) | {"query_id": "new"} | line
    asked.write_text(asked.read_text() + json.dumps(row) + "\n")
    refused(palate(path), says)


def test_no_config_and_a_config_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    refused(palate(tmp_path / "none.toml"), r"cannot read .*none\.toml")
    refused(palate(tmp_path), "Is a directory")
    (tmp_path / "c.toml").write_text("")
    refused(palate(tmp_path / "c.toml"), r"c\.toml: name: Field required")
    (tmp_path / "c.toml").write_text("variants = 3\nname = 'x'")
    refused(palate(tmp_path / "c.toml"), r"c\.toml: ")
    path = tmp_path / "systems.toml"
    path.write_text('name = "x"\n')
    refused(palate(path, "--limit", "3"), r"has no \[\[variants\]\]")


@pytest.mark.parametrize("share", ["all", "third"])
def test_failed_judgements_beyond_the_bar_stop_the_run(
    tmp_path: Path, share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def third(blocks: object) -> float | None:
        third.count += 1  # type: ignore[attr-defined]
        return None if third.count % 10 < 3 else 1.0  # type: ignore[attr-defined]

    third.count = 0  # type: ignore[attr-defined]
    model = Judge(says_nothing if share == "all" else third)
    path = write_config(tmp_path, questions(8))
    says = "(100%)" if share == "all" else "(30%)"
    with answering(model, monkeypatch):
        refused(palate(path), re.escape(says))
        # Whoever mended the model is not told the same again from the record.
    with answering(Judge(reads), monkeypatch):
        assert palate(path).exit_code == 0


def test_a_prompt_that_overflows_is_counted_below_the_bar_and_stops_the_run_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = questions(12)
    path = write_config(tmp_path, asked, "max_failed = 0.2")
    rows = [json.loads(line) for line in (tmp_path / "questions.jsonl").read_text().splitlines()]
    rows[3]["query_text"] = "far too long a wish " * 40
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with answering(ScriptedModel(context_tokens=270), monkeypatch):  # type: ignore[arg-type]
        done = palate(path)
        assert done.exit_code == 0, done.output
        assert "left out: 1 (call failed, S stands: v1|m|0)" in done.stdout
    with answering(ScriptedModel(context_tokens=60), monkeypatch):  # type: ignore[arg-type]
        path = write_config(tmp_path, asked, "max_failed = 0.3", model='cassette = "new.jsonl"')
        done = palate(path)
    assert done.exit_code == 2
    assert "judgements failed (100%), max_failed is 30%; the first: context_overflow" in done.stderr


def test_a_folder_that_another_run_writes_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_config(tmp_path, questions(2))
    at = datetime.now(UTC)
    with RunFolder.create(tmp_path / "runs", "try", run_id="mine", at=at):
        refused(palate(path, "--id", "mine"), r"another run is writing .*mine")
    refused(palate(path, "--id", "../out"), "cannot name a run")


def test_a_log_too_short_for_three_periods_and_broken_games_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "items.csv").write_text("item_id,title\na,Tea\nb,Cup\n")
    (shop / "interactions.csv").write_text(
        "user_id,item_id,kind,value,at\nu,a,purchase,1,2024-01-01\nu,b,purchase,1,2024-01-02\n"
    )
    path = write_config(tmp_path, questions(1))
    ready = 'format = "questions"\npath = "questions.jsonl"'
    text = path.read_text()
    path.write_text(text.replace(ready, 'path = "shop"'))
    refused(palate(path), "2 events do not spread over three periods")
    path.write_text(text.replace(ready, 'path = "gone"'))
    refused(palate(path), "gone")
    path.write_text(text.replace(ready, 'format = "games6k"\npath = "shop"'))
    refused(palate(path), r"there is no .*Games-6k\.item\.gz")


def test_a_torn_cassette_is_mentioned_and_used(tmp_path: Path) -> None:
    path = write_config(tmp_path, questions(2), model='model = "scripted"\ncassette = "m.jsonl"')
    assert palate(path).exit_code == 0
    with (tmp_path / "m.jsonl").open("a") as file:
        file.write('{"key": "to')
    done = palate(path)
    assert done.exit_code == 0
    assert "1 torn lines are left out" in done.stderr
    assert Cassette(tmp_path / "m.jsonl").torn == 1
