"""What every Catalog does."""

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import InvalidInput, NotFound
from retrieval.ports import Catalog
from retrieval.store.catalog import SqlCatalog
from retrieval.store.database import Database
from retrieval.types import Constraint, Item, User

ODD_IDS = ["a/b/../c", " spaced out ", "😀" * 1000, "x" * 1000, "%_'\";--", "\n", "商品", "A", "a"]


@pytest.fixture
def catalog(database: Database) -> Catalog:
    return SqlCatalog(database)


def shop() -> list[Item]:
    return [
        Item("1", "Warm Guitar", {"price": 99.5, "brand": "Söny", "tags": ("Wood", "Folk")}),
        Item("2", "Bright guitar", {"price": 250, "brand": "SÖNY", "new": True}),
        Item("3", "木吉他", {"price": -3.0, "brand": "50%_off", "tags": ("wood",), "new": False}),
        Item("4", "Nameless", {}),
        Item("5", "Mixed", {"price": "on request", "tags": ()}),
    ]


def ids(found: frozenset[str] | None) -> str:
    return "".join(sorted(found or ()))


def test_an_item_comes_back_as_it_was_written(catalog: Catalog) -> None:
    item = Item(
        "1",
        "Title 标题 😀",
        {"z": "text", "a": 1.5, "n": 3, "flag": True, "list": ("x", "y"), "none": ()},
        ("images/a.png", "images/b.png"),
    )
    assert catalog.upsert_items([item]) == 1
    assert catalog.item("1") == item
    assert list(catalog.item("1").attributes) == list(item.attributes)


def test_writing_the_same_items_again_changes_nothing(catalog: Catalog) -> None:
    assert catalog.upsert_items(shop()) == 5
    assert catalog.upsert_items(shop()) == 0
    assert list(catalog.items()) == shop()


def test_a_changed_item_counts_and_its_old_values_are_gone(catalog: Catalog) -> None:
    catalog.upsert_items(shop())
    changed = Item("1", "Warm Guitar", {"price": 5.0})
    assert catalog.upsert_items([*shop()[1:], changed]) == 1
    assert catalog.item("1") == changed
    assert "1" not in (catalog.eligible([Constraint("brand", "eq", "söny")]) or ())


def test_of_two_rows_with_one_id_the_last_stands(catalog: Catalog) -> None:
    catalog.upsert_items([Item("1", "old"), Item("1", "new")])
    assert catalog.item("1").title == "new"
    assert catalog.counts()["items"] == 1


def test_all_items_come_in_id_order_and_asked_ones_in_the_order_asked(catalog: Catalog) -> None:
    catalog.upsert_items([Item(name, name) for name in ("b", "é", "a", "B", "商", "😀")])
    assert [item.item_id for item in catalog.items()] == sorted(["b", "é", "a", "B", "商", "😀"])
    asked = ["b", "unknown", "", "\x00", "\ud800", "a", "b"]
    assert [item.item_id for item in catalog.items(asked)] == ["b", "a", "b"]
    assert list(catalog.items([])) == []


@pytest.mark.parametrize("odd", ODD_IDS)
def test_ids_may_hold_any_character(catalog: Catalog, odd: str) -> None:
    catalog.upsert_items([Item(odd, "t", {"size": 1.0})])
    catalog.upsert_users([User(odd, {"city": "x"})])
    assert catalog.item(odd).item_id == odd
    assert catalog.user(odd) == User(odd, {"city": "x"})
    assert catalog.eligible([Constraint("size", "eq", 1.0)]) == {odd}
    assert catalog.eligible([Constraint("item_id", "eq", odd)]) == {odd}


@pytest.mark.parametrize("unknown", ["nope", "", "\x00", "\ud800", "x" * 5000])
def test_an_unknown_id_is_not_found(catalog: Catalog, unknown: str) -> None:
    with pytest.raises(NotFound):
        catalog.item(unknown)
    with pytest.raises(NotFound):
        catalog.user(unknown)


@pytest.mark.parametrize("bad", ["", "x" * 1001, "a\x00b", "a\ud800"])
def test_an_id_that_cannot_be_kept_is_refused(catalog: Catalog, bad: str) -> None:
    with pytest.raises(InvalidInput, match="item_id"):
        catalog.upsert_items([Item("good", "t"), Item(bad, "t")])
    with pytest.raises(InvalidInput, match="user_id"):
        catalog.upsert_users([User(bad)])
    assert catalog.counts()["items"] == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, None, {"a": 1}, (("x",),)])
