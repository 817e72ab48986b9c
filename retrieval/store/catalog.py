"""``Catalog`` in SQL: items with their attributes, and users."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select

from retrieval.errors import NotFound
from retrieval.store import schema
from retrieval.store.database import Database
from retrieval.store.eligible import PREFIX_LENGTH, eligible_items
from retrieval.store.upsert import Row, listed, upsert_changed
from retrieval.store.values import (
    BATCH,
    canonical,
    checked_attributes,
    checked_id,
    checksum,
    dump,
    fold,
    in_batches,
    is_storable,
    load_attributes,
    storable_text,
)
from retrieval.types import Constraint, Item, User, content_hash

_COUNTED = ("items", "users", "interactions", "reviews", "evidence", "profiles")


class SqlCatalog:
    """Implements ``retrieval.ports.Catalog``. Long reads go page by page: nothing stays locked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upsert_items(self, items: Iterable[Item]) -> int:
        """Insert or replace; returns how many rows were new or different.

        Of several rows with one id in a batch the last stands. Committed every ``BATCH`` rows.

        Raises:
            InvalidInput: an id or attribute that cannot be kept; earlier batches stay.
        """
        count = 0
        for batch in in_batches(items):
            rows = [_item_row(item) for item in batch]
            attributes = {row["item_id"]: row.pop("values") for row in rows}
            with self._database.writing() as connection:
                changed = [row["item_id"] for row in upsert_changed(connection, schema.items, rows)]
                table = schema.item_attributes
                connection.execute(
                    delete(table).where(
                        table.c.item_id.in_(listed(changed, self._database.dialect))
                    )
                )
                if values := [value for item_id in changed for value in attributes[item_id]]:
                    connection.execute(insert(table), values)
            count += len(changed)
        return count

    def upsert_users(self, users: Iterable[User]) -> int:
        """Insert or replace; returns how many rows were new or different.

        Raises:
            InvalidInput: an id or attribute that cannot be kept; earlier batches stay.
        """
        count = 0
        for batch in in_batches(users):
            rows = [_user_row(user) for user in batch]
            with self._database.writing() as connection:
                count += len(upsert_changed(connection, schema.users, rows))
        return count

    def item(self, item_id: str) -> Item:
        """The item.

        Raises:
            NotFound: no item has this id.
        """
        for item in self.items([item_id]):
            return item
        raise NotFound(f"there is no item {item_id[:80]!r}", "item ids are compared exactly")

    def user(self, user_id: str) -> User:
        """The user.

        Raises:
            NotFound: no user has this id.
        """
        if is_storable(user_id):
            query = select(schema.users).where(schema.users.c.user_id == user_id)
            with self._database.reading() as connection:
                row = connection.execute(query).mappings().first()
            if row is not None:
                return _to_user(row)
        raise NotFound(f"there is no user {user_id[:80]!r}", "user ids are compared exactly")

    def items(self, item_ids: Sequence[str] | None = None) -> Iterator[Item]:
        """All items in id order, or the known ones among ``item_ids`` in the order given."""
        table = schema.items
        if item_ids is None:
            for row in self._pages(select(table), table.c.item_id):
                yield _to_item(row)
            return
        for batch in in_batches(item_ids):
            wanted = [item_id for item_id in batch if is_storable(item_id)]
            query = select(table).where(table.c.item_id.in_(listed(wanted, self._database.dialect)))
            with self._database.reading() as connection:
                rows = connection.execute(query).mappings().all()
            found = {row["item_id"]: _to_item(row) for row in rows}
            yield from (found[item_id] for item_id in batch if item_id in found)

    def users(self) -> Iterator[User]:
        """All users in id order."""
        for row in self._pages(select(schema.users), schema.users.c.user_id):
            yield _to_user(row)

    def known_users(self, user_ids: Sequence[str]) -> frozenset[str]:
        """Those of the ids that belong to a user."""
        known: set[str] = set()
        column = schema.users.c.user_id
        for batch in in_batches(filter(is_storable, user_ids)):
            query = select(column).where(column.in_(listed(batch, self._database.dialect)))
            with self._database.reading() as connection:
                known.update(connection.execute(query).scalars())
        return frozenset(known)

    def eligible(self, constraints: Sequence[Constraint]) -> frozenset[str] | None:
        """Ids of the items that satisfy every constraint; ``None`` when there is none to satisfy.

        Raises:
            InvalidInput: unknown attribute (the known ones are listed), or a value that does
                not fit the operator or the attribute.
        """
        if not constraints:
            return None
        with self._database.reading() as connection:
            return eligible_items(connection, constraints)

    def counts(self) -> Mapping[str, int]:
        """Rows by table name: items, users, interactions, reviews, evidence, profiles."""
        with self._database.reading() as connection:
            return {
                name: connection.execute(
                    select(func.count()).select_from(schema.metadata.tables[name])
                ).scalar_one()
                for name in _COUNTED
            }

    def _pages(self, query: Any, key: Any) -> Iterator[RowMapping]:
        page_query = query.order_by(key).limit(BATCH)
        last: str | None = None
        while True:
            with self._database.reading() as connection:
                page = (
                    connection.execute(page_query if last is None else page_query.where(key > last))
                    .mappings()
                    .all()
                )
            yield from page
            if len(page) < BATCH:
                return
            last = page[-1][key.name]


def _item_row(item: Item) -> Row:
    item_id = checked_id(item.item_id, "item_id")
    attributes = checked_attributes(item.attributes, f"item {item_id[:40]!r}")
    title = storable_text(item.title)
    media = [storable_text(path) for path in item.media]
    digest = content_hash(title, canonical(attributes), dump(media))
    return {
        "item_id": item_id,
        "title": title,
        "title_folded": fold(title),
        "attributes": dump(attributes),
        "media": dump(media),
        "digest": digest,
        "checksum": checksum(content_hash(item_id, digest)),
        "values": [row for name in attributes for row in _values(item_id, name, attributes[name])],
    }


def _values(item_id: str, name: str, value: Any) -> Iterator[Row]:
    several = isinstance(value, tuple)
    for position, element in enumerate(value if several else (value,)):
        flag = isinstance(element, bool)
        number = not isinstance(element, str)
        folded = None if number and not flag else fold(str(element))
        yield {
            "item_id": item_id,
            "name": name,
            "position": position,
            "kind": "flag" if flag else "number" if number else "text",
            "listed": several,
            "folded": folded,
            "prefix": None if folded is None else folded[:PREFIX_LENGTH],
            "number": float(element) if number else None,
        }


def _to_item(row: RowMapping) -> Item:
    return Item(
        item_id=row["item_id"],
        title=row["title"],
        attributes=load_attributes(row["attributes"]),
        media=tuple(json.loads(row["media"])),
    )


def _user_row(user: User) -> Row:
    user_id = checked_id(user.user_id, "user_id")
    attributes = checked_attributes(user.attributes, f"user {user_id[:40]!r}")
    digest = content_hash(canonical(attributes))
    return {
        "user_id": user_id,
        "attributes": dump(attributes),
        "digest": digest,
        "checksum": checksum(content_hash(user_id, digest)),
    }


def _to_user(row: RowMapping) -> User:
    return User(user_id=row["user_id"], attributes=load_attributes(row["attributes"]))
