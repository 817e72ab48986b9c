"""docs/evaluation.md says what the code does: every key, figure, file, column and field."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from eval.answers.cassette import Answer
from eval.config import EvalConfig
from eval.probes.attacks import load_attacks
from eval.probes.bins import BinAblation
from eval.probes.grounding import GroundingFigures
from eval.prompt_config import FIGURES, PromptRunConfig, Threshold, read_prompt_config
from eval.prompt_run import run_prompts
from eval.question import _QuestionRow, read_questions
from eval.records.record import (
    Comparison,
    Cost,
    Figure,
    Probes,
    RequiredN,
    RunRecord,
    Sequential,
    Stratum,
    System,
    read_record,
)
from eval.reproduce import Expected

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
NAN = float("nan")


class Quiet:
    def start(self, stage: str, total: int | None) -> None:
        """Nothing to draw."""

    def advance(self, n: int = 1) -> None:
        """Nothing to draw."""

    def note(self, text: str) -> None:
        """Nothing to say."""


def section(heading: str) -> str:
    """What stands below a heading of the second level."""
    start = GUIDE.index(f"\n## {heading}\n")
    return GUIDE[start + 1 :].partition("\n## ")[0] + "\n"


def tables(heading: str) -> list[dict[str, list[str]]]:
    """The tables of a section, each as the cells behind the names in its first column."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", section(heading), re.MULTILINE):
        rows = [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|\n"))]
            for line in block.splitlines()[2:]
        ]
        found.append(
            {
                name: cells
                for first, *cells in rows
                for name in re.findall(r"`([^`]+)`", first) or [first]
            }
        )
    return found


def tables_of(annotation: Any) -> type[BaseModel] | None:
    """The model behind ``Model``, ``tuple[Model, ...]`` or ``Annotated[list[Model], …]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, list):
        return tables_of(get_args(annotation)[0])
    return None


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted key and default of everything that a file may say, as the guide writes both."""
    for name, field in model.model_fields.items():
        inner = tables_of(field.annotation)
        if inner is None:
            yield f"{prefix}{name}", default_of(field)
        else:
            yield from keys(inner, f"{prefix}{name}.")


def default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    return "–" if default is None else f"`{json.dumps(default)}`"


@pytest.mark.parametrize(
    ("model", "heading"),
    [
        (PromptRunConfig, "Config of a run of prompts"),
        (EvalConfig, "Config of a run of estimators"),
        (Expected, "The other commands"),
        (_QuestionRow, "Questions as a file"),
    ],
)
def test_every_key_is_documented_with_its_default_and_no_other(
    model: type[BaseModel], heading: str
) -> None:
    (table,) = tables(heading)
    assert {key: cells[0] for key, cells in table.items()} == dict(keys(model))


def test_every_figure_of_a_threshold_is_documented() -> None:
    (table,) = tables("Thresholds")
    assert set(table) == set(FIGURES)


def test_the_thresholds_of_the_guide_are_accepted() -> None:
    snippet = "\n".join(
        line.strip() for line in section("Thresholds").splitlines() if line.startswith("    ")
    )
    bars = [Threshold(**bar) for bar in tomllib.loads(snippet)["thresholds"]]
    assert [bar.figure for bar in bars] == ["delta_low", "over_shuffled_low", "mean_lift"]


def test_what_an_answer_on_a_cassette_holds_is_documented() -> None:
    said = section("Answers, cassettes, and CI without a model")
    for name in Answer.__dataclass_fields__:
        assert f"`{name}`" in said, name


def test_the_line_of_the_guide_reads_back_as_a_question(tmp_path: Path) -> None:
    line = GUIDE.partition("```json\n")[2].partition("\n```")[0]
    (tmp_path / "questions.jsonl").write_text(line + "\n", "utf-8")
    (question,) = read_questions(tmp_path / "questions.jsonl")
    assert question.query_id == "q1"
    assert question.relevant == {"tea-chamomile"}
    assert [item.item_id for item in question.candidates] == ["tea-chamomile", "tea-assam"]
    assert set(json.loads(line)) == set(_QuestionRow.model_fields), "the line shows every field"


def test_the_number_of_attacks_is_the_one_of_the_guide() -> None:
    attacks = load_attacks()
    assert {attack.lang for attack in attacks} == {"en", "zh"}
    (costs, _) = tables("Probes")
    assert costs["injection"][1] == str(len(attacks))
    assert f"{len(attacks)} texts in two languages" in GUIDE


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worked example on four questions, with every probe but grounding."""
    config = read_prompt_config(ROOT / "eval" / "configs" / "demo-rerank.toml")
    (model,) = config.models
    small = config.model_copy(
        update={
            "limit": 4,
            "models": (
                model.model_copy(update={"model": "scripted", "cassette": None, "replay": False}),
            ),
            "probes": config.probes.model_copy(update={"position": 1, "bins": 1, "injection": 1}),
        }
    )
    folder, _ = run_prompts(small, tmp_path_factory.mktemp("runs"), Quiet())
    return folder


def test_every_file_of_a_run_is_documented(run: Path) -> None:
    files = tables("What is in `runs/ID/`")[0]
    written = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {re.sub(r"^trec/.*", "trec/SYSTEM.trec", name) for name in written} == set(files)


def test_every_column_of_a_run_is_documented(run: Path) -> None:
    _, rows, judgements, *_ = tables("What is in `runs/ID/`")
    metrics = read_record(run).config["metrics"]
    columns = [
        "METRIC" if name in metrics else re.sub(r"^stratum_.*", "stratum_NAME", name)
        for name in pq.read_schema(run / "rows.parquet").names
    ]
    assert set(columns) == set(rows)
    assert set(pq.read_schema(run / "judgements.parquet").names) == set(judgements)
    for file in ("prompts.parquet", "questions.parquet"):
        said = GUIDE[GUIDE.index(f"`{file}` has ") :].partition("\n\n")[0]
        for name in pq.read_schema(run / file).names:
            assert f"`{name}`" in said, (file, name)


def test_every_field_of_the_record_is_documented() -> None:
    *_, record, system = tables("What is in `runs/ID/`")
    assert set(record) == set(RunRecord.model_fields)
    assert set(system) == set(System.model_fields)
    for model, cells in (
        (RequiredN, record["required_n"]),
        (Figure, system["figures"]),
        (Stratum, system["strata"]),
        (Cost, system["cost"]),
        (Comparison, system["comparisons"]),
        (Sequential, system["sequential"]),
    ):
        for name in model.model_fields:
            assert f"`{name}`" in cells[0], (model.__name__, name)


def test_every_shape_of_a_probe_is_documented(run: Path) -> None:
    (_, shapes) = tables("Probes")
    assert set(shapes) == set(Probes.model_fields)
    found = read_record(run).system("v1|qwen|0").probes.model_dump()
    found["grounding"] = GroundingFigures(0, 0, 0, 0, NAN, NAN, NAN, NAN).to_json()
    assert found["bin_ablation"].keys() == BinAblation(0, NAN, NAN, NAN, 0, 0).to_json().keys()
    for name, value in found.items():
        first = value[0] if isinstance(value, list) else value
        for key in first if isinstance(first, dict) else ():
            assert f"`{key}`" in shapes[name][0], (name, key)
    for key in found["calibration"]["bins"][0]:
        assert f"`{key}`" in shapes["calibration"][0], key
