"""A TOML text into rules; what it does not know it refuses, with the nearest name."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from retrieval.errors import InvalidInput
from retrieval.rules.rules import (
    ALWAYS,
    AgeLimit,
    Bury,
    Cap,
    ExcludeItems,
    InStock,
    Lacking,
    Pin,
    PriceRange,
    Regions,
    Rule,
    Rules,
    When,
)
from retrieval.types import MAX_ID_LENGTH, Constraint, Operator

_MAX_LISTED = 10_000
_MAX_PLACE = 10_000
_EXAMPLE = "docs/rules.md shows every rule"


def parse_rules(text: str, name: str = "rules") -> Rules:
    """Read the rules of a TOML text.

    Args:
        text: tables or arrays of tables, each named by the kind of its rule; "" = no rules.
        name: of the file, for messages.

    Raises:
        InvalidInput: no TOML, an unknown kind or key, a value that makes no sense; names the
            rule by kind and number.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{name} is not valid TOML: {error}", _EXAMPLE) from error
    found: dict[str, list[Rule]] = {kind: [] for kind in _KINDS}
    for kind, tables in document.items():
        if kind not in _KINDS:
            raise InvalidInput(f"{name}: no rule {kind!r}", _nearest(kind, _KINDS))
        for number, table in enumerate(tables if isinstance(tables, list) else [tables], start=1):
            where = f"{name}: {kind} {number}"
            if not isinstance(table, dict):
                raise InvalidInput(f"{where} is {table!r}", f"write [[{kind}]] and keys below it")
            keys = _Keys(table, where)
            found[kind].append(_KINDS[kind](keys))
            keys.refuse_unknown()
    # In the order of the file within a kind; kinds do not depend on each other's order.
    rules = [rule for kind in found.values() for rule in kind]
    return Rules(
        filters=tuple(r for r in rules if not isinstance(r, Cap | Pin | Bury)),
        caps=tuple(r for r in rules if isinstance(r, Cap)),
        pins=tuple(r for r in rules if isinstance(r, Pin)),
        buries=tuple(r for r in rules if isinstance(r, Bury)),
    )


