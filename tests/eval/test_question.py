"""Questions survive their file, and a bad line is named."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.question import PoolItem, Question, questions_hash, read_questions, write_questions
from retrieval.errors import InvalidInput
from tests.eval.runs.worlds import questions

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
parts = st.dictionaries(
    ids.filter(lambda name: name not in ("llm", "S", "random", "popularity")),
    st.floats(-5, 5),
    max_size=3,
)


@st.composite
def any_questions(draw: st.DrawFn) -> list[Question]:
    found = []
    for query_id in draw(st.lists(ids, min_size=1, max_size=3, unique=True)):
        items = []
        for item_id in draw(st.lists(ids, min_size=1, max_size=4, unique=True)):
            its = draw(parts)
            score = math.fsum(its.values()) if its else draw(st.floats(-5, 5))
            items.append(PoolItem(item_id, score, its, draw(texts), draw(st.just({"a": "?"})), its))
        items.sort(key=lambda one: -one.score)
        found.append(
            Question(
                query_id,
                draw(st.none() | ids),
                draw(st.sampled_from(["en", "zh"])),
                draw(texts),
                draw(texts),
                tuple(items),
                draw(st.frozensets(ids, min_size=1, max_size=2)),
                draw(st.dictionaries(ids, texts, max_size=2)),
            )
        )
    return found


@given(any_questions())
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, asked: list[Question]
) -> None:
    path = tmp_path_factory.mktemp("asked") / "q.jsonl"
    write_questions(path, asked)
    assert read_questions(path) == asked
    assert questions_hash(read_questions(path)) == questions_hash(asked)
    assert [one.name for one in path.parent.iterdir()] == ["q.jsonl"]


def test_the_hash_tells_every_question_and_their_order() -> None:
    asked = questions(3)
    assert questions_hash(asked) == questions_hash(questions(3))
    assert questions_hash(asked) != questions_hash(asked[::-1])
    assert questions_hash(asked) != questions_hash(asked[:2])


def row(**changes: Any) -> str:
    item = {"item_id": "i", "score": 1.0, "parts": {"popular": 1.0}, "card": "Tea"}
    return json.dumps({"query_id": "q", "candidates": [item], "relevant": ["i"]} | changes)


def item(**changes: Any) -> dict[str, Any]:
    return {"item_id": "i", "score": 1.0, "parts": {"popular": 1.0}} | changes


def test_candidates_are_sorted_by_score_and_ties_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    items = [{"item_id": name, "score": score} for name, score in (("a", 1), ("b", 2), ("c", 1))]
    path.write_text("\n" + row(candidates=items) + "\n\n")
    (found,) = read_questions(path)
    assert [one.item_id for one in found.candidates] == ["b", "a", "c"]
    assert (found.user_id, found.lang, found.query_text) == (None, "en", "")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "Invalid JSON"),
        (row(relevant=[]), "relevant: List should have at least 1 item"),
        (row(relevant=[""]), "relevant.0"),
        (row(candidates=[]), "candidates"),
        (row(query_id=""), "query_id"),
        (row(lang="de"), "lang"),
        (row(colour="red"), "colour"),
        (row(candidates=[item(score="NaN", parts={})]), "score"),
        (row(candidates=[item(), item()]), "a candidate stands twice"),
        (row(candidates=[item(parts={"popular": 0.5})]), "the parts of 'i' add up to 0.5, not to"),
        (row(candidates=[item(parts={"popular": 1.0, "a": math.inf})]), "add up to inf"),
        (row(candidates=[item(parts={"llm": 1.0})]), "no source is called 'llm'"),
        (row(candidates=[item(sources={"S": 1.0})]), "no source is called 'S'"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(f"\n{row(query_id='first')}\n{line}\n")
    with pytest.raises(InvalidInput, match=r"q\.jsonl:3: ") as caught:
        read_questions(path)
    assert says in caught.value.message
    assert "\n" not in caught.value.message


def test_two_questions_with_one_id_are_named_by_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(f"{row()}\n\n{row(query_id='other')}\n{row()}\n")
    with pytest.raises(InvalidInput, match=r"q\.jsonl:4: query_id 'q' stands in line 1 too"):
        read_questions(path)


@pytest.mark.parametrize(
    ("content", "says"), [(b" \n\n", "holds no question"), (b"\xff\xfe", "cannot read")]
)
def test_a_file_without_questions_is_no_file_of_questions(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=says):
        read_questions(path)
    with pytest.raises(InvalidInput, match="cannot read"):
        read_questions(tmp_path / "none.jsonl")
