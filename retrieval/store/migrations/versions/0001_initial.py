"""The first tables. A revision is history: it is never edited once released."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _key(name: str, *, primary: bool = False) -> sa.Column[str]:
    return sa.Column(name, _KEY, primary_key=primary, nullable=False)


def _instant(name: str, *, primary: bool = False) -> sa.Column[int]:
    return sa.Column(
        name, sa.BigInteger(), primary_key=primary, nullable=False, autoincrement=False
    )


def _integer(name: str, *, primary: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), primary_key=primary, nullable=False, autoincrement=False)


def _number(name: str, *, null: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Float(), nullable=null)


def _subject() -> list[sa.Column[str]]:
    return [_key("subject", primary=True), _key("subject_id", primary=True)]


def _of_profile() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["subject", "subject_id"], ["profiles.subject", "profiles.subject_id"], ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "items",
        _key("item_id", primary=True),
        _text("title"),
        _text("title_folded"),
        _text("attributes"),
        _text("media"),
        _text("digest"),
        _integer("checksum"),
    )
    op.create_table(
        "item_attributes",
        _key("item_id", primary=True),
        _key("name", primary=True),
        _integer("position", primary=True),
        _text("kind"),
        sa.Column("listed", sa.Boolean(), nullable=False),
        _text("folded", null=True),
        _text("prefix", null=True),
        _number("number", null=True),
        sa.ForeignKeyConstraint(["item_id"], ["items.item_id"], ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_item_attributes_text", "item_attributes", ["name", "kind", "prefix"])
    op.create_index("ix_item_attributes_number", "item_attributes", ["name", "kind", "number"])
    op.create_table(
        "users",
        _key("user_id", primary=True),
        _text("attributes"),
        _text("digest"),
        _integer("checksum"),
    )
    op.create_table(
        "interactions",
        _key("user_id", primary=True),
        _key("item_id", primary=True),
        _key("kind", primary=True),
        _instant("at", primary=True),
        _number("value"),
        _integer("checksum"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_interactions_at", "interactions", ["at", "user_id", "item_id", "kind"])
    op.create_table(
        "reviews",
        _key("review_id", primary=True),
        _key("user_id"),
        _key("item_id"),
        _text("text"),
        _number("rating", null=True),
        _instant("at"),
        _text("lang"),
        _text("digest"),
        _integer("checksum"),
    )
    op.create_index("ix_reviews_at", "reviews", ["at", "review_id"])
    op.create_index("ix_reviews_user", "reviews", ["user_id", "at", "review_id"])
    op.create_index("ix_reviews_item", "reviews", ["item_id", "at", "review_id"])
    op.create_table(
        "evidence",
        _key("evidence_id", primary=True),
        _key("subject"),
        _key("subject_id"),
        _text("kind"),
        _text("text"),
        _text("lang"),
        _text("author"),
        _instant("at"),
        _number("trust"),
        _text("sha256"),
        _text("digest"),
    )
    op.create_index("ix_evidence_subject", "evidence", ["subject", "subject_id", "at"])
    op.create_table(
        "profiles", *_subject(), _instant("as_of"), _text("version"), _text("written_by")
    )
    op.create_table(
        "profile_rows",
        *_subject(),
        _integer("position", primary=True),
        _text("row_id"),
        _text("aspect"),
        _text("label"),
        _text("polarity"),
        _number("strength"),
        _integer("n"),
        _instant("first_at"),
        _instant("last_at"),
        _text("lang"),
        _of_profile(),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "row_quotes",
        *_subject(),
        _integer("row_position", primary=True),
        _integer("position", primary=True),
        _key("evidence_id"),
        _text("text"),
        _of_profile(),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "profile_sentences",
        *_subject(),
        _integer("position", primary=True),
        _text("text"),
        _text("row_ids"),
        _of_profile(),
        sqlite_with_rowid=False,
    )
    op.create_table("extraction_cache", _key("key", primary=True), _text("output"))


def downgrade() -> None:
    for table in (
        "extraction_cache",
        "profile_sentences",
        "row_quotes",
        "profile_rows",
        "profiles",
        "evidence",
        "reviews",
        "interactions",
        "users",
        "item_attributes",
        "items",
    ):
        op.drop_table(table)
