"""Logged requests. A revision is history: it is never edited once released."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "requests",
        sa.Column("request_id", _KEY, primary_key=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("user_id", _KEY),
        sa.Column("experiment", _KEY, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
    )
    op.create_index("ix_requests_at", "requests", ["at", "request_id"])
    op.create_index("ix_requests_user", "requests", ["user_id"])


def downgrade() -> None:
    op.drop_table("requests")
