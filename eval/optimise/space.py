"""What is searched: instruction x shots x bins, each a whole prompt in every language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eval.optimise.rewrite import Wording, build_prompt_text
from eval.optimise.settings import ShotsKind
from eval.optimise.shots import Mined, Shot
from prompts.parse import parse_prompt
from prompts.prompt import Prompt
from retrieval.errors import InvalidInput

CURRENT = "current"
"""The instruction that the prompt in use has."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One way to ask, in every language; no wordings keep what the prompt in use says."""

    name: str
    wordings: Mapping[str, Wording]


@dataclass(frozen=True)
class Candidate:
    """One prompt to try. ``sources`` are its files' texts by language."""

    name: str
    instruction: str
    shots: ShotsKind
    bins: bool
    sources: Mapping[str, str]

    @cached_property
    def prompts(self) -> Mapping[str, Prompt]:
        """The parsed files."""
        return {lang: parse_prompt(text, where=self.name) for lang, text in self.sources.items()}

    def prompt_for(self, lang: str) -> Prompt:
        """The prompt for a language; another one than it has gets English."""
        return self.prompts.get(lang, self.prompts["en"])


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _WordingRow(_Row):
    system: str = Field(min_length=1)
    question: str = Field(min_length=1, pattern=r"^[^\n]+$")


class _InstructionRow(_Row):
    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    about: str
    en: _WordingRow
    zh: _WordingRow


class _File(_Row):
    always: dict[str, str]
    instructions: list[_InstructionRow] = Field(min_length=1)


def read_instructions(path: Path | None = None) -> tuple[Instruction, ...]:
    """The instructions to try, and before them the current one.

    Args:
        path: default ``instructions.toml`` of this package.

    Raises:
        InvalidInput: the file cannot be read, or names what is wrong with it.
    """
    where = "instructions.toml" if path is None else str(path)
    try:
        text = (
            resources.files("eval.optimise").joinpath("instructions.toml").read_text("utf-8")
            if path is None
            else path.read_text("utf-8")
        )
        file = _File.model_validate(tomllib.loads(text))
        ends = {lang: file.always[lang] for lang in ("en", "zh")}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{where} cannot be read: {error}", "give a TOML file") from error
    except KeyError as error:
        raise InvalidInput(f"{where}: always has no {error}", "say it in en and zh") from error
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{where}: {entry}: {first['msg']}", "see instructions.toml") from error
    names = [CURRENT, *(row.id for row in file.instructions)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidInput(f"{where}: two instructions are called {twice[0]!r}", "rename one")
    return (
        Instruction(CURRENT, {}),
        *(
            Instruction(
                row.id,
                {
                    "en": Wording(f"{row.en.system} {ends['en']}", row.en.question),
                    "zh": Wording(f"{row.zh.system}{ends['zh']}", row.zh.question),
                },
            )
            for row in file.instructions
        ),
    )


def incumbent_of(bases: Mapping[str, Prompt], bins: bool) -> Candidate:
    """The prompt in use, unchanged."""
    return Candidate(
        _name(CURRENT, "current", bins),
        CURRENT,
        "current",
        bins,
        {lang: base.source for lang, base in bases.items()},
    )


def build_space(
    bases: Mapping[str, Prompt],
    instructions: Sequence[Instruction],
    *,
    shots: Sequence[ShotsKind],
    mined: Mapping[str, Mined],
    bins: Sequence[bool],
    asked: frozenset[str],
    incumbent: Candidate,
) -> list[Candidate]:
    """Every combination but the incumbent; one of two that show the same is left out.

    Args:
        bases: the prompt in use, by language.
        instructions: to try.
        shots: kinds to try.
        mined: for every language asked about, read for the kind "mined" alone, which is left
            out unless each has shots.
        bins: cards without, with, or both.
        asked: languages of the questions. The others keep their shots: nothing is measured
            that would speak for changing them.
        incumbent: the prompt in use.

    Raises:
        PromptError: a prompt in use cannot be rewritten.
    """
    number = max(base.number for base in bases.values()) + 1
    seen = {_shown(incumbent)}
    space = []
    for instruction in instructions:
        for kind in shots:
            for with_bins in bins:
                if kind == "mined" and any(not mined[lang].shots for lang in asked):
                    continue
                texts = {}
                for lang, base in bases.items():
                    given = _shots(kind, mined[lang], with_bins) if lang in asked else None
                    wording = instruction.wordings.get(lang)
                    texts[lang] = build_prompt_text(base, wording, given, number)
                one = Candidate(
                    _name(instruction.name, kind, with_bins),
                    instruction.name,
                    kind,
                    with_bins,
                    texts,
                )
                if _shown(one) not in seen:
                    seen.add(_shown(one))
                    space.append(one)
    return space


def _shots(kind: ShotsKind, mined: Mined, bins: bool) -> tuple[Shot, ...] | None:
    """``None`` keeps those of the prompt in use."""
    if kind == "current":
        return None
    if kind == "none":
        return ()
    return mined.with_bins if bins else mined.shots


def _shown(candidate: Candidate) -> tuple[object, ...]:
    """What tells two candidates apart for a model."""
    turns = tuple(candidate.prompts[lang].turns for lang in sorted(candidate.prompts))
    return (turns, candidate.bins)


def _name(instruction: str, shots: str, bins: bool) -> str:
    return f"{instruction}+{shots} shots{'+bins' if bins else ''}"
