"""Bulk writes and lookups that work alike on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

Row = dict[str, Any]


def listed(values: Sequence[str] | Sequence[float], dialect: str) -> Select[Any]:
    """The values as a subquery with one bound parameter, however many there are.

    SQLite refuses statements with too many variables; a JSON list is one variable.
    """
    # ASCII escapes: what reaches the driver is plain text whatever the values hold.
    document = bindparam(None, json.dumps(list(values)), Text, unique=True)
    if dialect == "sqlite":
        return select(func.json_each(document).table_valued("value").c.value)
    elements = func.jsonb_array_elements_text(cast(document, postgresql.JSONB))
    column: ColumnElement[Any] = elements.table_valued("value").c.value
    numeric = bool(values) and not isinstance(values[0], str)
    return select(cast(column, Float) if numeric else column)


def upsert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows; where the primary key exists already, every other column is replaced."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = _insert(connection, table)
    others = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in keys}
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=others), list(rows)
    )


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Insert the rows whose primary key is not there yet; returns how many those were."""
    if not rows:
        return 0
    keys = [column.name for column in table.primary_key]
    result = connection.execute(
        _insert(connection, table).on_conflict_do_nothing(index_elements=keys),
        list(rows),
        execution_options={"preserve_rowcount": True},
    )
    return result.rowcount


def upsert_changed(connection: Connection, table: Table, rows: Sequence[Row]) -> list[Row]:
    """Write the rows that are new or whose ``digest`` differs, and return them.

    The table has one key column. Of several rows with one key the last stands.
    """
    (key,) = table.primary_key
    latest = {row[key.name]: row for row in rows}
    query = select(key, table.c.digest).where(
        key.in_(listed(list(latest), connection.dialect.name))
    )
    known: dict[str, str] = {row[0]: row[1] for row in connection.execute(query)}
    changed = [row for name, row in latest.items() if known.get(name) != row["digest"]]
    upsert(connection, table, changed)
    return changed


def _insert(connection: Connection, table: Table) -> Any:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
