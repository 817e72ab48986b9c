"""docs/dataset.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from retrieval.sources.records import COLUMNS, MAX_ATTRIBUTES, REQUIRED, TABLES, parse_row
from retrieval.sources.values import read_attribute
from retrieval.types import InteractionKind, Item

GUIDE = (Path(__file__).parents[3] / "docs" / "dataset.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_documented_and_the_required_ones_are_bold(table: str) -> None:
    start = GUIDE.index(f"| {table} |")
    section = GUIDE[start:].split("\n\n")[0]
    for name in COLUMNS[table]:  # type: ignore[index]
        bold = f"**{name}**" in section
        assert bold or re.search(rf"\| {name} \|", section), name
        if name in REQUIRED[table]:  # type: ignore[index]
            assert bold, name


def test_every_kind_and_limit_is_documented() -> None:
    for kind in get_args(InteractionKind):
        assert f"`{kind}`" in GUIDE
    assert f"up to {MAX_ATTRIBUTES}" in GUIDE


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('["dry", "red"]', ("dry", "red")),
        ('"01234"', "01234"),
        ("12", 12.0),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("007", "007"),
        ("FALSE", False),
        ("Merlot|Syrah", ("Merlot", "Syrah")),
    ],
)
def test_the_cells_of_the_guide_read_as_it_says(cell: str, value: object) -> None:
    assert cell.replace("|", "\\|") in GUIDE
    assert read_attribute(cell, typed=False) == value


def test_ids_of_numbers_become_text() -> None:
    assert parse_row("items", {"item_id": 7, "title": "Seven"}) == Item("7", "Seven")
