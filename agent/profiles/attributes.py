"""Rows that need no model: attributes of items, and what a user's choices have in common."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache

from agent.profiles.reduce import ExtractedRow
from agent.profiles.vocabulary import MAX_LABEL, aspect_key
from retrieval.ports import Catalog, EventLog
from retrieval.types import AttributeValue, Evidence, Interaction

TOP_PREFERENCES = 8
MIN_ITEMS = 2
MIN_LIFT = 1.2
_MAX_VALUE = 60
_MAX_QUOTE = 300
_LINK = re.compile(r"https?://|www\.", re.IGNORECASE)
_GOOD_RATING = 4.0

Value = tuple[str, str]
"""An attribute's name and one of its values."""


def attribute_rows(evidence: Iterable[Evidence]) -> Iterator[ExtractedRow]:
    """One context row for each ``name: value`` attribute evidence; links are left out."""
    for one in evidence:
        name, colon, value = one.text.partition(": ")
        label = _label(name)
        if not colon or not label or not value.strip() or _LINK.match(value.strip()):
            continue
        yield ExtractedRow(
            evidence_id=one.evidence_id,
            voter=one.evidence_id,
            at=one.at,
            weight=one.trust,
            lang=one.lang,
            aspect=aspect_key(label),
            label=label,
            polarity="context",
            quote=one.text[:_MAX_QUOTE],
            timeless=True,
        )


def liked_items(interactions: Iterable[Interaction]) -> dict[str, datetime]:
    """Items that the user chose, with the latest time; a later dislike takes one out.

    A rating counts when it is at least 4, or at least the user's own mean.
    """
    events = list(interactions)
    ratings = [event.value for event in events if event.kind == "rating"]
    bar = min(_GOOD_RATING, math.fsum(ratings) / len(ratings)) if ratings else _GOOD_RATING
    liked: dict[str, datetime] = {}
    for event in events:
        good = event.value >= bar if event.kind == "rating" else event.kind != "dislike"
        if good:
            liked[event.item_id] = event.at
        else:
            liked.pop(event.item_id, None)
    return liked


class Preferences:
    """What the items that a user chose share more often than the catalogue does.

    Reads the catalogue once. Numbers are left out: their values rarely repeat, and
    arithmetic on them belongs to candidate sources.
    """

    def __init__(self, catalog: Catalog, event_log: EventLog) -> None:
        self._event_log = event_log
        self._values: dict[str, frozenset[Value]] = {}
        counts: Counter[Value] = Counter()
        for item in catalog.items():
            values = frozenset(_values(item.attributes))
            self._values[item.item_id] = values
            counts.update(values)
        self._share = {value: n / len(self._values) for value, n in counts.items()}
        self._attributes = lru_cache(maxsize=20_000)(self._load_attributes)

    def rows(self, user_id: str, until: datetime | None) -> list[ExtractedRow]:
        """Like rows "name: value" over the evidence of the chosen items.

        Only values of at least ``MIN_ITEMS`` chosen items and a lift over ``MIN_LIFT``; the
        ``TOP_PREFERENCES`` with the largest n·log(lift). Empty for a user without choices.
        """
        liked = liked_items(self._event_log.interactions(user_id, until))
        holders: dict[Value, set[str]] = defaultdict(set)
        for item_id in liked:
            for value in self._values.get(item_id, ()):
                holders[value].add(item_id)
        known = sum(1 for item_id in liked if item_id in self._values)
        scored = []
        for value, items in holders.items():
            lift = len(items) / known / self._share[value]
            if len(items) >= MIN_ITEMS and lift > MIN_LIFT:
                scored.append((-len(items) * math.log(lift), value))
        rows: list[ExtractedRow] = []
        said: set[frozenset[str]] = set()
        for _, value in sorted(scored):
            # A region and its code hold for the same items: saying it once is enough.
            items = holders[value]
            if len(said) == TOP_PREFERENCES or frozenset(items) in said:
                continue
            found = [row for item_id in items for row in self._row(item_id, value, liked[item_id])]
            if found:
                said.add(frozenset(items))
                rows.extend(found)
        return rows

    def _row(self, item_id: str, value: Value, at: datetime) -> Iterator[ExtractedRow]:
        evidence = self._attributes(item_id).get(value[0])
        if evidence is not None:
            yield ExtractedRow(
                evidence_id=evidence.evidence_id,
                voter=evidence.evidence_id,
                at=at,
                weight=evidence.trust,
                lang=evidence.lang,
                aspect=f"{aspect_key(_label(value[0]))} = {value[1].casefold()}",
                label=f"{_label(value[0])}: {value[1]}",
                polarity="like",
                quote=evidence.text[:_MAX_QUOTE],
            )

    def _load_attributes(self, item_id: str) -> Mapping[str, Evidence]:
        found: dict[str, Evidence] = {}
        for evidence in self._event_log.evidence("item", item_id):
            if evidence.kind == "attribute":
                found.setdefault(evidence.text.partition(": ")[0], evidence)
        return found


def _label(name: str) -> str:
    """The attribute's name as it reads in a row; "" when it is no name."""
    label = " ".join(name.replace("_", " ").split()).casefold()
    return label if len(label) <= MAX_LABEL and any(char.isalpha() for char in label) else ""


def _values(attributes: Mapping[str, AttributeValue]) -> Iterator[Value]:
    for name, value in attributes.items():
        if not _label(name):
            continue
        if isinstance(value, tuple):
            parts = [part.strip() for part in value]
        elif isinstance(value, bool):
            parts = ["yes"] if value else []
        elif isinstance(value, str):
            parts = [value.strip()]
        else:
            continue
        for part in parts:
            if part and len(part) <= _MAX_VALUE and not _LINK.match(part):
                yield name, part
