"""Long reads go page by page: between two pages nothing stays locked, in memory is one page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import RowMapping, Select, tuple_

from retrieval.store.database import Database
from retrieval.store.values import BATCH


def pages(
    database: Database, query: Select[Any], order: Sequence[Any], size: int = BATCH
) -> Iterator[RowMapping]:
    """The rows of a query in a given order.

    Args:
        database: where they lie.
        query: selects every column of ``order``, among others.
        order: columns that together are unique and never null.
        size: rows in one page.

    Raises:
        StoreError: for everything that the database refuses.
    """
    page_query = query.order_by(*order).limit(size)
    last: tuple[Any, ...] | None = None
    while True:
        with database.reading() as connection:
            after = page_query if last is None else page_query.where(tuple_(*order) > last)
            page = connection.execute(after).mappings().all()
        yield from page
        if len(page) < size:
            return
        last = tuple(page[-1][column.name] for column in order)
