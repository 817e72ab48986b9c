"""A prompt file's text, checked.

A file ``NAME.vN.LANG.md`` has front matter and one section a turn:

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

A literal ``<data>`` … ``</data>`` in a shot gets the marks that untrusted inputs get, so that
shots look like the real thing. A file that uses an input that it does not declare, or declares
one that it does not use, does not load. docs/prompts.md tells every field.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, get_args

import yaml

from prompts.prompt import (
    LANGUAGES,
    SECTION,
    SLOT,
    Input,
    InputType,
    OutputKind,
    Prompt,
    PromptError,
    Role,
    Tier,
)
from prompts.untrusted import mark

REQUIRED_FIELDS = ("name", "version", "language", "output")
OPTIONAL_FIELDS = ("about", "tier", "labels", "stop", "max_tokens", "inputs")
INPUT_FIELDS = tuple(one.name for one in fields(Input) if one.name != "name")

_SAMPLE = re.compile(r"<data>\n(.*?)\n</data>", re.DOTALL)
_HEADING = re.compile(r"^## (\w+)\n", re.MULTILINE)


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
    except (yaml.YAMLError, ValueError) as error:  # ValueError: "2024-13-45" is read as a date
        raise PromptError(f"{where}: the front matter is not YAML: {error}") from error
    if not isinstance(head, dict):
        raise PromptError(f"{where}: the front matter is not a mapping")
    if unknown := sorted(str(one) for one in set(head) - {*REQUIRED_FIELDS, *OPTIONAL_FIELDS}):
        raise PromptError(f"{where}: unknown field {unknown[0]!r}")
    if missing := [one for one in REQUIRED_FIELDS if one not in head]:
        raise PromptError(f"{where}: field {missing[0]!r} is missing")
    inputs = _inputs(head.get("inputs"), where)
    labels = _texts(head, "labels", where)
    if len(set(labels)) != len(labels):
        raise PromptError(f"{where}: the labels {', '.join(labels)} are not all different")
    output = _one_of(head["output"], get_args(OutputKind), "output", where)
    if (output == "label") != (len(labels) >= 2):
        raise PromptError(f"{where}: two or more labels go with output: label, and only with it")
    turns = _turns(match.group(2), where)
    _check_slots(turns, inputs, where)
    return Prompt(
        name=_text(head["name"], "name", where),
        number=_count(head["version"], "version", where),
        lang=_one_of(head["language"], LANGUAGES, "language", where),
        about=_text(head["about"], "about", where) if "about" in head else "",
        tier=_one_of(head.get("tier", "small"), get_args(Tier), "tier", where),
        output=output,
        inputs=inputs,
        labels=labels,
        stop=_texts(head, "stop", where),
        max_tokens=_count(head.get("max_tokens", 1), "max_tokens", where),
        turns=turns,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        source=text,
    )


def _inputs(declared: Any, where: str) -> dict[str, Input]:
    if declared is None:
        return {}
    if not isinstance(declared, dict) or not all(isinstance(name, str) for name in declared):
        raise PromptError(f"{where}: inputs is no mapping of names")
    inputs = {}
    for name, spec in declared.items():
        try:
            one = Input(name=name, **(spec or {}))
        except TypeError as error:
            raise PromptError(f"{where}: an input is not declared properly: {error}") from error
        _one_of(one.type, get_args(InputType), f"type of {name!r}", where)
        for flag in ("untrusted", "optional"):
            if not isinstance(getattr(one, flag), bool):
                raise PromptError(f"{where}: {flag} of {name!r} is neither true nor false")
        _count(one.max_chars, f"max_chars of {name!r}", where)
        inputs[name] = one
    return inputs


def _text(value: Any, field: str, where: str) -> str:
    if not isinstance(value, str) or not value.strip() or "\n" in value:
        raise PromptError(f"{where}: {field} {value!r} is not one line of text")
    return value


def _texts(head: Mapping[str, Any], field: str, where: str) -> tuple[str, ...]:
    """YAML reads a bare yes or no as true or false, which no model would answer."""
    values = head.get(field, [])
    if not isinstance(values, list) or not all(isinstance(one, str) and one for one in values):
        raise PromptError(f'{where}: {field} is no list of texts; write them as ["yes", "no"]')
    return tuple(values)


def _count(value: Any, field: str, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise PromptError(f"{where}: {field} {value!r} is not a whole number from 1")
    return value


def _one_of(value: Any, known: Sequence[str], field: str, where: str) -> Any:
    """The value, typed as what ``known`` are the values of."""
    if value not in known:
        raise PromptError(f"{where}: {field} {value!r} is not a known kind; say {', '.join(known)}")
    return value


def _turns(body: str, where: str) -> tuple[tuple[Role, str], ...]:
    parts = _HEADING.split(body)
    if parts[0].strip():
        raise PromptError(f"{where}: text before the first ## section")
    turns: list[tuple[Role, str]] = []
    for role, text in zip(parts[1::2], parts[2::2], strict=True):
        expected = "user" if not turns or turns[-1][0] != "user" else "assistant"
        marked = _marked(text, where)
        if role == "system" and not turns:
            turns.append(("system", marked))
        elif role == "user" == expected:
            turns.append(("user", marked))
        elif role == "assistant" == expected:
            turns.append(("assistant", marked))
        else:
            raise PromptError(f"{where}: section {role!r} stands where {expected!r} should")
    if not turns or turns[-1][0] != "user":
        raise PromptError(f"{where}: the last section must be ## user")
    return tuple(turns)


def _marked(text: str, where: str) -> str:
    """Shots between marks; an input among them would get marks of its own inside theirs."""
    for sample in _SAMPLE.findall(text):
        if "{{" in sample:
            raise PromptError(f"{where}: an input stands between <data> marks of the file")
    return _SAMPLE.sub(lambda sample: mark(sample.group(1)), text.strip())


def _check_slots(
    turns: Sequence[tuple[Role, str]], inputs: Mapping[str, Input], where: str
) -> None:
    used = {name for _, text in turns for name in SLOT.findall(text)}
    sections = {name for _, text in turns for name, _ in SECTION.findall(text)}
    if undeclared := sorted((used | sections) - set(inputs)):
        raise PromptError(f"{where}: input {undeclared[0]!r} is used and not declared")
    if unused := sorted(set(inputs) - used):
        raise PromptError(f"{where}: input {unused[0]!r} is declared and not used")
    outside = {name for _, text in turns for name in SLOT.findall(SECTION.sub("", text))}
    for spec in inputs.values():
        if spec.optional != (spec.name in sections):
            raise PromptError(
                f"{where}: {spec.name!r} must be optional and in a {{{{?{spec.name}}}}} section,"
                " or neither"
            )
        if not spec.optional and spec.name not in outside:
            raise PromptError(f"{where}: {spec.name!r} would vanish with the section around it")
    leftover = SLOT.sub("", "".join(SECTION.sub(r"\2", text) for _, text in turns))
    if "{{" in leftover or "}}" in leftover:
        raise PromptError(f"{where}: a {{{{ or }}}} that is no input")
