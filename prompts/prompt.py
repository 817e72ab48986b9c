"""What a prompt is, and how inputs are put into it.

``{{name}}`` stands for an input; ``{{?name}} … {{/name}}`` is left out when that optional
input is empty. Untrusted inputs are neutralised and stand between data marks, wherever in the
prompt they are used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from prompts.untrusted import mark, neutralise, one_line, sanitise

Role = Literal["system", "user", "assistant"]
OutputKind = Literal["lines", "sentences", "label", "text"]
InputType = Literal["text", "lines"]
Tier = Literal["tiny", "small", "large"]

LANGUAGES = ("en", "zh")

SLOT = re.compile(r"\{\{(\w+)\}\}")
SECTION = re.compile(r"\{\{\?(\w+)\}\}(.*?)\{\{/\1\}\}\n?", re.DOTALL)
# A cut inside a longer word ("<database") must not leave what looks like a mark ("<data").
_HALF_TAG = re.compile(r"[<＜]\s*/?\s*\w*$")


class PromptError(Exception):
    """A prompt file is not valid, or a prompt was rendered with the wrong inputs."""


class UnknownPrompt(PromptError):
    """No prompt goes by that reference."""


class Turn(TypedDict):
    """One message in the OpenAI shape."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Input:
    """What a prompt wants filled in. ``lines`` inputs are sequences and are numbered from 1."""

    name: str
    type: InputType = "text"
    untrusted: bool = False
    optional: bool = False
    max_chars: int = 4000


@dataclass(frozen=True, slots=True)
class Prompt:
    """A checked prompt. ``sha256`` is that of the whole file: it changes with any edit."""

    name: str
    number: int
    lang: str
    about: str
    tier: Tier
    output: OutputKind
    inputs: Mapping[str, Input]
    labels: tuple[str, ...]
    stop: tuple[str, ...]
    max_tokens: int
    turns: tuple[tuple[Role, str], ...]
    sha256: str
    source: str = field(repr=False)

    @property
    def version(self) -> str:
        """``name@number``; what traces and caches show."""
        return f"{self.name}@{self.number}"

    def render(self, **inputs: str | Sequence[str]) -> list[Turn]:
        """The conversation with every input in place, ending with a user turn.

        Text longer than the input's ``max_chars`` is cut at a word and ends in "…".

        Raises:
            PromptError: an input is missing, unknown, of the wrong type, or empty where it
                is not optional.
        """
        if unknown := sorted(set(inputs) - set(self.inputs)):
            raise PromptError(f"{self.version} has no input {unknown[0]!r}")
        filled = {
            name: _fill(self, spec, inputs.get(name, "")) for name, spec in self.inputs.items()
        }
        return [Turn(role=role, content=_substitute(text, filled)) for role, text in self.turns]


def conversation_sha256(turns: Sequence[Turn]) -> str:
    """SHA-256 of what a model is shown: roles and contents in order, nothing else."""
    text = json.dumps([[turn["role"], turn["content"]] for turn in turns], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _fill(prompt: Prompt, spec: Input, value: str | Sequence[str]) -> str:
    if spec.type == "lines":
        if isinstance(value, str) and value:
            raise PromptError(f"{prompt.version}: input {spec.name!r} takes a list of lines")
        tidy = one_line if spec.untrusted else sanitise
        text = "\n".join(f"[{i}] {tidy(line)}" for i, line in enumerate(value, start=1))
    elif isinstance(value, str):
        text = neutralise(value) if spec.untrusted else sanitise(value)
    else:
        raise PromptError(f"{prompt.version}: input {spec.name!r} takes one text")
    if not text:
        if not spec.optional:
            raise PromptError(f"{prompt.version}: input {spec.name!r} is empty")
        return ""
    if len(text) > spec.max_chars:
        text = _cut(text, spec.max_chars)
    return mark(text) if spec.untrusted else text


def _cut(text: str, limit: int) -> str:
    """At most ``limit`` characters, cut at a space when one is near."""
    head = text[: limit - 1]
    at = head.rfind(" ")
    head = head[:at] if at > limit * 3 // 4 else head
    return _HALF_TAG.sub("", head).rstrip() + "…"


def _substitute(text: str, filled: Mapping[str, str]) -> str:
    text = SECTION.sub(lambda m: m.group(2).strip("\n") + "\n" if filled[m.group(1)] else "", text)
    # One pass: what was put in is not looked at again.
    return SLOT.sub(lambda m: filled[m.group(1)], text)
