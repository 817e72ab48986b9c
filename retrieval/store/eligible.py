"""Hard constraints as one SQL query over ``item_attributes``.

An item satisfies ``eq``, ``in``, ``contains`` and the comparisons when *one* of its values
does; it satisfies ``ne`` and ``not_in`` when it has the attribute and *none* of its values is
excluded. An item that lacks the attribute fails whatever the operator. Texts are compared
folded (``values.fold``); ``item_id`` is compared exactly. ``contains`` means membership in a
list, a substring in a text. The fields ``item_id`` and ``title`` win over attributes that
happen to be called so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select

from retrieval.errors import InvalidInput
from retrieval.store.schema import item_attributes, items
from retrieval.store.upsert import listed
from retrieval.store.values import finite, fold, is_storable
from retrieval.types import Constraint

PREFIX_LENGTH = 100
_COMPARISONS: dict[str, Callable[[Any, float], Any]] = {
    "lt": lambda column, value: column < value,
    "le": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "ge": lambda column, value: column >= value,
}
_OPERATORS = ("eq", "ne", "lt", "le", "gt", "ge", "in", "not_in", "contains")
_SHOWN_NAMES = 40
_KIND_WORDS = {"text": "texts", "number": "numbers", "flag": "true or false"}

_a = item_attributes.c


def eligible_items(connection: Connection, constraints: Sequence[Constraint]) -> frozenset[str]:
    """Ids of the items that satisfy every constraint; all items when there is none.

    Raises:
        InvalidInput: unknown field or operator, or a value that the operator or the
            attribute cannot be compared with.
    """
    conditions = [_condition(connection, constraint) for constraint in constraints]
    query = select(items.c.item_id).where(*conditions)
    return frozenset(connection.execute(query).scalars())


def _condition(connection: Connection, constraint: Constraint) -> ColumnElement[bool]:
    if constraint.op not in _OPERATORS:
        raise InvalidInput(
            f"unknown operator {constraint.op!r}", f"the operators are {', '.join(_OPERATORS)}"
        )
    values = _checked_values(constraint)
    if constraint.field == "item_id":
        return _on_text(connection, constraint, values, items.c.item_id, str)
    if constraint.field == "title":
        return _on_text(connection, constraint, values, items.c.title_folded, fold)
    _check_attribute(connection, constraint, values)
    has = _items_where(_a.name == constraint.field)
    match constraint.op:
        case "ne" | "not_in":
            excluded = _items_where(_a.name == constraint.field, _any_of(connection, values))
            return and_(has, ~excluded)
        case "eq" | "in":
            return _items_where(_a.name == constraint.field, _any_of(connection, values))
        case "contains":
            wanted = fold(str(values[0]))
            found = or_(
                and_(_a.listed, _a.folded == wanted),
                and_(~_a.listed, _position(connection, _a.folded, wanted) > 0),
            )
            return _items_where(_a.name == constraint.field, _a.kind == "text", found)
    compare = _COMPARISONS[constraint.op]
    return _items_where(
        _a.name == constraint.field, _a.kind == "number", compare(_a.number, float(values[0]))
    )


def _items_where(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return items.c.item_id.in_(select(_a.item_id).where(*conditions))


def _any_of(connection: Connection, values: Sequence[str | float | bool]) -> ColumnElement[bool]:
    """One value of an attribute equals one of the values."""
    dialect = connection.dialect.name
    flags = [float(value) for value in values if isinstance(value, bool)]
    numbers = [float(v) for v in values if not isinstance(v, str | bool)]
    texts = [fold(value) for value in values if isinstance(value, str)]
    ways: list[ColumnElement[bool]] = []
    if flags:
        ways.append(and_(_a.kind == "flag", _a.number.in_(listed(flags, dialect))))
    if numbers:
        ways.append(and_(_a.kind == "number", _a.number.in_(listed(numbers, dialect))))
    if texts:
        # The prefix is what the index holds; the whole text decides.
        prefixes = listed([folded[:PREFIX_LENGTH] for folded in texts], dialect)
        whole = listed(texts, dialect)
        texts_or_flags = _a.kind.in_(("text", "flag"))
        ways.append(and_(texts_or_flags, _a.prefix.in_(prefixes), _a.folded.in_(whole)))
    return or_(false(), *ways)


def _on_text(
    connection: Connection,
    constraint: Constraint,
    values: Sequence[str | float | bool],
    column: ColumnElement[str],
    form: Callable[[str], str],
) -> ColumnElement[bool]:
    texts = [form(value) for value in values if isinstance(value, str)]
    if len(texts) < len(values) or constraint.op in _COMPARISONS:
        raise InvalidInput(
            f"{constraint.field} {constraint.op} {constraint.value!r}: {constraint.field} is text",
            "compare it by eq, ne, in, not_in or contains with text",
        )
    if constraint.op == "contains":
        return _position(connection, column, texts[0]) > 0
    dialect = connection.dialect.name
    among = column.in_(listed([t for t in texts if t == "" or is_storable(t)], dialect))
    return ~among if constraint.op in ("ne", "not_in") else among


def _position(
    connection: Connection, column: ColumnElement[Any], wanted: str
) -> ColumnElement[int]:
    """1-based place of the text in the column, 0 when absent; LIKE would limit its length."""
    return (func.instr if connection.dialect.name == "sqlite" else func.strpos)(column, wanted)


def _checked_values(constraint: Constraint) -> list[str | float | bool]:
    value, op = constraint.value, constraint.op
    many = isinstance(value, tuple | list)
    what = f"{constraint.field} {op} {value!r}"
    if many != (op in ("in", "not_in")):
        raise InvalidInput(
            f"{what}: {op} takes {'one value' if many else 'a list of values'}",
            "use in or not_in with a list, the other operators with one value",
        )
    values = list(value) if isinstance(value, tuple | list) else [value]
    for element in values:
        if isinstance(element, str | bool):
            continue
        if not isinstance(element, int | float):
            raise InvalidInput(f"{what}: {element!r} is no value", "give text, a number or a flag")
        finite(element, what)
    if op in _COMPARISONS and isinstance(values[0], str | bool):
        raise InvalidInput(f"{what}: {op} compares numbers", "give a number, or use eq")
    if op == "contains" and not isinstance(values[0], str):
        raise InvalidInput(f"{what}: contains looks for text", "give text, or use eq")
    return values


def _check_attribute(
    connection: Connection, constraint: Constraint, values: Sequence[str | float | bool]
) -> None:
    field = constraint.field
    kinds = {
        kind
        for kind in _KIND_WORDS
        if is_storable(field)
        and connection.execute(
            select(_a.item_id).where(_a.name == field, _a.kind == kind).limit(1)
        ).first()
    }
    if not kinds:
        raise InvalidInput(f"no item has an attribute {field!r}", _known_names(connection))
    for value in values:
        if isinstance(value, bool):
            fits = "flag" in kinds
        elif isinstance(value, str):
            fits = bool(kinds & ({"text"} if constraint.op == "contains" else {"text", "flag"}))
        else:
            fits = "number" in kinds
        if not fits:
            holds = " and ".join(_KIND_WORDS[kind] for kind in sorted(kinds))
            raise InvalidInput(
                f"{field} {constraint.op} {value!r}: the attribute {field!r} holds {holds}",
                f"compare it with {holds}",
            )


def _known_names(connection: Connection) -> str:
    query = select(_a.name).distinct().order_by(_a.name)
    names = list(connection.execute(query).scalars())
    if not names:
        return "the catalogue has no attributes yet; item_id and title work always"
    shown = ", ".join(names[:_SHOWN_NAMES])
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"the attributes are {shown}{more}; item_id and title work always"