class _Keys:
    """The keys of one table; remembers which were asked for."""

    def __init__(self, table: Mapping[str, Any], where: str) -> None:
        self._table = table
        self._known: list[str] = []
        self.where = where

    def refuse_unknown(self) -> None:
        for key in self._table:
            if key not in self._known:
                raise InvalidInput(f"{self.where}: unknown key {key!r}", _nearest(key, self._known))

    def refuse(self, key: str, hint: str) -> InvalidInput:
        return InvalidInput(f"{self.where}: {key} = {self._table.get(key)!r}", hint)

    def given(self, key: str) -> Any:
        self._known.append(key)
        return self._table.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        value = self.given(key)
        if value is None and default is not None:
            return default
        if value is None:
            raise InvalidInput(f"{self.where} lacks {key}", f"give it a text; {_EXAMPLE}")
        if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_LENGTH:
            raise self.refuse(key, f"a text of 1 to {MAX_ID_LENGTH} characters")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.given(key)
        if value is None:
            return ()
        fits = isinstance(value, list) and 0 < len(value) <= _MAX_LISTED
        if not fits or not all(isinstance(o, str) and 0 < len(o) <= MAX_ID_LENGTH for o in value):
            raise self.refuse(key, f"a list of 1 to {_MAX_LISTED} texts")
        return tuple(dict.fromkeys(value))

    def number(self, key: str, default: float | None) -> float | None:
        value = self.given(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refuse(key, "a number")
        if not math.isfinite(value) or value < 0:
            raise self.refuse(key, "a number of 0 or more")
        return float(value)

    def whole(self, key: str, default: int | None) -> int:
        value = self.given(key)
        if value is None and default is not None:
            return default
        if value is None:
            raise InvalidInput(f"{self.where} lacks {key}", "give it a whole number from 1 up")
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MAX_PLACE:
            raise self.refuse(key, f"a whole number from 1 to {_MAX_PLACE}")
        return value

    def flag(self, key: str) -> bool:
        value = self.given(key)
        if value is not None and not isinstance(value, bool):
            raise self.refuse(key, "true or false")
        return bool(value)

    def lacking(self) -> Lacking:
        value = self.given("lacking")
        if value is None or value == "leave_out":
            return "leave_out"
        if value == "keep":
            return "keep"
        raise self.refuse("lacking", "leave_out or keep: what to do with items without the field")

    def conditions(self, key: str) -> tuple[Constraint, ...]:
        value = self.given(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not value:
            raise self.refuse(key, '[{ field = "category", op = "eq", value = "tea" }]')
        return tuple(
            _condition(one, f"{self.where}: {key} {at}") for at, one in enumerate(value, 1)
        )

    def when(self) -> When:
        value = self.given("when")
        if value is None:
            return ALWAYS
        if not isinstance(value, dict) or not value:
            raise self.refuse("when", '{ query_has = ["gift"] }, regions or user')
        keys = _Keys(value, f"{self.where}: when")
        made = When(keys.texts("query_has"), keys.texts("regions"), keys.conditions("user"))
        keys.refuse_unknown()
        return made


def _condition(value: object, where: str) -> Constraint:
    if not isinstance(value, dict):
        raise InvalidInput(
            f"{where} is {value!r}", 'write { field = "price", op = "lt", value = 5 }'
        )
    keys = _Keys(value, where)
    field = keys.text("field")
    op: Any = keys.given("op")
    wanted = keys.given("value")
    keys.refuse_unknown()
    if op not in get_args(Operator):
        raise keys.refuse("op", f"the operators are {', '.join(get_args(Operator))}")
    many = op in ("in", "not_in")
    values = wanted if isinstance(wanted, list) else [wanted]
    if many != isinstance(wanted, list) or not values:
        raise keys.refuse("value", f"{op} takes {'a list of values' if many else 'one value'}")
    numeric = op in ("lt", "le", "gt", "ge")
    for one in values:
        number = isinstance(one, int | float) and not isinstance(one, bool)
        if number and not math.isfinite(one):
            raise keys.refuse("value", "a number that is finite")
        if not isinstance(one, str | int | float) or (numeric and not number):
            raise keys.refuse("value", f"{op} takes {'a number' if numeric else 'text or numbers'}")
        if op == "contains" and not isinstance(one, str):
            raise keys.refuse("value", "contains looks for text")
    return Constraint(field, op, tuple(values) if many else values[0])


def _exclude(keys: _Keys) -> ExcludeItems:
    return ExcludeItems(*_targets(keys))


def _in_stock(keys: _Keys) -> InStock:
    return InStock(keys.text("field"), keys.lacking())


def _price_range(keys: _Keys) -> PriceRange:
    field, low, high = keys.text("field"), keys.number("low", None), keys.number("high", None)
    if low is None and high is None:
        raise InvalidInput(f"{keys.where} has no bound", "give low, high or both")
    if low is not None and high is not None and low > high:
        raise keys.refuse("low", f"at most high, which is {high:g}")
    return PriceRange(field, low, high, keys.lacking())


def _regions(keys: _Keys) -> Regions:
    field, user = keys.text("field"), keys.text("user_field", "region")
    return Regions(field, user, keys.text("default", ""), keys.lacking())


def _age_limit(keys: _Keys) -> AgeLimit:
    field, user = keys.text("field"), keys.text("user_field", "age")
    return AgeLimit(field, user, keys.number("default", 0.0) or 0.0, keys.lacking())


def _cap(keys: _Keys) -> Cap:
    field, most, within = keys.text("field"), keys.whole("most", None), keys.whole("within", 10)
    return Cap(field, most, within, keys.flag("strict"), keys.when())


def _pin(keys: _Keys) -> Pin:
    item_ids, position = keys.texts("items"), keys.whole("position", 1)
    if not item_ids:
        raise InvalidInput(f"{keys.where} lacks items", 'give ids: items = ["a", "b"]')
    return Pin(item_ids, position, keys.when())


def _bury(keys: _Keys) -> Bury:
    return Bury(*_targets(keys), keys.when())


def _targets(keys: _Keys) -> tuple[tuple[str, ...], tuple[Constraint, ...]]:
    item_ids, where = keys.texts("items"), keys.conditions("where")
    if not item_ids and not where:
        raise InvalidInput(f"{keys.where} names nothing", "give items, where or both")
    return item_ids, where


_KINDS: Mapping[str, Callable[[_Keys], Rule]] = {
    "exclude": _exclude,
    "in_stock": _in_stock,
    "price_range": _price_range,
    "regions": _regions,
    "age_limit": _age_limit,
    "cap": _cap,
    "pin": _pin,
    "bury": _bury,
}


def _nearest(name: str, known: Sequence[str] | Mapping[str, object]) -> str:
    near = get_close_matches(name, list(known), n=1)
    listed = ", ".join(known)
    return f"did you mean {near[0]}?" if near else f"there is {listed}; {_EXAMPLE}"
