"""The tables. Only ``retrieval.store`` imports SQLAlchemy.

Conventions: instants are integers, microseconds since 1970-01-01 UTC, so that order and
equality are exact on every database. ``digest`` is a SHA-256 over a row's content: a row is
rewritten only when it differs. ``checksum`` is a small number from the digest whose sum tells
in one query whether a table's content is still the same, whatever the order of arrival.
Text that takes part in an order is compared by code point (collation "C" on PostgreSQL, the
default on SQLite). Interactions and reviews deliberately have no foreign key to items and
users: logs may arrive before the catalogue does.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

SCHEMA_REVISION = "0002"
"""The revision that this code reads and writes: the newest file under ``migrations/versions``."""

_Key = Text().with_variant(Text(collation="C"), "postgresql")

metadata = MetaData()

items = Table(
    "items",
    metadata,
    Column("item_id", _Key, primary_key=True),
    Column("title", Text, nullable=False),
    Column("title_folded", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("media", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("checksum", Integer, nullable=False),
)

item_attributes = Table(
    "item_attributes",
    metadata,
    Column("item_id", _Key, ForeignKey("items.item_id", ondelete="CASCADE"), primary_key=True),
    Column("name", _Key, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("kind", Text, nullable=False),  # text, number or flag
    Column("listed", Boolean, nullable=False),  # one of several values
    Column("folded", Text),  # the text as it is compared
    Column("prefix", Text),  # its start: short enough for any index
    Column("number", Float),
    Index("ix_item_attributes_text", "name", "kind", "prefix"),
    Index("ix_item_attributes_number", "name", "kind", "number"),
    sqlite_with_rowid=False,
)

users = Table(
    "users",
    metadata,
    Column("user_id", _Key, primary_key=True),
    Column("attributes", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("checksum", Integer, nullable=False),
)

interactions = Table(
    "interactions",
    metadata,
    Column("user_id", _Key, primary_key=True),
    Column("item_id", _Key, primary_key=True),
    Column("kind", _Key, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Float, nullable=False),
    Column("checksum", Integer, nullable=False),
    Index("ix_interactions_at", "at", "user_id", "item_id", "kind"),
    sqlite_with_rowid=False,
)

reviews = Table(
    "reviews",
    metadata,
    Column("review_id", _Key, primary_key=True),
    Column("user_id", _Key, nullable=False),
    Column("item_id", _Key, nullable=False),
    Column("text", Text, nullable=False),
    Column("rating", Float),
    Column("at", BigInteger, nullable=False),
    Column("lang", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("checksum", Integer, nullable=False),
    Index("ix_reviews_at", "at", "review_id"),
    Index("ix_reviews_user", "user_id", "at", "review_id"),
    Index("ix_reviews_item", "item_id", "at", "review_id"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("evidence_id", _Key, primary_key=True),
    Column("subject", _Key, nullable=False),
    Column("subject_id", _Key, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("trust", Float, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Index("ix_evidence_subject", "subject", "subject_id", "at"),
)

profiles = Table(
    "profiles",
    metadata,
    Column("subject", _Key, primary_key=True),
    Column("subject_id", _Key, primary_key=True),
    Column("as_of", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("written_by", Text, nullable=False),
)


def _profile_key() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["subject", "subject_id"], ["profiles.subject", "profiles.subject_id"], ondelete="CASCADE"
    )


profile_rows = Table(
    "profile_rows",
    metadata,
    Column("subject", _Key, primary_key=True),
    Column("subject_id", _Key, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("row_id", Text, nullable=False),
    Column("aspect", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("polarity", Text, nullable=False),
    Column("strength", Float, nullable=False),
    Column("n", Integer, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("lang", Text, nullable=False),
    _profile_key(),
    sqlite_with_rowid=False,
)

row_quotes = Table(
    "row_quotes",
    metadata,
    Column("subject", _Key, primary_key=True),
    Column("subject_id", _Key, primary_key=True),
    Column("row_position", Integer, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("evidence_id", _Key, nullable=False),
    Column("text", Text, nullable=False),
    _profile_key(),
    sqlite_with_rowid=False,
)

profile_sentences = Table(
    "profile_sentences",
    metadata,
    Column("subject", _Key, primary_key=True),
    Column("subject_id", _Key, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("text", Text, nullable=False),
    Column("row_ids", Text, nullable=False),
    _profile_key(),
    sqlite_with_rowid=False,
)

extraction_cache = Table(
    "extraction_cache",
    metadata,
    Column("key", _Key, primary_key=True),
    Column("output", Text, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    Column("request_id", _Key, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("user_id", _Key),
    Column("experiment", _Key, nullable=False),
    Column("content", Text, nullable=False),  # the rest as JSON: nothing asks for parts of it
    Index("ix_requests_at", "at", "request_id"),
    Index("ix_requests_user", "user_id"),
)
