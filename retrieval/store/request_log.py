"""``RequestLog`` in SQL: one row a request, its items and texts as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, delete, select

from retrieval.store import schema
from retrieval.store.database import Database
from retrieval.store.pages import pages
from retrieval.store.upsert import Row, insert_new, listed
from retrieval.store.values import (
    checked_id,
    dump,
    finite,
    from_micros,
    in_batches,
    is_storable,
    storable_text,
    to_micros,
)
from retrieval.types import LoggedItem, LoggedRequest

_PAGE = 200
"""Requests in one page or transaction: each holds a whole pool with its cards."""

_COLUMNS = frozenset({"request_id", "at", "user_id", "experiment"})


class SqlRequestLog:
    """Implements ``retrieval.ports.RequestLog``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, requests: Iterable[LoggedRequest]) -> int:
        """Idempotent by request_id: a known one stays as it is; returns how many were new.

        Raises:
            InvalidInput: an id, score or time that cannot be kept; earlier batches stay.
        """
        count = 0
        for batch in in_batches(requests, _PAGE):
            rows = {row["request_id"]: row for row in map(_row, batch)}
            with self._database.writing() as connection:
                count += insert_new(connection, schema.requests, list(rows.values()))
        return count

    def requests(self, experiment: str | None = None) -> Iterator[LoggedRequest]:
        """In (at, request_id) order; of one experiment, or all (``None``)."""
        c = schema.requests.c
        query = select(schema.requests)
        if experiment is not None:
            if experiment and not is_storable(experiment):
                return
            query = query.where(c.experiment == experiment)
        for row in pages(self._database, query, (c.at, c.request_id), _PAGE):
            yield _to_request(row)

    def erase(self, user_ids: Sequence[str]) -> int:
        """Forget every request of these users, past recovery; returns how many there were.

        SQLite writes zeros over what it deletes and folds its write-ahead log into the file;
        PostgreSQL frees the space when it vacuums.
        """
        known = [user_id for user_id in user_ids if is_storable(user_id)]
        users = listed(known, self._database.dialect)
        return self._delete(schema.requests.c.user_id.in_(users)) if known else 0

    def prune(self, before: datetime) -> int:
        """Forget every request older than ``before``, past recovery; returns how many."""
        return self._delete(schema.requests.c.at < to_micros(before, "before"))

    def _delete(self, condition: ColumnElement[bool]) -> int:
        with self._database.writing() as connection:
            if self._database.dialect == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            gone = connection.execute(delete(schema.requests).where(condition)).rowcount
        if gone:
            self._database.checkpoint()
        return gone


def _row(request: LoggedRequest) -> Row:
    request_id = checked_id(request.request_id, "request_id")
    what = f"request {request_id[:40]!r}"
    content = {
        name: storable_text(value) if isinstance(value, str) else value
        for name, value in asdict(request).items()
        if name not in _COLUMNS
    }
    content["items"] = [_item_row(item, what) for item in request.items]
    for number in (request.explore, *request.weights):
        finite(number, f"explore or a weight of {what}")
    user_id = request.user_id
    return {
        "request_id": request_id,
        "at": to_micros(request.at, what),
        "user_id": None if user_id is None else checked_id(user_id, f"user_id of {what}"),
        "experiment": storable_text(request.experiment),
        "content": dump(content),
    }


def _item_row(item: LoggedItem, what: str) -> dict[str, Any]:
    row = asdict(item)
    row["item_id"] = checked_id(item.item_id, f"item_id of {what}")
    row["card"] = storable_text(item.card)
    for name in ("score", "log_odds", "propensity"):
        if row[name] is not None:
            finite(row[name], f"{name} of item {item.item_id[:40]!r} in {what}")
    for source, part in item.parts.items():
        finite(part, f"part {source!r} of item {item.item_id[:40]!r} in {what}")
    return row


def _to_request(row: RowMapping) -> LoggedRequest:
    content = json.loads(row["content"])
    return LoggedRequest(
        request_id=row["request_id"],
        at=from_micros(row["at"]),
        user_id=row["user_id"],
        experiment=row["experiment"],
        items=tuple(LoggedItem(**item) for item in content.pop("items")),
        arms=tuple(content.pop("arms")),
        weights=tuple(content.pop("weights")),
        **content,
    )
