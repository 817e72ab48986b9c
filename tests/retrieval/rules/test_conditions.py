"""A condition means the same in memory as in the store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import InvalidInput
from retrieval.rules.conditions import describe, holds
from retrieval.store.catalog import SqlCatalog
from retrieval.store.database import open_database
from retrieval.types import Constraint, Item

ITEMS = [
    Item("a", "Steel kettle", {"price": 45.0, "tags": ("red", "Big"), "new": True}),
    Item("b", "ＳＴＥＥＬ mug", {"price": 8.0, "tags": ("blue",), "brand": "Straße"}),
    Item("c", "茶壶", {"brand": "STRASSE", "new": False, "price": 45.5}),
    Item("d", "", {"tags": "red wine", "price": "45"}),
    Item("true", "True"),
]
FIELDS = ["item_id", "title", "price", "tags", "new", "brand"]
VALUES: list[str | float | bool] = [
    "red",
    "strasse",
    "steel",
    "a",
    "true",
    "45",
    "b",
    45.0,
    8,
    True,
]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlCatalog]:
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('db') / 'x.sqlite3'}")
    made = SqlCatalog(database)
    made.upsert_items(ITEMS)
    yield made
    database.close()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_condition_holds_exactly_where_the_catalogue_says_so(
    catalog: SqlCatalog, data: st.DataObject
) -> None:
    op = data.draw(
        st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "contains"])
    )
    many = op in ("in", "not_in")
    value = st.sampled_from(VALUES)
    wanted = data.draw(st.lists(value, min_size=1, max_size=3).map(tuple) if many else value)
    condition = Constraint(data.draw(st.sampled_from(FIELDS)), op, wanted)
    try:
        eligible = catalog.eligible([condition])
    except InvalidInput:
        return  # what cannot be compared is refused there
    assert {item.item_id for item in ITEMS if holds(condition, item)} == eligible


def test_a_condition_is_said_as_people_write_it() -> None:
    assert describe(Constraint("price", "lt", 50.0)) == "price < 50"
    assert describe(Constraint("new", "eq", True)) == "new = yes"
    many = Constraint("id", "in", tuple("abcdef"))
    assert describe(many) == "id in a, b, c, d, e, …"
