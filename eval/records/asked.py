"""What every query of a run asked: ``questions.parquet``, without the candidates.

The candidates that a model judged stand in ``judgements.parquet``, their order under every
system in ``trec/``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.question import Question
from eval.records.parquet import read_table, write_table

QUESTIONS = "questions.parquet"
_COLUMNS = {
    "query_id": "text",
    "user_id": "text",
    "lang": "text",
    "query_text": "text",
    "person_text": "text",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as it was put: ``user_id`` is ``None`` for a stranger, texts may be ""."""

    query_id: str
    user_id: str | None
    lang: str
    query_text: str
    person_text: str


def write_asked(folder: Path, questions: Iterable[Question]) -> Path:
    """Write ``questions.parquet``."""
    all_of_them = list(questions)
    columns: dict[str, list[Any]] = {
        name: [getattr(question, name) for question in all_of_them] for name in _COLUMNS
    }
    return write_table(folder / QUESTIONS, _COLUMNS, columns)


def read_asked(folder: Path, query_id: str | None = None) -> dict[str, Asked]:
    """Questions by id: all of them, or only this one, empty when it was not asked.

    Raises:
        NotFound: the run has no such file.
        InvalidInput: not Parquet, or a column is missing.
    """
    only = None if query_id is None else {"query_id": [query_id]}
    rows = read_table(folder / QUESTIONS, _COLUMNS, only)
    return {values["query_id"]: Asked(**values) for values in rows}
