"""The model writes a profile's text from rows; code keeps only the sentences that rows support."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.grounding import check_sentence
from agent.profiles.instructions import is_instruction
from agent.profiles.template import clipped, is_choice, is_fact, template_sentences, within_limit
from prompts.prompt import Prompt, Turn
from retrieval.types import AspectRow, Polarity, ProfileSentence, Subject

MIN_ROWS = 3
MAX_ROWS = 8
MIN_SUPPORTED = 0.5
_MAX_SENTENCE = 300

_VERBS: dict[str, dict[Polarity, str]] = {
    "en": {
        "like": "likes {}: ",
        "dislike": "dislikes {}: ",
        "need": "needs {}: ",
        "price": "price: ",
        "context": "{}: ",
    },
    "zh": {
        "like": "喜欢 {}：",
        "dislike": "不喜欢 {}：",
        "need": "需要 {}：",
        "price": "价格：",
        "context": "{}：",
    },
}
_ABOUT: dict[str, dict[Subject, str]] = {
    "en": {"item": "one item", "user": "one person"},
    "zh": {"item": "一件商品", "user": "一个人"},
}
_MARKS = re.compile(r"[\[［【(（]\s*(\d{1,3}(?:\s*[,，、;]\s*\d{1,3})*)\s*[\]］】)）]")
_BULLET = re.compile(r"^\s*(?:[-*•·]+|\d{1,2}\s*[.)、])\s*")


@dataclass(frozen=True, slots=True)
class Written:
    """Sentences of a profile. ``rejected`` says of each refused sentence why."""

    sentences: tuple[ProfileSentence, ...]
    by_llm: bool
    kept: int
    rejected: tuple[str, ...]


def rows_to_write(rows: Sequence[AspectRow]) -> list[AspectRow]:
    """The rows that a model may put into words: what people said, strongest first."""
    return [row for row in rows if not is_fact(row) and not is_choice(row)][:MAX_ROWS]


def write_conversation(subject: Subject, rows: Sequence[AspectRow], prompt: Prompt) -> list[Turn]:
    """The conversation that asks for sentences over ``rows_to_write(rows)``."""
    lang = prompt.lang
    lines = []
    for row in rows_to_write(rows):
        quote = clipped(row.quotes[0].text, 120)
        marked = f"“{quote}”" if lang == "zh" else f'"{quote}"'
        lines.append(_VERBS[lang][row.polarity].format(row.label) + marked)
    return prompt.render(about=_ABOUT[lang][subject], rows=lines)


def checked_text(subject: Subject, rows: Sequence[AspectRow], lang: str, answer: str) -> Written:
    """The supported sentences of an answer, then template sentences for facts and choices.

    When fewer than half of the sentences are supported, the template writes everything.
    """
    given = rows_to_write(rows)
    supported: list[ProfileSentence] = []
    rejected: list[str] = []
    for line in answer.splitlines():
        if not line.strip():
            continue
        read = _read_line(line, given)
        if isinstance(read, str):
            rejected.append(read)
        elif all(read.text != one.text for one in supported):
            supported.append(read)
    if not supported or len(supported) < MIN_SUPPORTED * (len(supported) + len(rejected)):
        return Written(template_sentences(subject, rows, lang), False, 0, tuple(rejected))
    rest = [row for row in rows if is_fact(row) or is_choice(row)]
    # Facts first get their room only where prose leaves it: people's words matter more.
    sentences = within_limit(subject, (*supported, *template_sentences(subject, rest, lang)))
    return Written(sentences, True, len(supported), tuple(rejected))


def _read_line(line: str, rows: Sequence[AspectRow]) -> ProfileSentence | str:
    numbers = [int(n) for mark in _MARKS.findall(line) for n in re.findall(r"\d+", mark)]
    text = " ".join(_BULLET.sub("", _MARKS.sub("", line)).split()).replace(" .", ".")
    if not numbers:
        return "the sentence cites no row"
    if any(not 1 <= number <= len(rows) for number in numbers):
        return f"row {max(numbers)} does not exist"
    if len(text) > _MAX_SENTENCE:
        return "the sentence is too long"
    if is_instruction(text):
        return "the sentence commands a model"
    cited = [rows[number - 1] for number in dict.fromkeys(numbers)]
    sources = [part for row in cited for part in (row.label, *(q.text for q in row.quotes))]
    reason = check_sentence(text, sources, polarity=_polarity_of(cited))
    return reason or ProfileSentence(text, tuple(row.row_id for row in cited))


def _polarity_of(rows: Sequence[AspectRow]) -> str | None:
    found = {row.polarity for row in rows}
    if {"like", "dislike"} <= found:
        return "mixed"
    for decisive in ("like", "dislike"):
        if decisive in found:
            return decisive
    return found.pop() if len(found) == 1 else None
