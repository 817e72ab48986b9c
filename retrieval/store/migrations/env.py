"""Alembic's entry point; it runs only through ``retrieval.store.migrations.upgrade``."""

from alembic import context

from retrieval.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
