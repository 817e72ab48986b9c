"""Conditions as people type them: ``price<50``, ``colour=red``, ``tags~vegan``, ``size in S,M``."""

from __future__ import annotations

import math
import re

from retrieval.errors import InvalidInput
from retrieval.types import Constraint, Operator

_SIGNS: dict[str, Operator] = {
    "<=": "le", ">=": "ge", "!=": "ne", "==": "eq", "<": "lt", ">": "gt", "=": "eq",
    "~": "contains",
}  # fmt: skip
_SIGN = re.compile(r"(?P<field>[^<>=!~]+?)\s*(?P<sign><=|>=|!=|==|<|>|=|~)\s*(?P<value>.*)", re.S)
_WORD = re.compile(r"(?P<field>.+?)\s+(?P<not>not\s+)?in\s+(?P<value>.+)", re.S | re.I)
_HINT = "write e.g. price<50, colour=red, colour!=red, tags~vegan, or size in S,M"


def parse_where(text: str) -> Constraint:
    """One condition.

    Numbers and true/false are read as such; put a value between double quotes to keep it text.

    Raises:
        InvalidInput: no condition can be read, or an order sign stands before something
            that is no number.
    """
    match = _SIGN.fullmatch(text.strip())
    if match is not None and match["value"].strip():
        op = _SIGNS[match["sign"]]
        value = _value(match["value"])
        if op in ("lt", "le", "gt", "ge") and (isinstance(value, bool | str)):
            raise InvalidInput(
                f"condition {text!r} compares with {match['value'].strip()!r}",
                f"{match['sign']} needs a number, e.g. price{match['sign']}50",
            )
        return Constraint(match["field"].strip(), op, value)
    match = _WORD.fullmatch(text.strip())
    if match is not None:
        choices = tuple(_value(part) for part in match["value"].split(",") if part.strip())
        if choices:
            return Constraint(match["field"].strip(), "not_in" if match["not"] else "in", choices)
    raise InvalidInput(f"condition {text!r} cannot be read", _HINT)


def _value(text: str) -> str | float | bool:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1]
    if text.casefold() in ("true", "false"):
        return text.casefold() == "true"
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