def test_an_attribute_that_cannot_be_kept_is_named(catalog: Catalog, value: Any) -> None:
    with pytest.raises(InvalidInput, match="'weight' of item '7'"):
        catalog.upsert_items([Item("7", "t", {"weight": value})])


def test_broken_characters_in_texts_are_repaired(catalog: Catalog) -> None:
    item = Item("1", "a\x00b\ud83d", {"note": "c\x00\udc00", "tags": ("\x00",)}, ("p\x00.png",))
    assert catalog.upsert_items([item]) == 1
    assert catalog.upsert_items([item]) == 0
    repaired = Item("1", "ab\ufffd", {"note": "c\ufffd", "tags": ("",)}, ("p.png",))
    assert catalog.item("1") == repaired


def test_users_are_kept_like_items(catalog: Catalog) -> None:
    users = [User(f"u{n:05}", {"age": n}) for n in range(5_001)]
    assert catalog.upsert_users(iter(reversed(users))) == 5_001
    assert catalog.upsert_users(users) == 0
    assert list(catalog.users()) == users
    assert catalog.upsert_users([User("u00000", {"age": -1})]) == 1


def test_counts_name_every_table(catalog: Catalog) -> None:
    catalog.upsert_items(shop())
    tables = ["items", "users", "interactions", "reviews", "evidence", "profiles"]
    assert catalog.counts() == dict.fromkeys(tables, 0) | {"items": 5}


def test_no_constraint_means_no_restriction(catalog: Catalog) -> None:
    assert catalog.eligible([]) is None


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("price", "lt", 100, "13"),
        ("price", "le", 99.5, "13"),
        ("price", "gt", 99.5, "2"),
        ("price", "ge", 99.5, "12"),
        ("price", "eq", 250.0, "2"),
        ("price", "ne", 250, "135"),
        ("price", "in", (250, "ON REQUEST"), "25"),
        ("brand", "eq", "sÖny", "12"),
        ("brand", "ne", "söny", "3"),
        ("brand", "not_in", (), "123"),
        ("brand", "in", (), ""),
        ("brand", "contains", "%_O", "3"),
        ("brand", "contains", "ny", "12"),
        ("tags", "contains", "WOOD", "13"),
        ("tags", "contains", "woo", ""),
        ("tags", "eq", "folk", "1"),
        ("tags", "ne", "folk", "3"),
        ("new", "eq", True, "2"),
        ("new", "eq", "FALSE", "3"),
        ("new", "ne", True, "3"),
        ("title", "contains", "GUITAR", "12"),
        ("title", "contains", "吉他", "3"),
        ("title", "ne", "nameless", "1235"),
        ("item_id", "in", ("1", "4", "unknown", "", "\ud800"), "14"),
        ("item_id", "not_in", ("1", "4"), "235"),
    ],
)
def test_eligible_by_example(
    catalog: Catalog, field: str, op: Any, value: Any, expected: str
) -> None:
    catalog.upsert_items(shop())
    assert ids(catalog.eligible([Constraint(field, op, value)])) == expected


def test_every_constraint_must_hold(catalog: Catalog) -> None:
    catalog.upsert_items(shop())
    both = [Constraint("brand", "eq", "söny"), Constraint("price", "lt", 100)]
    assert catalog.eligible(both) == {"1"}
    assert catalog.eligible([*both, Constraint("price", "gt", 100)]) == frozenset()


def test_a_list_of_any_length_may_be_asked_for(catalog: Catalog) -> None:
    catalog.upsert_items(shop())
    many = tuple(str(n) for n in range(3, 40_000))
    assert catalog.eligible([Constraint("item_id", "in", many)]) == {"3", "4", "5"}
    assert catalog.eligible([Constraint("brand", "contains", "x" * 100_000)]) == frozenset()


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("price", "lt", "cheap"),
        ("price", "lt", True),
        ("price", "lt", float("nan")),
        ("brand", "lt", 3),
        ("brand", "eq", 3.0),
        ("brand", "eq", True),
        ("brand", "eq", ("a", "b")),
        ("brand", "in", "söny"),
        ("brand", "contains", 5),
        ("new", "contains", "true"),
        ("new", "eq", 1),
        ("title", "lt", 3),
        ("title", "eq", 3),
        ("item_id", "gt", "1"),
        ("price", "like", 3),
        ("price", "eq", None),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    catalog: Catalog, field: str, op: Any, value: Any
) -> None:
    catalog.upsert_items(shop())
    with pytest.raises(InvalidInput) as refused:
        catalog.eligible([Constraint(field, op, value)])
    assert str(field if op != "like" else op) in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize("field", ["colour", "", "\x00", "\ud800"])
