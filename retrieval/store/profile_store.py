"""``ProfileStore`` in SQL: profiles with rows, quotes and sentences, and the extraction cache."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from retrieval.store import schema
from retrieval.store.database import Database
from retrieval.store.upsert import Row, listed, upsert
from retrieval.store.values import (
    MAX_DERIVED_ID_LENGTH,
    checked_id,
    dump,
    finite,
    from_micros,
    in_batches,
    is_storable,
    storable_text,
    to_micros,
)
from retrieval.types import AspectRow, Profile, ProfileSentence, Quote, Subject

_PAGE = 200


class SqlProfileStore:
    """Implements ``retrieval.ports.ProfileStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, profile: Profile) -> None:
        """Insert or replace the profile of its subject, whole, in one transaction.

        Raises:
            InvalidInput: an id, strength or time that cannot be kept; nothing is written.
        """
        head, parts = _profile_rows(profile)
        c = schema.profiles.c
        with self._database.writing() as connection:
            # The rows of the former version go with it.
            connection.execute(
                delete(schema.profiles).where(
                    c.subject == profile.subject, c.subject_id == profile.subject_id
                )
            )
            connection.execute(insert(schema.profiles), head)
            for table, rows in parts:
                if rows:
                    connection.execute(insert(table), rows)

    def get(self, subject: Subject, subject_id: str) -> Profile | None:
        """The stored profile, or ``None``."""
        if not is_storable(subject_id):
            return None
        with self._database.reading() as connection:
            return next(iter(_read(connection, subject, subject_id, subject_id)), None)

    def profiles(self, subject: Subject) -> Iterator[Profile]:
        """All profiles of one kind in id order."""
        c = schema.profiles.c
        ids = select(c.subject_id).where(c.subject == subject).order_by(c.subject_id).limit(_PAGE)
        last = ""
        while True:
            with self._database.reading() as connection:
                page = list(connection.execute(ids.where(c.subject_id > last)).scalars())
                found = _read(connection, subject, page[0], page[-1]) if page else []
            yield from found
            if len(page) < _PAGE:
                return
            last = page[-1]

    def version(self, subject: Subject, subject_id: str) -> str | None:
        """The stored version without loading the profile."""
        if not is_storable(subject_id):
            return None
        c = schema.profiles.c
        query = select(c.version).where(c.subject == subject, c.subject_id == subject_id)
        with self._database.reading() as connection:
            return connection.execute(query).scalar()

    def cached_extraction(self, keys: Sequence[str]) -> dict[str, str]:
        """Raw model output by cache key, the known ones."""
        c = schema.extraction_cache.c
        found: dict[str, str] = {}
        for batch in in_batches(filter(is_storable, keys)):
            query = select(c.key, c.output).where(c.key.in_(listed(batch, self._database.dialect)))
            with self._database.reading() as connection:
                found.update((row[0], row[1]) for row in connection.execute(query))
        return found

    def cache_extraction(self, outputs: Mapping[str, str]) -> None:
        """Remember raw model outputs; committed on return."""
        rows = [
            {"key": checked_id(key, "cache key"), "output": storable_text(output)}
            for key, output in outputs.items()
        ]
        with self._database.writing() as connection:
            upsert(connection, schema.extraction_cache, rows)


def _profile_rows(profile: Profile) -> tuple[Row, list[tuple[Table, list[Row]]]]:
    key: Row = {
        "subject": checked_id(profile.subject, "subject"),
        "subject_id": checked_id(profile.subject_id, "subject_id"),
    }
    what = f"profile of {profile.subject} {profile.subject_id[:40]!r}"
    head = key | {
        "as_of": to_micros(profile.as_of, what),
        "version": profile.version,
        "written_by": profile.written_by,
    }
    rows = [
        key
        | {
            "position": position,
            "row_id": storable_text(row.row_id),
            "aspect": storable_text(row.aspect),
            "label": storable_text(row.label),
            "polarity": row.polarity,
            "strength": finite(row.strength, f"a strength in the {what}"),
            "n": row.n,
            "first_at": to_micros(row.first_at, what),
            "last_at": to_micros(row.last_at, what),
            "lang": row.lang,
        }
        for position, row in enumerate(profile.rows)
    ]
    quotes = [
        key
        | {
            "row_position": row_position,
            "position": position,
            "evidence_id": checked_id(quote.evidence_id, "evidence_id", MAX_DERIVED_ID_LENGTH),
            "text": storable_text(quote.text),
        }
        for row_position, row in enumerate(profile.rows)
        for position, quote in enumerate(row.quotes)
    ]
    sentences = [
        key
        | {
            "position": position,
            "text": storable_text(sentence.text),
            "row_ids": dump([storable_text(row_id) for row_id in sentence.row_ids]),
        }
        for position, sentence in enumerate(profile.sentences)
    ]
    return head, [
        (schema.profile_rows, rows),
        (schema.row_quotes, quotes),
        (schema.profile_sentences, sentences),
    ]


def _read(connection: Connection, subject: Subject, first: str, last: str) -> list[Profile]:
    """The profiles with ids from ``first`` to ``last``, in id order."""

    def rows_of(table: Table, *order: Any) -> Any:
        query = select(table).where(
            table.c.subject == subject, table.c.subject_id >= first, table.c.subject_id <= last
        )
        return connection.execute(query.order_by(table.c.subject_id, *order)).mappings()

    quotes: dict[tuple[str, int], list[Quote]] = defaultdict(list)
    q = schema.row_quotes.c
    for row in rows_of(schema.row_quotes, q.row_position, q.position):
        quotes[row["subject_id"], row["row_position"]].append(
            Quote(row["evidence_id"], row["text"])
        )
    rows: dict[str, list[AspectRow]] = defaultdict(list)
    for row in rows_of(schema.profile_rows, schema.profile_rows.c.position):
        rows[row["subject_id"]].append(
            AspectRow(
                row_id=row["row_id"],
                aspect=row["aspect"],
                label=row["label"],
                polarity=row["polarity"],
                strength=row["strength"],
                n=row["n"],
                first_at=from_micros(row["first_at"]),
                last_at=from_micros(row["last_at"]),
                lang=row["lang"],
                quotes=tuple(quotes[row["subject_id"], row["position"]]),
            )
        )
    sentences: dict[str, list[ProfileSentence]] = defaultdict(list)
    for row in rows_of(schema.profile_sentences, schema.profile_sentences.c.position):
        sentences[row["subject_id"]].append(
            ProfileSentence(row["text"], tuple(json.loads(row["row_ids"])))
        )
    return [
        Profile(
            subject=subject,
            subject_id=row["subject_id"],
            rows=tuple(rows[row["subject_id"]]),
            sentences=tuple(sentences[row["subject_id"]]),
            as_of=from_micros(row["as_of"]),
            version=row["version"],
            written_by=row["written_by"],
        )
        for row in rows_of(schema.profiles)
    ]
