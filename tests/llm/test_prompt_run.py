"""A prompt run on the real vLLM, and its replay without any model."""

from __future__ import annotations

from pathlib import Path

from agent.models.serve import ModelServer
from eval.load import load_questions
from eval.prompt_config import (
    ModelConfig,
    PoolConfig,
    ProbeConfig,
    PromptData,
    read_prompt_config,
)
from eval.prompt_run import run_prompts
from eval.question import write_questions
from eval.records.tables import read_judgements, read_rows


class Quiet:
    def start(self, stage: str, total: int | None) -> None:
        """Nothing to draw."""

    def advance(self, n: int = 1) -> None:
        """Nothing to draw."""

    def note(self, text: str) -> None:
        """Nothing to say."""


DEMO = Path(__file__).parents[2] / "eval" / "configs" / "demo-rerank.toml"


def test_a_run_on_vllm_is_recorded_and_replays_exactly_without_it(
    tiny_server: ModelServer, tmp_path: Path
) -> None:
    live = ModelConfig(
        name="tiny",
        model=tiny_server.model,
        base_url=tiny_server.base_url,
        cassette=tmp_path / "answers.jsonl",
    )
    demo = read_prompt_config(DEMO)
    # The tiny model's tokenizer has no single token for the Chinese labels.
    english = [q for q in load_questions(demo, Quiet()).questions if q.lang == "en"]
    write_questions(tmp_path / "questions.jsonl", english[:4])
    config = demo.model_copy(
        update={
            "data": PromptData(format="questions", path=tmp_path / "questions.jsonl"),
            "variants": demo.variants[:1],
            "models": (live,),
            "pool": PoolConfig(judged=5),
            "probes": ProbeConfig(position=2, injection=1),
            "thresholds": (),
        }
    )
    folder, record = run_prompts(config, tmp_path / "runs", Quiet())
    asked = record.system("v1|tiny|0")
    assert record.verdict == "passed", record.verdict_because
    assert (asked.judged, asked.failed) == (20, 0)
    assert asked.cost.prompt_tokens > 1000
    assert asked.cost.replayed == 0
    assert asked.probes.injection is not None
    assert (folder / "report.html").stat().st_size > 100_000
    # The model reads the card: it does not say the same of every item.
    assert len({round(row.log_odds, 6) for row in read_judgements(folder)}) > 10

    replayed = config.model_copy(
        update={"models": (live.model_copy(update={"base_url": "", "replay": True}),)}
    )
    again, second = run_prompts(replayed, tmp_path / "runs", Quiet())
    assert second.models[0].replayed
    assert second.system("v1|tiny|0").cost.asked == 0
    assert [row.log_odds for row in read_judgements(again)] == [
        row.log_odds for row in read_judgements(folder)
    ]
    assert [(row.system, row.query_id, row.metrics, row.delta) for row in read_rows(again)] == [
        (row.system, row.query_id, row.metrics, row.delta) for row in read_rows(folder)
    ]
