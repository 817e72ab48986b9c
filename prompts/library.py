"""Prompts are files: loaded, checked and rendered here, and nowhere else written.

A file ``prompts/texts/NAME.LANG.md`` has front matter and one section a turn:

    ---
    name: extract
    version: 1
    language: en
    tier: small
    output: lines
    inputs:
      text: {type: text, untrusted: true, max_chars: 4000}
    ---
    ## system
    …
    ## user
    {{text}}

``{{name}}`` stands for an input; ``{{?name}} … {{/name}}`` is left out when that optional
input is empty. Untrusted inputs are neutralised and stand between data marks; a literal
``<data>`` … ``</data>`` in a shot gets the same marks, so that shots look like the real thing.
A file that uses an input that it does not declare, or declares one that it does not use,
does not load.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, TypedDict

import yaml

from prompts.untrusted import mark, neutralise, one_line, sanitise

Role = Literal["system", "user", "assistant"]
OutputKind = Literal["lines", "sentences", "label", "text"]

LANGUAGES = ("en", "zh")
NAMES = ("caption_image", "extract", "rerank", "write_profile")

_FIELDS = {
    "name", "version", "language", "tier", "output", "inputs", "labels", "stop", "max_tokens",
}  # fmt: skip
_SLOT = re.compile(r"\{\{(\w+)\}\}")
_SECTION = re.compile(r"\{\{\?(\w+)\}\}(.*?)\{\{/\1\}\}\n?", re.DOTALL)
_SAMPLE = re.compile(r"<data>\n(.*?)\n</data>", re.DOTALL)
_HEADING = re.compile(r"^## (\w+)\n", re.MULTILINE)


class PromptError(Exception):
    """A prompt file is not valid, or a prompt was rendered with the wrong inputs."""


class Turn(TypedDict):
    """One message in the OpenAI shape."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Input:
    """What a prompt wants filled in. ``lines`` inputs are sequences and are numbered from 1."""

    name: str
    type: Literal["text", "lines"] = "text"
    untrusted: bool = False
    optional: bool = False
    max_chars: int = 4000


@dataclass(frozen=True, slots=True)
class Prompt:
    """A checked prompt. ``sha256`` is that of the whole file: it changes with any edit."""

    name: str
    number: int
    lang: str
    tier: str
    output: OutputKind
    inputs: Mapping[str, Input]
    labels: tuple[str, ...]
    stop: tuple[str, ...]
    max_tokens: int
    turns: tuple[tuple[Role, str], ...]
    sha256: str

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
        # Only the last turn and the system text have slots; shots are literal.
        return [Turn(role=role, content=_substitute(text, filled)) for role, text in self.turns]


def load_prompt(name: str, lang: str) -> Prompt:
    """The prompt ``name`` in ``lang``; another language than en or zh gets English.

    Raises:
        PromptError: there is no such prompt, or its file is not valid.
    """
    return _load(name, lang if lang in LANGUAGES else "en")


@cache
def _load(name: str, lang: str) -> Prompt:
    if name not in NAMES:
        raise PromptError(f"there is no prompt {name!r}; the prompts are {', '.join(NAMES)}")
    path = resources.files("prompts").joinpath("texts", f"{name}.{lang}.md")
    prompt = parse_prompt(path.read_text(encoding="utf-8"), where=f"{name}.{lang}.md")
    if (prompt.name, prompt.lang) != (name, lang):
        raise PromptError(f"{name}.{lang}.md says that it is {prompt.name} in {prompt.lang}")
    return prompt


