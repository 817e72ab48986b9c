"""Rows of a run as Parquet: one a query, one a judged item, one a conversation.

A number that is missing is NaN in both directions: NaN in the file, and NaN again where
another writer left a null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eval.records.parquet import read_json_cell, read_table, write_table
from eval.records.whole import finite
from prompts.prompt import Turn

ROWS, JUDGEMENTS, PROMPTS = "rows.parquet", "judgements.parquet", "prompts.parquet"

_STRATUM = "stratum_"
_ROW = {
    "system": "text",
    "query_id": "text",
    "delta": "float",
    "prompt_tokens": "int",
    "completion_tokens": "int",
    "milliseconds": "float",
    "calls": "int",
    "judged": "int",
    "failed": "int",
    "missing": "int",
    "replayed": "int",
}
_JUDGEMENT = {
    "system": "text",
    "query_id": "text",
    "item_id": "text",
    "base_rank": "int",
    "final_rank": "int",
    "base_score": "float",
    "log_odds": "float",
    "logprobs": "text",
    "parts": "text",
    "relevant": "bool",
    "conversation": "text",
}
_PROMPT = {"sha256": "text", "turns": "text"}


@dataclass(frozen=True, slots=True)
class Row:
    """One system's answer to one query.

    Attributes:
        system, query_id: which.
        strata: group by stratum.
        metrics: value by metric name; NaN where there was nothing to measure.
        delta: the primary metric minus that of S; 0 for S itself, NaN where either is.
        prompt_tokens, completion_tokens, milliseconds, calls: what it cost.
        judged, failed, missing, replayed: how many items.
    """

    system: str
    query_id: str
    strata: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    delta: float = math.nan
    prompt_tokens: int = 0
    completion_tokens: int = 0
    milliseconds: float = 0.0
    calls: int = 0
    judged: int = 0
    failed: int = 0
    missing: int = 0
    replayed: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """One candidate that a model judged.

    Attributes:
        system, query_id, item_id: which.
        base_rank, final_rank: 1-based, by S and with the model's part.
        base_score: S.
        log_odds: ℓ; NaN when the judgement failed.
        logprobs: by label; empty when the judgement failed.
        parts: of the final score, ``llm`` among them; they add up to it.
        relevant: whether it is one of the items to find.
        conversation: SHA-256 of what was shown, as in ``Shown``.
    """

    system: str
    query_id: str
    item_id: str
    base_rank: int
    final_rank: int
    base_score: float
    log_odds: float
    logprobs: Mapping[str, float]
    parts: Mapping[str, float]
    relevant: bool
    conversation: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One conversation as the model got it."""

    sha256: str
    turns: Sequence[Turn]


def write_rows(folder: Path, rows: Iterable[Row]) -> Path:
    """Write ``rows.parquet``: a column a stratum (``stratum_NAME``) and a column a metric."""
    all_rows = list(rows)
    columns: dict[str, list[Any]] = {
        name: [getattr(row, name) for row in all_rows] for name in _ROW
    }
    strata = _names(row.strata for row in all_rows)
    for name in strata:
        columns[_STRATUM + name] = [row.strata.get(name) for row in all_rows]
    metrics = _names(row.metrics for row in all_rows)
    for name in metrics:
        columns[name] = [row.metrics.get(name, math.nan) for row in all_rows]
    schema = _ROW | {_STRATUM + name: "text" for name in strata} | dict.fromkeys(metrics, "float")
    return write_table(folder / ROWS, schema, columns)


def read_rows(folder: Path) -> list[Row]:
    """Every row in file order; a column that is none of ours is a metric.

    Raises:
        NotFound: the run has no such file.
        InvalidInput: not Parquet, or a column is missing.
    """
    rows = []
    for values in read_table(folder / ROWS, _ROW, others=True):
        others = [name for name in values if name not in _ROW]
        rows.append(
            Row(
                **{name: values[name] for name in _ROW if name != "delta"},
                delta=_number(values["delta"]),
                strata={
                    name.removeprefix(_STRATUM): values[name]
                    for name in others
                    if name.startswith(_STRATUM) and values[name] is not None
                },
                metrics={
                    name: _number(values[name]) for name in others if not name.startswith(_STRATUM)
                },
            )
        )
    return rows


def write_judgements(folder: Path, judgements: Iterable[Judgement]) -> Path:
    """Write ``judgements.parquet``; label log-probabilities and parts as JSON text."""
    all_of_them = list(judgements)
    columns: dict[str, list[Any]] = {
        name: [getattr(one, name) for one in all_of_them] for name in _JUDGEMENT
    }
    for name in ("logprobs", "parts"):
        columns[name] = [
            json.dumps(finite(dict(value)), ensure_ascii=False) for value in columns[name]
        ]
    return write_table(folder / JUDGEMENTS, _JUDGEMENT, columns)


def read_judgements(
    folder: Path, *, query_id: str | None = None, system: str | None = None
) -> list[Judgement]:
    """Every judgement in file order, or only those of one query, one system or both.

    Raises:
        NotFound: the run has no such file.
        InvalidInput: not Parquet, a column is missing, or a cell holds no JSON.
    """
    asked = {"query_id": query_id, "system": system}
    only = {name: [value] for name, value in asked.items() if value is not None}
    path = folder / JUDGEMENTS
    return [
        Judgement(
            **values
            | {
                "log_odds": _number(values["log_odds"]),
                "logprobs": _numbers(path, values["logprobs"]),
                "parts": _numbers(path, values["parts"]),
            }
        )
        for values in read_table(path, _JUDGEMENT, only)
    ]


def write_prompts(folder: Path, shown: Iterable[Shown]) -> Path:
    """Write ``prompts.parquet``: every conversation once, the first of equal hashes."""
    once: dict[str, Shown] = {}
    for one in shown:
        once.setdefault(one.sha256, one)
    turns = [json.dumps(list(one.turns), ensure_ascii=False) for one in once.values()]
    return write_table(folder / PROMPTS, _PROMPT, {"sha256": list(once), "turns": turns})


def read_prompts(folder: Path, hashes: Collection[str] | None = None) -> dict[str, list[Turn]]:
    """Turns by SHA-256: all of them, or only these, where those not on file are left out.

    Raises:
        NotFound: the run has no such file.
        InvalidInput: not Parquet, a column is missing, or a cell holds no JSON.
    """
    path = folder / PROMPTS
    rows = read_table(path, _PROMPT, None if hashes is None else {"sha256": hashes})
    return {one["sha256"]: read_json_cell(path, one["turns"]) for one in rows}


def _names(mappings: Iterable[Mapping[str, object]]) -> list[str]:
    """Every key, in the order of first use."""
    return list(dict.fromkeys(name for one in mappings for name in one))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _numbers(path: Path, text: str | None) -> dict[str, float]:
    return {name: _number(value) for name, value in read_json_cell(path, text).items()}
