"""Rows of a table file, whatever its format: one shape, bounded memory, true line numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from retrieval.errors import InvalidInput
from retrieval.sources.delimited import column_names, read_header, read_records
from retrieval.sources.lines import TextFacts, look_at, read_lines
from retrieval.sources.parquet import ParquetFacts, look_at_parquet, read_parquet_rows
from retrieval.sources.values import shown

FORMATS = (".csv", ".jsonl", ".parquet")


class RawRow(NamedTuple):
    """One row before any check.

    ``line`` is the physical line on which the row begins (Parquet: the row's number),
    ``lines`` how many it spans. ``raw`` is its text
    (Parquet: ""), ``problem`` is "" or why there are no ``values``.
    """

    line: int
    lines: int
    values: dict[str, Any]
    raw: str
    problem: str


class TableFile:
    """One table file, looked at: its columns (JSONL has none), its size and its encoding."""

    def __init__(self, path: Path, known: tuple[str, ...] = ()) -> None:
        """Look at the file without reading rows.

        Args:
            path: .csv, .jsonl or .parquet; .csv and .jsonl also with .gz behind.
            known: columns that help to tell a comma from a semicolon or a tab.

        Raises:
            InvalidInput: unreadable, of no known format, empty, or with a broken header.
        """
        self.path = path
        self.format = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
        self.columns: tuple[str, ...] | None = None
        self.facts: TextFacts | ParquetFacts
        self.delimiter = ","
        if self.format not in FORMATS:
            raise InvalidInput(f"{path} is not one of {', '.join(FORMATS)}")
        if self.format == ".parquet":
            self.facts = look_at_parquet(path)
            self.columns = column_names(path, self.facts.columns, known)
            return
        self.facts = look_at(path)
        if self.facts.empty:
            raise InvalidInput(
                f"{path} is empty", "export it again, or delete it if the table has no rows"
            )
        if self.format == ".csv":
            self.delimiter, self.columns = read_header(path, self.facts, known)

    @property
    def total(self) -> int:
        """Lines of a text file (about), rows of a Parquet file: the unit of ``RawRow.lines``."""
        return self.facts.lines - (self.format == ".csv")

    @property
    def typed(self) -> bool:
        """Cells have types of their own."""
        return self.format != ".csv"

    def rows(self) -> Iterator[RawRow]:
        """Every row in file order, the unreadable ones with their ``problem``; blank lines not."""
        if isinstance(self.facts, ParquetFacts):
            for number, values, problem in read_parquet_rows(self.path, self.facts):
                named = zip(self.columns or (), values.values(), strict=False)
                yield RawRow(number, 1, dict(named), "", problem)
        elif self.format == ".jsonl":
            yield from _json_rows(self.path, self.facts)
        else:
            yield from self._csv_rows(self.facts)

    def _csv_rows(self, facts: TextFacts) -> Iterator[RawRow]:
        columns = self.columns or ()
        for record in read_records(self.path, facts, self.delimiter, len(columns)):
            values = dict(zip(columns, record.cells, strict=True)) if not record.problem else {}
            yield RawRow(record.line, record.lines, values, record.raw, record.problem)


def _json_rows(path: Path, facts: TextFacts) -> Iterator[RawRow]:
    for number, text, problem in read_lines(path, facts):
        if problem:
            yield RawRow(number, 1, {}, text, problem)
        elif text and not text.isspace():
            yield _json_row(number, text)


def _json_row(number: int, text: str) -> RawRow:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"not valid JSON at character {error.pos + 1}: {error.msg}"
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, 10,000 brackets
        problem = f"not usable JSON: {str(error).split(';')[0]}"
    else:
        if isinstance(values, dict):
            return RawRow(number, 1, values, text, "")
        problem = f"not a JSON object but {shown(values)}"
    return RawRow(number, 1, {}, text, problem)