def parse_prompt(text: str, *, where: str = "prompt") -> Prompt:
    """Check a prompt file's text and return the prompt.

    Raises:
        PromptError: names the file and what is wrong with it.
    """
    text = text.replace("\r\n", "\n")
    match = re.match(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    if match is None:
        raise PromptError(f"{where}: no front matter between --- lines")
    try:
        head: Any = yaml.safe_load(match.group(1))
    except yaml.YAMLError as error:
        raise PromptError(f"{where}: the front matter is not YAML: {error}") from error
    if not isinstance(head, dict):
        raise PromptError(f"{where}: the front matter is not a mapping")
    if unknown := sorted(set(head) - _FIELDS):
        raise PromptError(f"{where}: unknown field {unknown[0]!r}")
    if missing := sorted({"name", "version", "language", "output"} - set(head)):
        raise PromptError(f"{where}: field {missing[0]!r} is missing")
    try:
        inputs = {
            n: Input(name=n, **(spec or {})) for n, spec in (head.get("inputs") or {}).items()
        }
    except TypeError as error:
        raise PromptError(f"{where}: an input is not declared properly: {error}") from error
    labels = tuple(str(label) for label in head.get("labels", ()))
    if head["output"] not in ("lines", "sentences", "label", "text"):
        raise PromptError(f"{where}: output {head['output']!r} is not a known kind")
    if (head["output"] == "label") != (len(labels) >= 2):
        raise PromptError(f"{where}: two or more labels go with output: label, and only with it")
    turns = _turns(match.group(2), where)
    _check_slots(turns, inputs, where)
    return Prompt(
        name=str(head["name"]),
        number=int(head["version"]),
        lang=str(head["language"]),
        tier=str(head.get("tier", "small")),
        output=head["output"],
        inputs=inputs,
        labels=labels,
        stop=tuple(str(stop) for stop in head.get("stop", ())),
        max_tokens=int(head.get("max_tokens", 1)),
        turns=turns,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def _turns(body: str, where: str) -> tuple[tuple[Role, str], ...]:
    parts = _HEADING.split(body)
    if parts[0].strip():
        raise PromptError(f"{where}: text before the first ## section")
    turns: list[tuple[Role, str]] = []
    for role, text in zip(parts[1::2], parts[2::2], strict=True):
        expected = "user" if not turns or turns[-1][0] != "user" else "assistant"
        if role == "system" and not turns:
            turns.append(("system", _marked(text)))
        elif role == "user" == expected:
            turns.append(("user", _marked(text)))
        elif role == "assistant" == expected:
            turns.append(("assistant", _marked(text)))
        else:
            raise PromptError(f"{where}: section {role!r} stands where {expected!r} should")
    if not turns or turns[-1][0] != "user":
        raise PromptError(f"{where}: the last section must be ## user")
    return tuple(turns)


def _marked(text: str) -> str:
    return _SAMPLE.sub(lambda sample: mark(sample.group(1)), text.strip())


def _check_slots(
    turns: Sequence[tuple[Role, str]], inputs: Mapping[str, Input], where: str
) -> None:
    used = {name for _, text in turns for name in _SLOT.findall(text)}
    sections = {name for _, text in turns for name, _ in _SECTION.findall(text)}
    if undeclared := sorted((used | sections) - set(inputs)):
        raise PromptError(f"{where}: input {undeclared[0]!r} is used and not declared")
    if unused := sorted(set(inputs) - used):
        raise PromptError(f"{where}: input {unused[0]!r} is declared and not used")
    for spec in inputs.values():
        if spec.optional != (spec.name in sections):
            raise PromptError(
                f"{where}: {spec.name!r} must be optional and in a {{{{?{spec.name}}}}} section,"
                " or neither"
            )
    leftover = re.sub(_SLOT, "", "".join(re.sub(_SECTION, "", text) for _, text in turns))
    if "{{" in leftover or "}}" in leftover:
        raise PromptError(f"{where}: a {{{{ or }}}} that is no input")


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
    return (head[:at] if at > limit * 3 // 4 else head).rstrip() + "…"


def _substitute(text: str, filled: Mapping[str, str]) -> str:
    text = _SECTION.sub(lambda m: m.group(2).strip("\n") + "\n" if filled[m.group(1)] else "", text)
    # One pass: what was put in is not looked at again.
    return _SLOT.sub(lambda m: filled[m.group(1)], text)
