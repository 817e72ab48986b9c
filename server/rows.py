"""Rows that arrive over HTTP: read them, check each one, write the good ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from flask import Request
from werkzeug.exceptions import UnsupportedMediaType

from agent.intake import Intake
from retrieval.errors import InvalidInput
from retrieval.sources.records import Record, RowError, Table, parse_row
from retrieval.types import Interaction, Item, Review, User
from server.body import JSON_TYPES, NDJSON_TYPES, json_kind, read_json, unsupported

RawRow = tuple[int, Any, str]
"""Index in the request, the parsed value, and why it could not be parsed ("" when it could)."""


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """Why one row did not go in. ``column`` is "" when it is about the whole row."""

    index: int
    column: str
    reason: str


def read_rows(request: Request) -> list[RawRow]:
    """The rows of a body: ``{"rows": […]}``, a JSON array, or one JSON object a line.

    Raises:
        InvalidInput: the body as a whole is unusable. A bad NDJSON line is only a bad row.
        UnsupportedMediaType: neither JSON nor NDJSON.
    """
    if request.mimetype in NDJSON_TYPES:
        return list(_ndjson(request.get_data()))
    if request.mimetype not in JSON_TYPES:
        accepted = (*JSON_TYPES, NDJSON_TYPES[0])
        raise UnsupportedMediaType(unsupported(request.mimetype, accepted))
    value = read_json(request.get_data(), finite=False)
    rows = value.get("rows") if isinstance(value, dict) and set(value) == {"rows"} else value
    if not isinstance(rows, list):
        raise InvalidInput(
            f"the body must hold rows, not {json_kind(rows)}",
            'send {"rows": [{…}, …]}, or [{…}, …], or NDJSON with its content type',
        )
    return [(index, row, "") for index, row in enumerate(rows)]


def check_rows(
    table: Table, rows: Iterable[RawRow], intake: Intake
) -> tuple[list[Record], list[RejectedRow]]:
    """The usable rows in order, and the others with their reasons."""
    good: list[tuple[int, Record]] = []
    rejected: list[RejectedRow] = []
    for index, row, unreadable in rows:
        if unreadable:
            rejected.append(RejectedRow(index, "", unreadable))
        elif not isinstance(row, dict):
            rejected.append(RejectedRow(index, "", f"is {json_kind(row)}, not an object"))
        else:
            try:
                good.append((index, parse_row(table, row)))
            except RowError as error:
                rejected.append(RejectedRow(index, error.column, error.reason))
    intake.look_up([record for _, record in good if isinstance(record, Interaction | Review)])
    usable: list[Record] = []
    for index, record in good:
        problem = intake.problem(record) if isinstance(record, Interaction | Review) else None
        if problem is None:
            usable.append(record)
        else:
            rejected.append(RejectedRow(index, *problem))
    return usable, sorted(rejected, key=lambda row: row.index)


def write_rows(table: Table, records: Sequence[Record], intake: Intake) -> int:
    """Write checked rows; returns how many were new or different.

    Raises:
        InvalidInput: the store cannot keep one of them; what was written before it stays.
    """
    if table == "items":
        return intake.items(cast(Sequence[Item], records))
    if table == "users":
        return intake.users(cast(Sequence[User], records))
    if table == "interactions":
        return intake.interactions(cast(Sequence[Interaction], records))
    return intake.reviews(cast(Sequence[Review], records))[0]


def _ndjson(data: bytes) -> Iterator[RawRow]:
    for index, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines()):
        if not line.strip():
            continue
        try:
            yield index, read_json(line, finite=False), ""
        except InvalidInput as error:
            yield index, None, error.message.replace("the body", "the line", 1)
