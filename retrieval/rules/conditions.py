"""A condition tested on one item or person in memory, and said in words.

The answers are those of ``Catalog.eligible`` (``tests/retrieval/rules/test_conditions.py``):
texts are compared folded, what lacks the attribute fails, and one matching value of a list is
enough except for ``ne`` and ``not_in``, which want none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt

from retrieval.store.values import fold
from retrieval.types import AttributeValue, Constraint, Item

_SIGNS = {
    "eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
    "in": "in", "not_in": "not in", "contains": "contains",
}  # fmt: skip
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "lt": lt,
    "le": le,
    "gt": gt,
    "ge": ge,
}
_SHOWN = 5


def holds(condition: Constraint, item: Item) -> bool:
    """Whether the item satisfies the condition; ``item_id`` and ``title`` are fields too."""
    if condition.field == "item_id":
        return _text_holds(condition, item.item_id, str)
    if condition.field == "title":
        return _text_holds(condition, item.title, fold)
    return attribute_holds(condition, item.attributes)


def attribute_holds(condition: Constraint, attributes: Mapping[str, AttributeValue]) -> bool:
    """Whether an attribute satisfies the condition; one that is not there does not."""
    value = attributes.get(condition.field)
    values = _listed(value)
    if not values:
        return False
    wanted = _listed(condition.value)
    if condition.op in ("ne", "not_in"):
        return not any(_same(one, other) for one in values for other in wanted)
    if condition.op in ("eq", "in"):
        return any(_same(one, other) for one in values for other in wanted)
    if condition.op == "contains":
        part = fold(str(wanted[0]))
        texts = [fold(one) for one in values if isinstance(one, str)]
        return part in texts if isinstance(value, tuple) else any(part in one for one in texts)
    compare = _COMPARISONS[condition.op]
    limit = as_number(wanted[0])
    numbers = [number for one in values if (number := as_number(one)) is not None]
    return limit is not None and any(compare(number, limit) for number in numbers)


def as_number(value: object) -> float | None:
    """The value where it is a number; a flag is none, and neither is a text of digits."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def folded_values(value: AttributeValue | None) -> tuple[str, ...]:
    """The values of an attribute as they are compared, each once; empty when there is none."""
    return tuple(dict.fromkeys(map(_folded, _listed(value))))


def describe(condition: Constraint) -> str:
    """``price < 50``, as people write it."""
    value = condition.value
    if isinstance(value, bool):
        shown = "yes" if value else "no"
    elif isinstance(value, float | int):
        shown = f"{value:g}"
    elif isinstance(value, tuple):
        more = ", …" if len(value) > _SHOWN else ""
        shown = ", ".join(str(entry) for entry in value[:_SHOWN]) + more
    else:
        shown = value
    return f"{condition.field} {_SIGNS[condition.op]} {shown}"


def _text_holds(condition: Constraint, text: str, form: Callable[[str], str]) -> bool:
    wanted = [form(str(one)) for one in _listed(condition.value)]
    if condition.op == "contains":
        return wanted[0] in form(text)
    among = form(text) in wanted
    return not among if condition.op in ("ne", "not_in") else among


def _folded(value: object) -> str:
    number = as_number(value)
    return fold(str(value)) if number is None else repr(number)


def _listed(value: object) -> tuple[object, ...]:
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def _same(one: object, other: object) -> bool:
    if isinstance(one, str):
        return isinstance(other, str) and fold(one) == fold(other)
    if isinstance(one, bool):  # a flag is also known by its name
        named = isinstance(other, str) and fold(other) == str(one).casefold()
        return named or (isinstance(other, bool) and one == other)
    return as_number(one) is not None and as_number(one) == as_number(other)
