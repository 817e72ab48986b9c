"""Rows that arrive over HTTP: read them, check each one, write the good ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flask import Request
from werkzeug.exceptions import UnsupportedMediaType

from agent.ingest import attribute_evidence
from retrieval.errors import InvalidInput, NotFound
from retrieval.sources.records import Record, RowError, Table, parse_row
from retrieval.types import Interaction, Item, Review, User
from server.body import JSON_TYPES, NDJSON_TYPES, json_kind, read_json, unsupported
from server.envelope import quoted

if TYPE_CHECKING:
    from agent.recommend import Recommender

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
    value = read_json(request.get_data())
    rows = value.get("rows") if isinstance(value, dict) and set(value) == {"rows"} else value
    if not isinstance(rows, list):
        raise InvalidInput(
            f"the body must hold rows, not {json_kind(rows)}",
            'send {"rows": [{…}, …]}, or [{…}, …], or NDJSON with its content type',
        )
    return [(index, row, "") for index, row in enumerate(rows)]


def check_rows(
    table: Table, rows: Iterable[RawRow], recommender: Recommender
) -> tuple[list[Record], list[RejectedRow]]:
    """The usable rows in order, and the others with their reasons.

    A row that names a user or an item which is not in the catalogue is not usable.
    """
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
    known: list[Record] = []
    unknown = _unknown_references([record for _, record in good], recommender)
    for index, record in good:
        column = _first_unknown(record, unknown)
        if column:
            value = quoted(getattr(record, column))
            where = "/v1/users" if column == "user_id" else "/v1/items"
            rejected.append(
                RejectedRow(index, column, f"{value} is unknown: send it to {where} first")
            )
        else:
            known.append(record)
    return known, sorted(rejected, key=lambda row: row.index)


def write_rows(table: Table, records: Sequence[Record], recommender: Recommender) -> int:
    """Write checked rows; returns how many were new or different.

    An item's attributes are evidence about it, as they are when a folder is ingested.

    Raises:
        InvalidInput: the store cannot keep one of them; writing again what was written
            before it changes nothing.
    """
    if table == "items":
        items = cast(Sequence[Item], records)
        changed = recommender.catalog.upsert_items(items)
        recommender.event_log.append_evidence(
            evidence for item in items for evidence in attribute_evidence(item)
        )
        return changed
    if table == "users":
        return recommender.catalog.upsert_users(cast(Sequence[User], records))
    if table == "interactions":
        return recommender.event_log.append_interactions(cast(Sequence[Interaction], records))
    return recommender.event_log.append_reviews(cast(Sequence[Review], records))


def _ndjson(data: bytes) -> Iterator[RawRow]:
    for index, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines()):
        if not line.strip():
            continue
        try:
            yield index, read_json(line), ""
        except InvalidInput as error:
            yield index, None, error.message.replace("the body", "the line", 1)


def _unknown_references(
    records: Sequence[Record], recommender: Recommender
) -> dict[str, frozenset[str]]:
    referring = [r for r in records if isinstance(r, Interaction | Review)]
    item_ids = sorted({record.item_id for record in referring})
    user_ids = {record.user_id for record in referring}
    known_items = {item.item_id for item in recommender.catalog.items(item_ids)}
    return {
        "item_id": frozenset(item_ids) - known_items,
        "user_id": frozenset(i for i in user_ids if not _exists(recommender.catalog.user, i)),
    }


def _first_unknown(record: Record, unknown: dict[str, frozenset[str]]) -> str:
    if isinstance(record, Interaction | Review):
        for column in ("user_id", "item_id"):
            if getattr(record, column) in unknown[column]:
                return column
    return ""


def _exists(find: Callable[[str], object], key: str) -> bool:
    try:
        find(key)
    except NotFound:
        return False
    return True
