"""A rule as a sentence, for whoever wrote it."""

from __future__ import annotations

from retrieval.rules.conditions import describe
from retrieval.rules.rules import (
    ALWAYS,
    EVERYWHERE,
    AgeLimit,
    Bury,
    Cap,
    ExcludeItems,
    InStock,
    Pin,
    PriceRange,
    Regions,
    Rule,
    When,
)
from retrieval.types import Constraint

_SHOWN = 5


def in_words(rule: Rule) -> str:
    """What the rule does, one sentence without a full stop."""
    if isinstance(rule, ExcludeItems):
        return f"never show {_items(rule.item_ids, rule.where)}"
    if isinstance(rule, InStock):
        return f"show an item only where {rule.field} is above 0 or true; {_without(rule)}"
    if isinstance(rule, PriceRange):
        low = "" if rule.low is None else f"at least {rule.low:g}"
        high = "" if rule.high is None else f"at most {rule.high:g}"
        both = " and ".join(part for part in (low, high) if part)
        return f"show an item only where {rule.field} is {both}; {_without(rule)}"
    if isinstance(rule, Regions):
        otherwise = f"{rule.default!r} where neither is known" if rule.default else (
            f"where neither is known only items with {EVERYWHERE!r}"
        )  # fmt: skip
        return (
            f"show an item only where {rule.field} names the region of the request, else of the "
            f"user's {rule.user_field}; {otherwise}; {_without(rule)}"
        )
    if isinstance(rule, AgeLimit):
        return (
            f"show an item only to people of at least {rule.field} years, by the request, else by "
            f"the user's {rule.user_field}, else taken as {rule.default:g}; {_without(rule)}"
        )
    return _moves(rule) + _only(rule.when)


def _moves(rule: Cap | Pin | Bury) -> str:
    if isinstance(rule, Cap):
        then = "the list ends there" if rule.strict else "they follow all the same"
        return (
            f"at most {rule.most} with the same {rule.field} in the first {rule.within} places; "
            f"others move down, and when nothing else is left {then}"
        )
    if isinstance(rule, Pin):
        places = f"place {rule.position}" + (" and on" if len(rule.item_ids) > 1 else "")
        return f"put {_items(rule.item_ids, ())} at {places}, where every filter and cap lets them"
    return f"move {_items(rule.item_ids, rule.where)} to the end"


def _items(item_ids: tuple[str, ...], where: tuple[Constraint, ...]) -> str:
    parts = []
    if item_ids:
        more = f" and {len(item_ids) - _SHOWN} more" if len(item_ids) > _SHOWN else ""
        parts.append(", ".join(item_ids[:_SHOWN]) + more)
    if where:
        parts.append(f"what has {' and '.join(map(describe, where))}")
    return " and ".join(parts)


def _without(rule: InStock | PriceRange | Regions | AgeLimit) -> str:
    kept = "shown" if rule.lacking == "keep" else "left out"
    return f"items without {rule.field} are {kept}"


def _only(when: When) -> str:
    if when == ALWAYS:
        return ""
    parts = []
    if when.query_has:
        parts.append(f"the request has {' or '.join(map(repr, when.query_has))}")
    if when.regions:
        parts.append(f"the region is {' or '.join(when.regions)}")
    if when.user:
        parts.append(f"the user has {' and '.join(map(describe, when.user))}")
    return f", but only where {' and '.join(parts)}"