def test_an_unknown_attribute_lists_the_known_ones(catalog: Catalog, field: str) -> None:
    catalog.upsert_items(shop())
    with pytest.raises(InvalidInput, match="no item has an attribute") as refused:
        catalog.eligible([Constraint(field, "eq", "red")])
    assert "brand, new, price, tags" in refused.value.hint


TEXTS = st.text(st.sampled_from("aAäÄßSs %_\\é中"), max_size=3)
NUMBERS = st.sampled_from([-1.5, 0.0, 1.0, 2.0, 1e300])
VALUES = st.one_of(TEXTS, NUMBERS, st.booleans(), st.lists(TEXTS, max_size=2).map(tuple))
NAMES = st.sampled_from(["p", "q"])
ID_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
ITEMS = st.lists(
    st.builds(
        Item,
        item_id=st.sampled_from("123456"),
        title=TEXTS,
        attributes=st.dictionaries(NAMES, VALUES),
    ),
    max_size=8,
)
# With these two, every operator and type fits both attributes.
ANCHORS = [Item("x", "", {"p": "a", "q": 1.0}), Item("y", "a", {"p": 1.0, "q": "a"})]
ON_TEXT = [
    st.builds(Constraint, st.sampled_from(["p", "q", "title"]), op, value)
    for op, value in (
        (st.sampled_from(["eq", "ne", "contains"]), TEXTS),
        (st.sampled_from(["in", "not_in"]), st.lists(TEXTS, max_size=3).map(tuple)),
    )
]
ON_NUMBERS = [
    st.builds(Constraint, NAMES, op, value)
    for op, value in (
        (st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]), NUMBERS),
        (st.sampled_from(["in", "not_in"]), st.lists(TEXTS | NUMBERS, max_size=3).map(tuple)),
    )
]
CONSTRAINTS = st.lists(st.one_of(*ON_TEXT, *ON_NUMBERS), min_size=1, max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(items=ITEMS, constraints=CONSTRAINTS)
def test_eligible_equals_a_filter_in_plain_python(
    database: Database,
    empty: Callable[[Database], None],
    items: list[Item],
    constraints: list[Constraint],
) -> None:
    empty(database)
    catalog = SqlCatalog(database)
    catalog.upsert_items([*ANCHORS, *items])
    kept = {item.item_id: item for item in [*ANCHORS, *items]}.values()
    assert catalog.eligible(constraints) == {
        item.item_id for item in kept if all(_satisfies(item, one) for one in constraints)
    }


def _satisfies(item: Item, constraint: Constraint) -> bool:
    value = item.title if constraint.field == "title" else item.attributes.get(constraint.field)
    values = value if isinstance(value, tuple) else () if value is None else (value,)
    if not values:
        return False
    wanted: Any = constraint.value
    match constraint.op:
        case "eq":
            return any(_equal(one, wanted) for one in values)
        case "ne":
            return not any(_equal(one, wanted) for one in values)
        case "in":
            return any(_equal(one, other) for one in values for other in wanted)
        case "not_in":
            return not any(_equal(one, other) for one in values for other in wanted)
        case "contains":
            if isinstance(value, tuple):
                return any(_equal(one, wanted) for one in values)
            return isinstance(value, str) and _folded(wanted) in _folded(value)
    numbers = [one for one in values if isinstance(one, float) and not isinstance(one, bool)]
    compare = {"lt": "__lt__", "le": "__le__", "gt": "__gt__", "ge": "__ge__"}[constraint.op]
    return any(getattr(one, compare)(wanted) for one in numbers)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool):
        return isinstance(other, str) and str(one).casefold() == _folded(other)
    if isinstance(one, str) != isinstance(other, str):
        return False
    return bool(_folded(one) == _folded(other) if isinstance(one, str) else one == other)


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    items=st.lists(
        st.builds(
            Item,
            item_id=st.text(ID_CHARACTERS, min_size=1, max_size=20),
            title=st.text(max_size=20),
            attributes=st.dictionaries(st.sampled_from(["a", "b c", "中"]), VALUES),
            media=st.lists(st.text(max_size=5), max_size=2).map(tuple),
        ),
        max_size=5,
        unique_by=lambda item: item.item_id,
    )
)
def test_upserting_twice_is_upserting_once(
    database: Database, empty: Callable[[Database], None], items: list[Item]
) -> None:
    empty(database)
    catalog = SqlCatalog(database)
    assert catalog.upsert_items(items) == len(items)
    once, content = list(catalog.items()), database.data_hash()
    assert catalog.upsert_items(items) == 0
    assert (list(catalog.items()), database.data_hash()) == (once, content)
    assert [item.item_id for item in once] == sorted(item.item_id for item in items)
