"""Rules that filter, worked out over a catalogue once: what a request may not be shown.

What does not depend on who asks is computed when the catalogue is loaded, and what does is
remembered by the few values that can matter: the regions that items name, and the ages at
which a limit falls.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from retrieval.rules.conditions import as_number, folded_values, holds
from retrieval.rules.rules import (
    EVERYWHERE,
    AgeLimit,
    Asker,
    ExcludeItems,
    Filter,
    InStock,
    PriceRange,
    Regions,
    age_of,
    regions_of,
)
from retrieval.types import Item

_REMEMBERED = 8
_Key = frozenset[str] | int | None


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the rules leave for a request.

    Attributes:
        kept: ids of the items that pass every filter; ``None`` when there is no filter.
        left_out: ids of those that do not.
        sentences: what each rule did, e.g. ``in_stock stock: left out 12 items``.
    """

    kept: frozenset[str] | None = None
    left_out: frozenset[str] = frozenset()
    sentences: tuple[str, ...] = ()


EVERYTHING = Allowed()


class Filters:
    """The filters over one catalogue. Safe to ask from many threads.

    Args:
        rules: may be none.
        items: the whole catalogue; an item that came later passes no filter, because
            nothing is known of it.
    """

    def __init__(self, rules: Sequence[Filter] = (), items: Iterable[Item] = ()) -> None:
        known = list(items) if rules else []
        self._rules = tuple(_compiled(rule, known) for rule in rules)
        self._all = frozenset(item.item_id for item in known)
        self._of_key = lru_cache(_REMEMBERED)(self._compute)

    def allowed(self, asker: Asker) -> Allowed:
        """What may be shown to who asks."""
        if not self._rules:
            return EVERYTHING
        return self._of_key(tuple(rule.key(asker) for rule in self._rules))

    def _compute(self, keys: tuple[_Key, ...]) -> Allowed:
        left_out: set[str] = set()
        sentences = []
        for rule, key in zip(self._rules, keys, strict=True):
            out = rule.left_out(key)
            if out:
                left_out |= out
                sentences.append(f"{rule.label}: left out {counted(len(out))}")
        return Allowed(self._all - left_out, frozenset(left_out), tuple(sentences))


def counted(n: int) -> str:
    """``1 item``, ``12 items``."""
    return "1 item" if n == 1 else f"{n} items"


class _Fixed:
    """A rule that asks nothing about who asks."""

    def __init__(self, rule: ExcludeItems | InStock | PriceRange, items: Sequence[Item]) -> None:
        self.label = rule.label
        self._out = frozenset(item.item_id for item in items if not _passes(rule, item))

    def key(self, asker: Asker) -> None:
        return None

    def left_out(self, key: _Key) -> frozenset[str]:
        return self._out


class _ByRegion:
    """Items by the regions that they name."""

    def __init__(self, rule: Regions, items: Sequence[Item]) -> None:
        self.label = rule.label
        self._rule = rule
        self._all = frozenset(item.item_id for item in items)
        self._in: dict[str, set[str]] = defaultdict(set)
        for item in items:
            named = folded_values(item.attributes.get(rule.field))
            for region in named or ((EVERYWHERE,) if rule.lacking == "keep" else ()):
                self._in[region].add(item.item_id)

    def key(self, asker: Asker) -> frozenset[str]:
        # A region that no item names is like an unknown one: one key for all of them.
        named = regions_of(asker, self._rule.user_field, self._rule.default)
        return frozenset(one for one in named if one in self._in)

    def left_out(self, key: _Key) -> frozenset[str]:
        named = key if isinstance(key, frozenset) else frozenset()
        return self._all.difference(*(self._in.get(one, ()) for one in {*named, EVERYWHERE}))


class _ByAge:
    """Items in the order of their limits."""

    def __init__(self, rule: AgeLimit, items: Sequence[Item]) -> None:
        self.label = rule.label
        self._rule = rule
        limited: list[tuple[float, str]] = []
        never: set[str] = set()
        for item in items:
            limit = as_number(item.attributes.get(rule.field))
            if limit is None and rule.lacking == "keep" and rule.field not in item.attributes:
                continue
            if limit is None:
                never.add(item.item_id)
            else:
                limited.append((limit, item.item_id))
        limited.sort()
        self._never = frozenset(never)
        self._limits = [limit for limit, _ in limited]
        self._ids = [item_id for _, item_id in limited]

    def key(self, asker: Asker) -> int:
        age = age_of(asker, self._rule.user_field, self._rule.default)
        return bisect_right(self._limits, age)

    def left_out(self, key: _Key) -> frozenset[str]:
        return self._never.union(self._ids[key:] if isinstance(key, int) else self._ids)


def _compiled(rule: Filter, items: Sequence[Item]) -> _Fixed | _ByRegion | _ByAge:
    if isinstance(rule, Regions):
        return _ByRegion(rule, items)
    return _ByAge(rule, items) if isinstance(rule, AgeLimit) else _Fixed(rule, items)


def _passes(rule: ExcludeItems | InStock | PriceRange, item: Item) -> bool:
    if isinstance(rule, ExcludeItems):
        met = bool(rule.where) and all(holds(one, item) for one in rule.where)
        return not met and item.item_id not in rule.item_ids
    value = item.attributes.get(rule.field)
    if value is None:
        return rule.lacking == "keep"
    number = as_number(value)
    if isinstance(rule, InStock):
        return value is True or (number is not None and number > 0)
    return (
        number is not None
        and (rule.low is None or number >= rule.low)
        and (rule.high is None or number <= rule.high)
    )
