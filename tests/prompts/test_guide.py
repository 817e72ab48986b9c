"""docs/prompts.md says what the code does."""

import re
from pathlib import Path
from typing import get_args

import pytest
import typer

from prompts.files import check_same_use
from prompts.history import Promotion
from prompts.library import PromptLibrary
from prompts.parse import INPUT_FIELDS, OPTIONAL_FIELDS, REQUIRED_FIELDS, parse_prompt
from prompts.prompt import InputType, OutputKind, Tier
from server.cli import prompts as command

GUIDE = (Path(__file__).parents[2] / "docs" / "prompts.md").read_text(encoding="utf-8")


def table_after(words: str) -> list[list[str]]:
    """Cells of the rows of the first table after some words."""
    after = GUIDE[GUIDE.index(words) :]
    table = re.search(r"(?:^\|.*\n)+", after, re.M)
    assert table is not None
    rows = [line.strip("|").split("|") for line in table[0].splitlines()]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_every_field_is_told_and_the_required_ones_are_bold() -> None:
    told = [row[0] for row in table_after("Fields in bold are required")]
    assert sorted(told) == sorted([*(f"**{one}**" for one in REQUIRED_FIELDS), *OPTIONAL_FIELDS])


def test_every_field_of_an_input_is_told() -> None:
    assert sorted(row[0] for row in table_after("Each input is")) == sorted(INPUT_FIELDS)


def test_every_field_of_the_history_is_told() -> None:
    told = [one for row in table_after("## The history") for one in row[0].split(", ")]
    assert sorted(told) == sorted(Promotion.model_fields)


@pytest.mark.parametrize(
    "value",
    [
        *get_args(Tier),
        *get_args(OutputKind),
        *get_args(InputType),
        *get_args(Promotion.model_fields["action"].annotation),
    ],
)
def test_every_value_that_is_taken_is_told(value: str) -> None:
    assert f"`{value}`" in GUIDE


def test_every_prompt_and_every_command_is_told() -> None:
    assert sorted(row[0].strip("`") for row in table_after("# Prompts")) == sorted(
        PromptLibrary().names()
    )
    told = [row[0].strip("`").split()[2] for row in table_after("## Commands")]
    commands = typer.main.get_command(command.app).commands  # type: ignore[attr-defined]
    assert sorted(told) == sorted(commands)


def test_the_example_loads_and_could_be_used() -> None:
    text = re.search(r"```markdown\n(.*?)```", GUIDE, re.S)
    assert text is not None
    prompt = parse_prompt(text[1])
    check_same_use(prompt, PromptLibrary().find("rerank@1", "en"), "the guide")
    assert prompt.render(card="Steel kettle")[-1]["content"].startswith("Item:\n<data ")


def test_what_the_guide_says_of_defaults_holds() -> None:
    bare = parse_prompt(
        "---\nname: p\nversion: 1\nlanguage: en\noutput: text\ninputs:\n  a:\n---\n## user\n{{a}}\n"
    )
    told = {row[0]: row[2].strip("`") for row in table_after("Fields in bold are required")}
    assert (bare.tier, str(bare.max_tokens)) == (told["tier"], told["max_tokens"])
    assert (bare.labels, bare.stop, bare.about) == ((), (), "")
    of_input = {row[0]: row[2].strip("`") for row in table_after("Each input is")}
    for field in INPUT_FIELDS:
        assert str(getattr(bare.inputs["a"], field)).lower() == of_input[field]
