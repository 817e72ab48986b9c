"""``EventLog`` in SQL: interactions, reviews and evidence."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Table, select, union

from retrieval.store import schema
from retrieval.store.database import Database
from retrieval.store.pages import pages
from retrieval.store.upsert import Row, insert_new, listed, upsert, upsert_changed
from retrieval.store.values import (
    MAX_DERIVED_ID_LENGTH,
    checked_id,
    checksum,
    finite,
    from_micros,
    in_batches,
    is_storable,
    storable_text,
    to_micros,
)
from retrieval.types import Evidence, Interaction, Review, Subject, content_hash


class SqlEventLog:
    """Implements ``retrieval.ports.EventLog``. Long reads go page by page: nothing stays locked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append_interactions(self, interactions: Iterable[Interaction]) -> int:
        """Idempotent by (user, item, kind, at); returns how many were new.

        A known interaction with another value gets the new value and does not count.
        Committed every ``BATCH`` rows.

        Raises:
            InvalidInput: an id, value or time that cannot be kept; earlier batches stay.
        """
        count = 0
        for batch in in_batches(interactions):
            rows = {_key(row): row for row in map(_interaction_row, batch)}
            distinct = list(rows.values())
            with self._database.writing() as connection:
                new = insert_new(connection, schema.interactions, distinct)
                if new < len(distinct):
                    upsert(connection, schema.interactions, distinct)
            count += new
        return count

    def append_reviews(self, reviews: Iterable[Review]) -> int:
        """Idempotent by review_id and content; returns how many were new or different.

        Each review's two evidence rows, ``review:ID:item`` (about the item, by its author)
        and ``review:ID:user`` (about the author), are written in the same transaction; an
        edited review updates both. Trust is 1, or 0 when the review has no words.

        Raises:
            InvalidInput: an id, rating or time that cannot be kept; earlier batches stay.
        """
        count = 0
        for batch in in_batches(reviews):
            rows = [_review_row(review) for review in batch]
            with self._database.writing() as connection:
                changed = upsert_changed(connection, schema.reviews, rows)
                derived = [row for review in changed for row in _review_evidence(review)]
                upsert_changed(connection, schema.evidence, derived)
            count += len(changed)
        return count

    def append_evidence(self, evidence: Iterable[Evidence]) -> int:
        """Idempotent by evidence_id and content; returns how many were new or different.

        Raises:
            InvalidInput: an id, trust or time that cannot be kept; earlier batches stay.
        """
        count = 0
        for batch in in_batches(evidence):
            rows = [_evidence_row(one) for one in batch]
            with self._database.writing() as connection:
                count += len(upsert_changed(connection, schema.evidence, rows))
        return count

    def interactions(
        self, user_id: str | None = None, until: datetime | None = None
    ) -> Iterator[Interaction]:
        """In (at, user, item, kind) order; ``until`` is inclusive."""
        c = schema.interactions.c
        conditions: list[ColumnElement[bool]] = []
        if user_id is not None:
            if not is_storable(user_id):
                return
            conditions.append(c.user_id == user_id)
        if until is not None:
            conditions.append(c.at <= to_micros(until, "until"))
        query = select(c.user_id, c.item_id, c.kind, c.value, c.at).where(*conditions)
        for row in pages(self._database, query, (c.at, c.user_id, c.item_id, c.kind)):
            yield Interaction(
                row["user_id"], row["item_id"], row["kind"], row["value"], from_micros(row["at"])
            )

    def seen(self, user_id: str) -> frozenset[str]:
        """Items that the user interacted with or reviewed."""
        if not is_storable(user_id):
            return frozenset()
        query = union(
            *(
                select(table.c.item_id).where(table.c.user_id == user_id)
                for table in (schema.interactions, schema.reviews)
            )
        )
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def reviews(
        self, *, user_id: str | None = None, item_id: str | None = None
    ) -> Iterator[Review]:
        """In (at, review_id) order."""
        c = schema.reviews.c
        query = select(schema.reviews)
        for column, wanted in ((c.user_id, user_id), (c.item_id, item_id)):
            if wanted is None:
                continue
            if not is_storable(wanted):
                return
            query = query.where(column == wanted)
        for row in pages(self._database, query, (c.at, c.review_id)):
            yield _to_review(row)

    def evidence(
        self, subject: Subject, subject_id: str, as_of: datetime | None = None
    ) -> list[Evidence]:
        """Evidence about one subject in (at, evidence_id) order; nothing newer than ``as_of``."""
        if not is_storable(subject_id):
            return []
        c = schema.evidence.c
        query = select(schema.evidence).where(c.subject == subject, c.subject_id == subject_id)
        if as_of is not None:
            query = query.where(c.at <= to_micros(as_of, "as_of"))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(c.at, c.evidence_id)).mappings().all()
        return [_to_evidence(row) for row in rows]

    def evidence_by_id(self, evidence_ids: Sequence[str]) -> dict[str, Evidence]:
        """The known ones among the ids."""
        found: dict[str, Evidence] = {}
        for batch in in_batches(filter(is_storable, evidence_ids)):
            query = select(schema.evidence).where(
                schema.evidence.c.evidence_id.in_(listed(batch, self._database.dialect))
            )
            with self._database.reading() as connection:
                for row in connection.execute(query).mappings():
                    found[row["evidence_id"]] = _to_evidence(row)
        return found

    def subjects_with_evidence(self, subject: Subject) -> list[str]:
        """Ids that have at least one evidence row, in id order."""
        c = schema.evidence.c
        query = select(c.subject_id).where(c.subject == subject).distinct().order_by(c.subject_id)
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())


