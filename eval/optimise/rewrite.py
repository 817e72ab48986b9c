"""A prompt file's text with another instruction and other shots; the rest stays as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.scripted import DATA_BLOCK
from eval.optimise.shots import Shot
from prompts.parse import parse_prompt
from prompts.prompt import Prompt, PromptError

_FILE = re.compile(r"---\n(?P<head>.*?)\n---\n(?P<body>.*)", re.DOTALL)
_HEADING = re.compile(r"^## (\w+)\n", re.MULTILINE)
_VERSION = re.compile(r"^version:.*$", re.MULTILINE)
_ABOUT = re.compile(r"^about:.*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Wording:
    """One language of an instruction: the system text, and the question under every item."""

    system: str
    question: str


def wording_of(base: Prompt) -> Wording:
    """The instruction that a prompt has now.

    Raises:
        PromptError: no system text, or the last turn does not end with a question of its own.
    """
    role, system = base.turns[0]
    question = base.turns[-1][1].rstrip().rsplit("\n", 1)[-1].strip()
    if role != "system" or not question or "{{" in question:
        raise PromptError(
            f"{base.version}.{base.lang} has no system text, or its last line is no question:"
            " only such prompts can be searched"
        )
    return Wording(system, question)


def build_prompt_text(
    base: Prompt, wording: Wording | None, shots: Sequence[Shot] | None, number: int
) -> str:
    """A valid prompt file: front matter of ``base`` with version ``number``, new turns.

    Args:
        base: a prompt with two labels, the first the affirmative one.
        wording: ``None`` keeps the instruction.
        shots: ``None`` keeps the shots, with the new question under each; none at all for an
            empty sequence. What people wrote stands neutralised between data marks.
        number: of the new version.

    Raises:
        PromptError: ``base`` cannot be rewritten, or the result is no valid prompt.
    """
    old = wording_of(base)
    new = old if wording is None else wording
    sections = _sections(base)
    asked = _swap(sections[-1][1], old.question, new.question)
    turns = [("system", sections[0][1] if wording is None else new.system)]
    if shots is None:
        turns += [(role, _swap(text, old.question, new.question)) for role, text in sections[1:-1]]
    else:
        for shot in shots:
            turns.append(("user", _swap(_as_asked(base, shot), old.question, new.question)))
            turns.append(("assistant", base.labels[0] if shot.yes else base.labels[1]))
    turns.append(("user", asked))
    body = "\n\n".join(f"## {role}\n{text.strip()}" for role, text in turns)
    text = f"---\n{_head(base, number)}\n---\n{body}\n"
    parse_prompt(text, where=f"{base.name}.v{number}.{base.lang}.md")
    return text


def _head(base: Prompt, number: int) -> str:
    """The version is another one, and what was said of the old one need not hold for it."""
    head = _match(base)["head"] + "\n"
    return _ABOUT.sub("", _VERSION.sub(f"version: {number}", head, count=1)).rstrip("\n")


def _sections(base: Prompt) -> list[tuple[str, str]]:
    """Role and text of every section as the file has it: data without their marks' keys."""
    parts = _HEADING.split(_match(base)["body"])
    return [(role, text.strip()) for role, text in zip(parts[1::2], parts[2::2], strict=True)]


def _match(base: Prompt) -> re.Match[str]:
    match = _FILE.match(base.source)
    if match is None:
        raise PromptError(f"{base.version}.{base.lang} has no front matter")
    return match


def _swap(text: str, old: str, new: str) -> str:
    """The question is the last line; a text that ends with something else keeps it."""
    head, _, last = text.rstrip().rpartition("\n")
    return f"{head}\n{new}" if last.strip() == old and head else text


def _as_asked(base: Prompt, shot: Shot) -> str:
    """The last turn with the shot put in, between literal marks, which get keys when loaded."""
    turn = base.render(profile=shot.person, query=shot.query, card=shot.card)[-1]["content"]
    text = DATA_BLOCK.sub(lambda block: f"<data>\n{block['text']}\n</data>", turn)
    # In a file two braces mean an input, also where a user wrote them.
    while "{{" in text or "}}" in text:
        text = text.replace("{{", "{ {").replace("}}", "} }")
    return text
