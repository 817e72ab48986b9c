"""What an evaluation asks: one person, maybe a text, and the candidates in the order of S.

Questions come from a split log (``eval.pools``), from published candidate lists
(``eval.games``) or from logged requests (``eval.online``). As a JSONL file, one question a
line, they are the interchange format between the three.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from retrieval.errors import InvalidInput
from retrieval.types import content_hash

Lang = Literal["en", "zh"]
_TAKEN = frozenset({"llm", "S", "random", "popularity"})
"""The model's part of F, and names of systems that are no source."""


@dataclass(frozen=True, slots=True)
class PoolItem:
    """One candidate. ``fsum(parts.values()) == score``, which is S.

    ``card`` is what the model reads of it, "" where it is never judged. ``bins`` is what
    each source says in five levels, e.g. ``{"behaviour": "4/5"}``; ``sources`` is the same as
    a score, before S weighs it: a source whose weight is 0 has no say in ``parts``.
    """

    item_id: str
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)
    card: str = ""
    bins: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, float] = field(default_factory=dict)

    @property
    def said(self) -> Mapping[str, float]:
        """A score by source; by its part of S where nothing else is known."""
        return self.sources or self.parts


@dataclass(frozen=True, slots=True)
class Question:
    """One query of an evaluation.

    Attributes:
        query_id: unique within a run.
        user_id: ``None`` for a stranger.
        lang: of the conversation.
        query_text: free text; "" for a silent user.
        person_text: what the model is told of the person, as of the cut; "" for a stranger.
        candidates: best S first, each item once.
        relevant: items to find; never empty. Those outside ``candidates`` count as lost.
        strata: group by stratum, e.g. ``{"user": "cold", "lang": "en"}``.
    """

    query_id: str
    user_id: str | None
    lang: Lang
    query_text: str
    person_text: str
    candidates: tuple[PoolItem, ...]
    relevant: frozenset[str]
    strata: Mapping[str, str] = field(default_factory=dict)


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _ItemRow(_Row):
    item_id: Annotated[str, Field(min_length=1)]
    score: Annotated[float, Field(allow_inf_nan=False)]
    parts: dict[str, float] = {}
    card: str = ""
    bins: dict[str, str] = {}
    sources: dict[str, float] = {}

    @model_validator(mode="after")
    def _adds_up(self) -> _ItemRow:
        total = math.fsum(self.parts.values())
        if self.parts and not math.isclose(total, self.score, rel_tol=1e-6, abs_tol=1e-9):
            raise ValueError(f"the parts of {self.item_id!r} add up to {total:g}, not to its score")
        if taken := sorted(_TAKEN & {*self.parts, *self.sources}):
            raise ValueError(f"no source is called {taken[0]!r}")
        return self


class _QuestionRow(_Row):
    query_id: Annotated[str, Field(min_length=1)]
    user_id: str | None = None
    lang: Lang = "en"
    query_text: str = ""
    person_text: str = ""
    candidates: Annotated[list[_ItemRow], Field(min_length=1)]
    relevant: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    strata: dict[str, str] = {}


def read_questions(path: Path) -> list[Question]:
    """Read a JSONL file of questions; blank lines are skipped.

    Raises:
        InvalidInput: no such file, an empty one, or a bad line: file, line and reason are
            named. Two questions with one id and a question without relevant items are bad.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"cannot read {path}: {error}", "give a JSONL file") from error
    questions: list[Question] = []
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        question = _read(line, f"{path}:{number}")
        first = lines.setdefault(question.query_id, number)
        if first != number:
            raise InvalidInput(
                f"{path}:{number}: query_id {question.query_id!r} stands in line {first} too",
                "give every question an id of its own",
            )
        questions.append(question)
    if not questions:
        raise InvalidInput(f"{path} holds no question", "a run needs at least one")
    return questions


def write_questions(path: Path, questions: Iterable[Question]) -> None:
    """Write a JSONL file that ``read_questions`` reads; whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        for question in questions:
            file.write(json.dumps(_record(question), ensure_ascii=False) + "\n")
    partial.replace(path)


def questions_hash(questions: Sequence[Question]) -> str:
    """SHA-256 over every question in order: what a run was asked."""
    return content_hash(*(json.dumps(_record(q), ensure_ascii=False) for q in questions))


def _record(question: Question) -> dict[str, Any]:
    return {
        "query_id": question.query_id,
        "user_id": question.user_id,
        "lang": question.lang,
        "query_text": question.query_text,
        "person_text": question.person_text,
        "candidates": [
            {
                "item_id": item.item_id,
                "score": item.score,
                "parts": dict(item.parts),
                "card": item.card,
                "bins": dict(item.bins),
                "sources": dict(item.sources),
            }
            for item in question.candidates
        ],
        "relevant": sorted(question.relevant),
        "strata": dict(question.strata),
    }


def _read(line: str, where: str) -> Question:
    try:
        row = _QuestionRow.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field_name = ".".join(str(part) for part in first["loc"]) or "line"
        raise InvalidInput(
            f"{where}: {field_name}: {first['msg'].removeprefix('Value error, ')}",
            "see docs/evaluation.md for the fields",
        ) from error
    ids = [item.item_id for item in row.candidates]
    if len(set(ids)) != len(ids):
        raise InvalidInput(f"{where}: a candidate stands twice", "name each item once")
    candidates = [PoolItem(**dict(one)) for one in row.candidates]
    return Question(
        query_id=row.query_id,
        user_id=row.user_id,
        lang=row.lang,
        query_text=row.query_text,
        person_text=row.person_text,
        candidates=tuple(sorted(candidates, key=lambda one: -one.score)),
        relevant=frozenset(row.relevant),
        strata=row.strata,
    )