def _interaction_row(interaction: Interaction) -> Row:
    user_id = checked_id(interaction.user_id, "user_id")
    item_id = checked_id(interaction.item_id, "item_id")
    what = f"interaction of user {user_id[:40]!r} with item {item_id[:40]!r}"
    row: Row = {
        "user_id": user_id,
        "item_id": item_id,
        "kind": checked_id(interaction.kind, "interaction kind"),
        "at": to_micros(interaction.at, what),
        "value": finite(interaction.value, f"the value of the {what}"),
    }
    # Hundreds of thousands of rows at once: a cheap checksum is enough to notice change.
    row["checksum"] = zlib.crc32(repr(tuple(row.values())).encode()) >> 1
    return row


def _key(row: Row) -> tuple[Any, ...]:
    return row["user_id"], row["item_id"], row["kind"], row["at"]


def _review_row(review: Review) -> Row:
    review_id = checked_id(review.review_id, "review_id")
    what = f"review {review_id[:40]!r}"
    row: Row = {
        "review_id": review_id,
        "user_id": checked_id(review.user_id, f"user_id of {what}"),
        "item_id": checked_id(review.item_id, f"item_id of {what}"),
        "text": storable_text(review.text),
        "rating": None if review.rating is None else finite(review.rating, f"rating of {what}"),
        "at": to_micros(review.at, what),
        "lang": storable_text(review.lang),
    }
    return _with_digest(row, schema.reviews)


def _review_evidence(review: Row) -> Iterator[Row]:
    subjects = (("item", review["item_id"]), ("user", review["user_id"]))
    for subject, subject_id in subjects:
        row: Row = {
            "evidence_id": f"review:{review['review_id']}:{subject}",
            "subject": subject,
            "subject_id": subject_id,
            "kind": "review",
            "text": review["text"],
            "lang": review["lang"],
            "author": review["user_id"],
            "at": review["at"],
            "trust": 1.0 if review["text"].strip() else 0.0,
            "sha256": content_hash(review["text"]),
        }
        yield _with_digest(row, schema.evidence)


def _evidence_row(evidence: Evidence) -> Row:
    evidence_id = checked_id(evidence.evidence_id, "evidence_id", MAX_DERIVED_ID_LENGTH)
    what = f"evidence {evidence_id[:40]!r}"
    row: Row = {
        "evidence_id": evidence_id,
        "subject": checked_id(evidence.subject, f"subject of {what}"),
        "subject_id": checked_id(evidence.subject_id, f"subject_id of {what}"),
        "kind": evidence.kind,
        "text": storable_text(evidence.text),
        "lang": storable_text(evidence.lang),
        "author": storable_text(evidence.author),
        "at": to_micros(evidence.at, what),
        "trust": finite(evidence.trust, f"trust of {what}"),
        "sha256": evidence.sha256,
    }
    return _with_digest(row, schema.evidence)


def _with_digest(row: Row, table: Table) -> Row:
    row["digest"] = content_hash(*(repr(value) for value in row.values()))
    if "checksum" in table.c:
        row["checksum"] = checksum(row["digest"])
    return row


def _to_review(row: RowMapping) -> Review:
    return Review(
        review_id=row["review_id"],
        user_id=row["user_id"],
        item_id=row["item_id"],
        text=row["text"],
        rating=row["rating"],
        at=from_micros(row["at"]),
        lang=row["lang"],
    )


def _to_evidence(row: RowMapping) -> Evidence:
    return Evidence(
        evidence_id=row["evidence_id"],
        subject=row["subject"],
        subject_id=row["subject_id"],
        kind=row["kind"],
        text=row["text"],
        lang=row["lang"],
        author=row["author"],
        at=from_micros(row["at"]),
        trust=row["trust"],
        sha256=row["sha256"],
    )
