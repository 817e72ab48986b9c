"""The rules that a shop can set; frozen values that say nothing about how they are applied.

Filters decide what may be shown at all and are applied before ranking. ``lacking`` says what
becomes of an item without the attribute: by default it is left out, for every filter, because
a rule about stock, regions or age that overlooks an item does more harm than one that is too
strict. Arranging rules (``Cap``, ``Pin``, ``Bury``) move items of a ranked list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from retrieval.rules.conditions import as_number, attribute_holds, describe, folded_values
from retrieval.store.values import fold
from retrieval.types import AttributeValue, Constraint

EVERYWHERE = "*"
Lacking = Literal["leave_out", "keep"]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, as far as rules care.

    Attributes:
        text: of the request; "" for none.
        region: that the request names; "" = it names none.
        age: in years, that the request names; ``None`` = it names none.
        attributes: of the user; empty for a stranger.
    """

    text: str = ""
    region: str = ""
    age: float | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class When:
    """On which requests a rule applies: all that is given must hold; nothing given = always.

    Attributes:
        query_has: one of these stands in the request's text (folded).
        regions: the request, or else the user's attribute ``region``, names one of these.
        user: conditions on the user's attributes; a stranger has none and fails them.
    """

    query_has: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    user: tuple[Constraint, ...] = ()

    def holds(self, asker: Asker) -> bool:
        """Whether the rule applies to this request."""
        text = fold(asker.text)
        if self.query_has and not any(fold(word) in text for word in self.query_has):
            return False
        regions = regions_of(asker, "region", "")
        if self.regions and not regions & {fold(one) for one in self.regions}:
            return False
        return all(attribute_holds(one, asker.attributes) for one in self.user)


ALWAYS = When()


@dataclass(frozen=True, slots=True)
class ExcludeItems:
    """Never show these items, nor any that meets all conditions of ``where``, if there are any."""

    item_ids: tuple[str, ...] = ()
    where: tuple[Constraint, ...] = ()

    @property
    def label(self) -> str:
        """As traces name it."""
        return f"exclude {_targets(self.item_ids, self.where)}"


@dataclass(frozen=True, slots=True)
class InStock:
    """Only items whose ``field`` is a number above 0, or true; a text is no stock figure."""

    field: str
    lacking: Lacking = "leave_out"

    @property
    def label(self) -> str:
        """As traces name it."""
        return f"in_stock {self.field}"


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Only items whose ``field`` is a number from ``low`` to ``high``, both included."""

    field: str
    low: float | None = None
    high: float | None = None
    lacking: Lacking = "leave_out"

    @property
    def label(self) -> str:
        """As traces name it."""
        low = "" if self.low is None else f" from {self.low:g}"
        high = "" if self.high is None else f" to {self.high:g}"
        return f"price_range {self.field}{low}{high}"


@dataclass(frozen=True, slots=True)
class Regions:
    """Only items whose ``field`` (a text or a list) names the region of who asks, or ``*``.

    The region is the request's, else the user's attribute ``user_field`` (a list counts as
    all its regions), else ``default``; where none is known, only ``*`` items remain.
    """

    field: str
    user_field: str = "region"
    default: str = ""
    lacking: Lacking = "leave_out"

    @property
    def label(self) -> str:
        """As traces name it."""
        return f"regions {self.field}"


@dataclass(frozen=True, slots=True)
class AgeLimit:
    """Only items whose ``field``, the lowest age in years, is at most the age of who asks.

    The age is the request's, else the user's attribute ``user_field`` where it is a number,
    else ``default``: 0, so that an unknown age sees what has no limit.
    """

    field: str
    user_field: str = "age"
    default: float = 0.0
    lacking: Lacking = "leave_out"

    @property
    def label(self) -> str:
        """As traces name it."""
        return f"age_limit {self.field}"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``most`` items with one value of ``field`` among the first ``within`` places.

    An item with several values counts for each; one without the attribute for none. What is
    too much moves down behind ``within``. When nothing else is left it follows all the same,
    unless ``strict``: then the list ends there.
    """

    field: str
    most: int
    within: int = 10
    strict: bool = False
    when: When = ALWAYS

    @property
    def label(self) -> str:
        """As traces name it."""
        return f"cap {self.field} {self.most} in the first {self.within}"


@dataclass(frozen=True, slots=True)
class Pin:
    """These items at ``position`` (from 1) and the places after it, in this order.

    A pinned item has to pass every filter and every cap; where it does not, the rest of the
    rule stands. Of two pins for one place the later takes the next free one.
    """

    item_ids: tuple[str, ...]
    position: int = 1
    when: When = ALWAYS

    @property
    def label(self) -> str:
        """As traces name it."""
        return f"pin {_targets(self.item_ids, ())} at {self.position}"


@dataclass(frozen=True, slots=True)
class Bury:
    """These items, and those that meet all conditions of ``where``, come last."""

    item_ids: tuple[str, ...] = ()
    where: tuple[Constraint, ...] = ()
    when: When = ALWAYS

    @property
    def label(self) -> str:
        """As traces name it."""
        return f"bury {_targets(self.item_ids, self.where)}"


Filter = ExcludeItems | InStock | PriceRange | Regions | AgeLimit
Rule = Filter | Cap | Pin | Bury


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a shop, in the order in which they were written."""

    filters: tuple[Filter, ...] = ()
    caps: tuple[Cap, ...] = ()
    pins: tuple[Pin, ...] = ()
    buries: tuple[Bury, ...] = ()

    def for_request(self, asker: Asker) -> Rules:
        """Those whose ``when`` holds; filters always apply."""
        return Rules(
            self.filters,
            tuple(rule for rule in self.caps if rule.when.holds(asker)),
            tuple(rule for rule in self.pins if rule.when.holds(asker)),
            tuple(rule for rule in self.buries if rule.when.holds(asker)),
        )

    @property
    def pinned(self) -> tuple[str, ...]:
        """Ids of all pins, each once, in order."""
        return tuple(dict.fromkeys(item_id for pin in self.pins for item_id in pin.item_ids))


NO_RULES = Rules()


def regions_of(asker: Asker, user_field: str, default: str) -> frozenset[str]:
    """Folded regions of who asks; empty when none is known."""
    if asker.region:
        return frozenset({fold(asker.region)})
    own = folded_values(asker.attributes.get(user_field))
    return frozenset(own or ((fold(default),) if default else ()))


def age_of(asker: Asker, user_field: str, default: float) -> float:
    """Years; what the user's attribute says counts only where it is a number."""
    if asker.age is not None:
        return asker.age
    own = as_number(asker.attributes.get(user_field))
    return default if own is None else own


def _targets(item_ids: tuple[str, ...], where: tuple[Constraint, ...]) -> str:
    parts = [", ".join(item_ids[:3]) + (", …" if len(item_ids) > 3 else "")] if item_ids else []
    return " or ".join([*parts, *([" and ".join(map(describe, where))] if where else [])])
