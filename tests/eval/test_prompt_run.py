"""A whole run in this process: its files, its verdict, its replay, its lock."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.scripted import ScriptedModel
from eval.prompt_config import PromptRunConfig, read_prompt_config
from eval.prompt_run import run_prompts
from eval.records.folder import RunFolder
from eval.records.record import RunRecord, read_record
from eval.records.tables import Row, read_judgements, read_prompts, read_rows
from eval.records.trec import read_qrels, read_trec_run
from prompts.prompt import conversation_sha256
from retrieval.errors import InvalidInput, ModelUnavailable, NotFound
from tests.eval.runs.worlds import (
    Judge,
    Watcher,
    answering,
    config,
    looks_at_cards,
    questions,
    reads,
    without_cards,
    write_config,
)

V1 = "v1|m|0"
COUNT = 12
BARS = """
[[thresholds]]
system = "v1"
figure = "over_shuffled_low"
at_least = 0.0
[[thresholds]]
system = "v1"
figure = "failed_share"
at_most = 0.01
[probes]
position = 2
bins = 2
injection = 1
"""
CASSETTE = 'cassette = "m.jsonl"'


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One recorded run, ``runs/first``, of a judge that reads the person."""
    folder = tmp_path_factory.mktemp("world")
    path = write_config(folder, questions(COUNT), model=CASSETTE + BARS)
    patch = pytest.MonkeyPatch()
    with answering(Judge(reads), patch):
        run_prompts(read_prompt_config(path), folder / "runs", Watcher(), run_id="first")
    return folder


@pytest.fixture
def first(world: Path) -> RunRecord:
    return read_record(world / "runs" / "first")


def replaying(world: Path, **changes: Any) -> PromptRunConfig:
    wanted = read_prompt_config(world / "c.toml")
    models = tuple(one.model_copy(update={"replay": True}) for one in wanted.models)
    return wanted.model_copy(update={"models": models} | changes)


def rows(folder: Path) -> list[Row]:
    """Without what tells a replay from the run that recorded it."""
    return [replace(row, replayed=0) for row in read_rows(folder)]


def figures(record: RunRecord | Mapping[str, Any]) -> Any:
    """What a run found, as JSON without who asked when."""
    values = record.model_dump() if isinstance(record, RunRecord) else dict(record)
    for name in ("id", "at", "config", "models"):
        del values[name]
    for one in values["systems"]:
        one["cost"] = {k: v for k, v in one["cost"].items() if k not in ("asked", "replayed")}
    return json.loads(json.dumps(values))


def test_the_record_says_what_was_run_and_found(world: Path, first: RunRecord) -> None:
    assert first.verdict == "passed"
    assert [bar.passed for bar in first.thresholds] == [True, True]
    assert first.verdict_because == "2 thresholds hold"
    assert (first.queries, first.asked_for, first.catalogue) == (COUNT, COUNT, COUNT * 12)
    assert [(one.name, one.model_id) for one in first.models] == [("m", "fake")]
    assert [(one.variant, one.reference, one.lang) for one in first.prompts] == [
        ("v1", "rerank@1", "en")
    ]
    assert [one.name for one in first.systems] == [
        "S", "behaviour", "popular", V1, f"{V1}~alone", f"{V1}~shuffled", "random", "popularity",
    ]  # fmt: skip
    assert first.left_out == {}
    needed = first.required_n
    assert needed is not None
    assert needed.needed is not None
    assert needed.have == COUNT
    probes = first.system(V1).probes
    assert probes.position_bias
    assert probes.calibration
    assert probes.injection
    assert probes.bin_ablation
    assert (world / "runs" / "first" / "report.html").stat().st_size > 100_000


