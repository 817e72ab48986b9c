"""Checked records into the stores, with everything that follows from them.

Used by ``palate ingest`` and by the HTTP bulk routes, so that both store the same.
What follows: attribute evidence from items, a rating from a review, users that nobody
announced. Each batch can be repeated: the same records again change nothing, also when
the process died in the middle of a batch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeAlias

from retrieval.ports import Catalog, EventLog
from retrieval.sources.clean import detect_lang
from retrieval.sources.values import EPOCH, shown
from retrieval.types import (
    AttributeValue,
    Evidence,
    Interaction,
    Item,
    Review,
    User,
    content_hash,
)

_Event: TypeAlias = tuple[str, datetime]
_KNOWN_LIMIT = 200_000
_EVENTS_LIMIT = 5_000


class Intake:
    """Writes records to a catalogue and an event log.

    Args:
        catalog: where items and users go.
        event_log: where the rest goes.
        create_users: users that interactions and reviews name are created when unknown;
            otherwise ``problem`` refuses such rows.
    """

    def __init__(self, catalog: Catalog, event_log: EventLog, *, create_users: bool) -> None:
        self._catalog = catalog
        self._event_log = event_log
        self._create_users = create_users
        self._events: dict[str, defaultdict[str, set[_Event]]] = {}
        self.created_users = 0
        """Users that no row announced and that were created."""
        self._items = _Known(lambda ids: frozenset(item.item_id for item in catalog.items(ids)))
        self._users = _Known(catalog.known_users)

    def look_up(self, records: Sequence[Interaction | Review]) -> None:
        """Ask the catalogue for the references of a batch at once; ``problem`` then knows."""
        self._items.look_up(dict.fromkeys(record.item_id for record in records))
        self._users.look_up(dict.fromkeys(record.user_id for record in records))

    def problem(
        self, record: Interaction | Review, *, new_item: bool = False, new_user: bool = False
    ) -> tuple[str, str] | None:
        """Column and reason when the record refers to something unknown.

        Args:
            record: looked up before.
            new_item: the item is not in the catalogue yet, but will be.
            new_user: likewise the user.
        """
        if not new_item and record.item_id not in self._items:
            return "item_id", f"{shown(record.item_id)} is not in the catalogue"
        if not (new_user or self._create_users or record.user_id in self._users):
            return "user_id", f"{shown(record.user_id)} is not among the users"
        return None

    def items(self, items: Sequence[Item]) -> int:
        """Items and their attribute evidence; returns how many items were new or different.

        Evidence goes first: if the process dies in between, the catalogue still has the
        old attributes, and the next run sees again which of them have gone.
        """
        before = {item.item_id: item for item in self._catalog.items([i.item_id for i in items])}
        evidence: list[Evidence] = []
        for item in items:
            evidence += attribute_evidence(item)
            if (old := before.get(item.item_id)) is not None:
                gone = old.attributes.keys() - item.attributes.keys()
                evidence += [_attribute(item.item_id, name, None) for name in sorted(gone)]
        self._event_log.append_evidence(evidence)
        count = self._catalog.upsert_items(items)
        self._items.add(item.item_id for item in items)
        return count

    def users(self, users: Sequence[User]) -> int:
        """Users; returns how many were new or different."""
        count = self._catalog.upsert_users(users)
        self._users.add(user.user_id for user in users)
        return count

    def interactions(self, interactions: Sequence[Interaction]) -> int:
        """Interactions; returns how many were new."""
        self._announce(interactions)
        self._events.clear()
        return self._event_log.append_interactions(interactions)

    def reviews(self, reviews: Sequence[Review]) -> tuple[int, int, int]:
        """Reviews, and a rating interaction of each that has a rating.

        The rating is left out when the log has another rating of that item by that user. A
        purchase is none: who bought a thing and gave it one star did not like it.

        Returns:
            (reviews new or different, ratings derived, of these new).
        """
        self._announce(reviews)
        count = self._event_log.append_reviews(reviews)
        ratings = list(self._ratings(reviews))
        return count, len(ratings), self._event_log.append_interactions(ratings)

    def _ratings(self, reviews: Sequence[Review]) -> Iterator[Interaction]:
        for review in reviews:
            if review.rating is None:
                continue
            rating = Interaction(review.user_id, review.item_id, "rating", review.rating, review.at)
            known = self._events_of(review.user_id)[review.item_id]
            rated = {event for event in known if event[0] == "rating"}
            if not rated or (rating.kind, rating.at) in rated:
                known.add((rating.kind, rating.at))
                yield rating

    def _events_of(self, user_id: str) -> defaultdict[str, set[_Event]]:
        """(kind, at) of the user's interactions by item, remembered for the next batches."""
        if user_id not in self._events:
            if len(self._events) > _EVENTS_LIMIT:
                self._events.clear()
            events: defaultdict[str, set[_Event]] = defaultdict(set)
            for one in self._event_log.interactions(user_id):
                events[one.item_id].add((one.kind, one.at))
            self._events[user_id] = events
        return self._events[user_id]

    def _announce(self, records: Sequence[Interaction | Review]) -> None:
        """Create the users that are not known yet; a known one keeps its attributes."""
        if not self._create_users:
            return
        ids = dict.fromkeys(record.user_id for record in records)
        self._users.look_up(ids)
        if new := [User(one) for one in ids if one not in self._users]:
            self.created_users += self.users(new)


def attribute_evidence(item: Item) -> list[Evidence]:
    """One evidence an attribute, text ``name: value``; always there, so dated 1970."""
    return [_attribute(item.item_id, name, value) for name, value in item.attributes.items()]


def attribute_evidence_id(item_id: str, name: str) -> str:
    """Id of the evidence that an item's attribute gives."""
    return f"attribute:{content_hash(item_id, name)}"


def attribute_text(value: AttributeValue) -> str:
    """The value as it reads: ``12``, ``true``, ``Merlot, Syrah``."""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.15g}" if isinstance(value, float | int) else value


def _attribute(item_id: str, name: str, value: AttributeValue | None) -> Evidence:
    """``None`` takes the evidence back: no text and no trust, since evidence is never deleted."""
    text = "" if value is None else f"{name}: {attribute_text(value)}"
    return Evidence(
        evidence_id=attribute_evidence_id(item_id, name),
        subject="item",
        subject_id=item_id,
        kind="attribute",
        text=text,
        lang=detect_lang(text),
        author="",
        at=EPOCH,
        trust=1.0 if text else 0.0,
        sha256=content_hash(text),
    )


class _Known:
    """Ids that exist, as far as they were looked up; forgets everything above a limit."""

    def __init__(self, find: Callable[[list[str]], frozenset[str]]) -> None:
        self._find = find
        self._ids: set[str] = set()

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._ids

    def add(self, ids: Iterable[str]) -> None:
        if len(self._ids) > _KNOWN_LIMIT:
            self._ids.clear()
        self._ids.update(ids)

    def look_up(self, ids: Iterable[str]) -> None:
        wanted = list(ids)
        if len(self._ids) > _KNOWN_LIMIT:
            self._ids.clear()
        if unknown := [one for one in wanted if one not in self._ids]:
            self._ids |= self._find(unknown)