def test_the_files_of_a_run_agree_with_each_other(world: Path, first: RunRecord) -> None:
    folder = world / "runs" / "first"
    asked = {one.query_id: one for one in questions(COUNT)}
    assert read_qrels(folder) == {name: one.relevant for name, one in asked.items()}
    prompts = read_prompts(folder)
    assert all(conversation_sha256(turns) == sha256 for sha256, turns in prompts.items())
    judgements = read_judgements(folder, system=V1)
    assert len(judgements) == COUNT * 12
    order = read_trec_run(folder, V1)
    for one in judgements:
        assert one.conversation in prompts
        assert order[one.query_id][one.final_rank - 1] == one.item_id
        assert asked[one.query_id].candidates[one.base_rank - 1].item_id == one.item_id
    by_system: dict[str, list[float]] = {}
    for row in read_rows(folder):
        by_system.setdefault(row.system, []).append(row.metrics["ndcg@10"])
    for name, values in by_system.items():
        figure = first.system(name).figures["ndcg@10"]
        assert figure.mean == pytest.approx(sum(values) / len(values))


def test_a_replay_in_a_fresh_process_without_a_model_finds_the_same_to_the_bit(
    world: Path, first: RunRecord
) -> None:
    path = world / "replay.toml"
    text = (world / "c.toml").read_text()
    path.write_text(text.replace(CASSETTE, f"{CASSETTE}\nreplay = true"))
    done = subprocess.run(
        [sys.executable, "-m", "server.cli.main", "eval", "run", str(path), "--id", "again"],
        cwd=world,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    old, new = world / "runs" / "first", world / "runs" / "again"
    record = read_record(new)
    assert figures(record) == figures(first)
    assert record.models[0].replayed
    assert rows(new) == rows(old)
    for name in ("prompts.parquet", "judgements.parquet", "questions.parquet", "qrels.txt"):
        assert (new / name).read_bytes() == (old / name).read_bytes(), name
    assert [one.name for one in (new / "trec").iterdir()] == [
        one.name for one in (old / "trec").iterdir()
    ]
    for one in (new / "trec").iterdir():
        assert one.read_bytes() == (old / "trec" / one.name).read_bytes()


def test_a_replay_with_a_changed_prompt_asks_for_a_model(world: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    texts = Path(__file__).parents[2] / "prompts" / "texts"
    for lang in ("en", "zh"):
        text = (texts / f"rerank.v1.{lang}.md").read_text().replace("version: 1", "version: 7")
        changed = text.replace("Judge whether", "Decide whether").replace("判断", "决定")
        (own / f"rerank.v7.{lang}.md").write_text(changed)
    wanted = replaying(world)
    variant = wanted.variants[0].model_copy(update={"prompt": "rerank@7", "folder": own})
    with pytest.raises(ModelUnavailable, match="no answer for 12 of 12 requests") as caught:
        run_prompts(
            wanted.model_copy(update={"variants": (variant,)}), tmp_path / "runs", Watcher()
        )
    assert "run once with the model" in caught.value.hint


def test_a_failing_call_is_counted_and_replays_as_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = questions(COUNT)
    asked[3] = replace(asked[3], query_text="far too long a wish " * 40)
    path = write_config(tmp_path, asked, "max_failed = 0.1", model=CASSETTE)
    wanted = read_prompt_config(path)
    with answering(ScriptedModel(context_tokens=270), monkeypatch):  # type: ignore[arg-type]
        folder, record = run_prompts(wanted, tmp_path / "runs", Watcher())
    assert record.left_out[f"call failed, S stands: {V1}"] == 1
    assert record.system(V1).failed == 12
    (row,) = [row for row in read_rows(folder) if (row.system, row.query_id) == (V1, "q3")]
    assert (row.delta, row.failed, row.judged) == (0.0, 12, 12)
    again, replayed = run_prompts(replaying(tmp_path), tmp_path / "runs", Watcher())
    assert figures(replayed) == figures(record)
    assert rows(again) == rows(folder)


def test_a_spent_budget_leaves_an_incomplete_run_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: Path, first: RunRecord
) -> None:
    path = write_config(tmp_path, questions(COUNT), model=CASSETTE + BARS)
    wanted = read_prompt_config(path)
    model = Judge(reads)
    with answering(model, monkeypatch):
        _, record = run_prompts(wanted, tmp_path / "runs", Watcher(), budget=1_000)
        assert record.verdict == "incomplete"
        assert "of 1,000 tokens are spent" in record.verdict_because
        assert 0 < record.queries < COUNT
        assert record.left_out[f"not asked: {V1}"] == COUNT - record.queries
        _, record = run_prompts(wanted, tmp_path / "runs", Watcher())
    assert record.verdict == "passed"
    assert len(model.asked) == len(set(model.asked)) + 2 * 12 * 3  # three positions, two questions
    ours, theirs = figures(record), figures(first)
    for values in (ours, theirs):
        for one in values["systems"]:
            del one["cost"]
    assert ours == theirs


def test_a_judge_that_ignores_the_person_does_not_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = BARS.replace("at_least = 0.0", "at_least = 0.001").partition("[probes]")[0]
    path = write_config(tmp_path, questions(COUNT), model=bars)
    with answering(Judge(looks_at_cards), monkeypatch):
        _, record = run_prompts(read_prompt_config(path), tmp_path / "runs", Watcher())
    assert record.verdict == "failed"
    assert record.verdict_because == f"{V1} ndcg@10 over_shuffled_low >= 0.001"
    assert (tmp_path / "runs" / "answers" / "fake.jsonl").is_file()


def test_two_runs_cannot_write_one_folder(world: Path, first: RunRecord) -> None:
    at = datetime.now(UTC)
    with (
        RunFolder.create(world / "runs", "try", run_id="mine", at=at),
        pytest.raises(InvalidInput, match=r"another run is writing .*mine \(process \d+ since"),
    ):
        run_prompts(replaying(world), world / "runs", Watcher(), run_id="mine")
    with pytest.raises(InvalidInput, match=r"run first in .* is finished already"):
        run_prompts(replaying(world), world / "runs", Watcher(), run_id="first")


def test_what_cannot_begin_leaves_no_folder_behind(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    unknown = [{"name": "v9", "prompt": "rerank@9"}]
    other = [{"name": "v1", "prompt": "extract"}]
    gone = {"format": "questions", "path": tmp_path / "none.jsonl"}
    shop = {"path": tmp_path / "no shop"}
    for wanted, kind, says in (
        (config(variants=unknown), InvalidInput, r"variant 'v9': there is no rerank@9; there is"),
        (config(variants=other), InvalidInput, "extract has no two labels to judge with"),
        (config(data=gone), InvalidInput, r"cannot read .*none\.jsonl"),
        (config(data=shop), NotFound, "no shop"),
        (
            config(variants=[{"name": "v1", "folder": tmp_path / "none"}]),
            InvalidInput,
            "there is no such folder",
        ),
    ):
        with pytest.raises(kind, match=says) as caught:
            run_prompts(wanted, runs, Watcher())
        assert caught.value.hint
    assert not runs.exists()


def test_questions_without_any_card_are_refused(tmp_path: Path) -> None:
    path = write_config(tmp_path, [without_cards(one) for one in questions(3)])
    with pytest.raises(InvalidInput, match="none of 3 questions has a candidate with a card"):
        run_prompts(read_prompt_config(path), tmp_path / "runs", Watcher())


@pytest.mark.parametrize("count", [1, 3, 20])
def test_what_the_questions_can_show_is_said_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    path = write_config(tmp_path, questions(count), model='model = "none"')
    watcher = Watcher()
    with pytest.raises(ModelUnavailable, match="is 'none'"):
        run_prompts(read_prompt_config(path), tmp_path / "runs", watcher)
    (note,) = watcher.notes
    assert note.startswith(f"{count} questions; a difference of 0.01 in ndcg@10 takes about 785")
    assert note.endswith("can see 0.063" if count == 20 else f"{count} are too few to see any")


def test_the_settings_name_the_model_that_a_config_leaves_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_LLM_MODEL", "none")
    path = write_config(tmp_path, questions(1), model="")
    with pytest.raises(ModelUnavailable, match="is 'none'"):
        run_prompts(read_prompt_config(path), tmp_path / "runs", Watcher())
