"""One SQL database: opened, migrated, and the only way in and out of it.

SQLite runs in WAL mode: any number of readers beside one writer, also across processes.
PostgreSQL works through the same code. Every SQLAlchemy error leaves as ``StoreError``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    func,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from retrieval.errors import InvalidInput, StoreError
from retrieval.store import schema
from retrieval.types import content_hash

_LOCK_SECONDS = 60
_BUSY_MILLISECONDS = 30_000
_CHECKPOINT_MILLISECONDS = 1_000
_ADVISORY_LOCK = 0x70616C617465  # "palate"
_HASHED = (schema.items, schema.interactions, schema.reviews)


class Database:
    """An open database; safe to share between threads. See ``open_database``."""

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self.where = where

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection inside a read transaction.

        Raises:
            StoreError: for everything that the database refuses.
        """
        with store_errors(self.where), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection inside a write transaction; commits at the end, undoes on any error.

        On SQLite the write lock is taken at once: a transaction that reads first and then
        wants to write could otherwise fail half-way when somebody else wrote in between.

        Raises:
            StoreError: for everything that the database refuses.
        """
        engine = self._engine.execution_options(palate_writes=True)
        with store_errors(self.where), engine.begin() as connection:
            yield connection

    def data_hash(self) -> str:
        """SHA-256 over items, interactions and reviews; the same content gives the same hash.

        Reads counts and checksums only. Whatever order rows came in does not matter; users'
        attributes and derived data (evidence, profiles) do not take part.
        """
        parts: list[str] = []
        with self.reading() as connection:
            for table in _HASHED:
                count, total = connection.execute(
                    select(func.count(), func.coalesce(func.sum(table.c.checksum), 0)).select_from(
                        table
                    )
                ).one()
                parts += [table.name, str(int(count)), str(int(total))]
        return content_hash(*parts)

    def checkpoint(self) -> None:
        """Fold SQLite's write-ahead log into the file, so that no old page stays in it.

        Somebody who goes on reading for a second keeps the log alive until the next time.

        Raises:
            StoreError: for everything that the database refuses.
        """
        if self.dialect == "sqlite":
            with store_errors(self.where), self._engine.connect() as connection:
                raw: Any = connection.connection.dbapi_connection
                raw.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_MILLISECONDS}")
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                raw.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")

    def close(self) -> None:
        """Close every connection; the database cannot be used afterwards."""
        self._engine.dispose()


def open_database(url: str) -> Database:
    """Open the database, make it when it does not exist, and bring its tables up to date.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/NAME``.

    Raises:
        InvalidInput: the URL is not one of the two.
        StoreError: it cannot be opened, is no database, or was made by a newer Palate.
    """
    try:
        parsed = make_url(url)
    except SQLAlchemyError as error:
        raise InvalidInput(
            f"{url.split('@')[-1]!r} is no database URL", "e.g. sqlite:///palate.sqlite3"
        ) from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(parsed)
    if backend == "postgresql":
        return _open_postgresql(parsed)
    raise InvalidInput(
        f"database {backend!r} is not supported", "use sqlite:///FILE or postgresql://…"
    )


def _open_sqlite(url: URL) -> Database:
    if not url.database or url.database == ":memory:" or url.query:
        raise InvalidInput(
            f"{url.render_as_string()!r} names no SQLite file",
            "use sqlite:///FILE, without options and without ? in the path",
        )
    path = Path(url.database).expanduser().absolute()
    where = str(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = Path(f"{path}.lock")
        lock.touch()  # fails at once where FileLock would keep trying
        engine = create_engine(
            URL.create("sqlite", database=where),
            hide_parameters=True,
            pool_size=8,
            max_overflow=64,
        )
        event.listen(engine, "connect", _prepare_sqlite_connection)
        event.listen(engine, "begin", _begin_sqlite)
        database = Database(engine, where)
        # Switching a new file to WAL and making its tables must not happen twice at once.
        with FileLock(lock, timeout=_LOCK_SECONDS):
            with store_errors(where), engine.connect() as connection:
                raw: Any = connection.connection.dbapi_connection
                raw.execute("PRAGMA journal_mode = WAL")
            _migrate(database)
    except Timeout as error:
        raise StoreError(
            f"{where}: another process has been opening it for {_LOCK_SECONDS} seconds",
            "wait for it or stop it, then try again",
        ) from error
    except OSError as error:
        raise StoreError(
            f"{where} cannot be opened: {error.strerror or error}",
            "check that the folder exists and may be written, or choose another --home",
        ) from error
    return database


def _open_postgresql(url: URL) -> Database:
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    where = url.render_as_string(hide_password=True)
    try:
        with store_errors(where):
            engine = create_engine(
                url, hide_parameters=True, pool_size=8, max_overflow=64, pool_pre_ping=True
            )
    except ImportError as error:
        raise StoreError(
            f"{where}: the PostgreSQL driver is not installed",
            'pip install "palate[postgres]"',
        ) from error
    database = Database(engine, where)
    _migrate(database)
    return database


def _prepare_sqlite_connection(raw: Any, _record: Any) -> None:
    # Transactions are begun by _begin_sqlite, not by the driver.
    raw.isolation_level = None
    raw.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    raw.execute("PRAGMA foreign_keys = ON")
    raw.execute("PRAGMA synchronous = NORMAL")
    raw.execute("PRAGMA temp_store = MEMORY")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("palate_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(database: Database) -> None:
    with database.reading() as connection:
        revision = _revision(connection)
    if revision == schema.SCHEMA_REVISION:
        return
    with database.writing() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        revision = _revision(connection)  # somebody else may have been faster
        if revision == schema.SCHEMA_REVISION:
            return
        # Alembic takes a tenth of a second to import: only when there is work for it.
        from retrieval.store.migrations.upgrade import knows, upgrade

        if revision is not None and not knows(revision):
            raise StoreError(
                f"{database.where} has schema revision {revision!r}; "
                f"this Palate knows revisions up to {schema.SCHEMA_REVISION!r}",
                "it was written by a newer Palate: upgrade this one, or choose another --home",
            )
        upgrade(connection)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


@contextmanager
def store_errors(where: str) -> Iterator[None]:
    """Turn every SQLAlchemy error into ``StoreError``; row contents never get into the message."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines() or [""]
        raise StoreError(
            f"{where}: {reason[0] or type(error).__name__}", _hint(reason[0])
        ) from error


def _hint(reason: str) -> str:
    for symptom, hint in _HINTS:
        if symptom in reason:
            return hint
    return "check that the database is reachable and intact"


_HINTS = (
    ("not a database", "the file is no SQLite database: move it away or choose another --home"),
    ("locked", "another process keeps writing: wait for it or stop it, then try again"),
    ("readonly", "check the permissions of the file and its folder"),
    ("unable to open", "check the permissions of the file and its folder"),
    ("full", "free some disk space, then try again"),
    ("malformed", "the file is damaged: restore a backup or ingest again into another --home"),
    ("onnection", "check that the database server runs and that the URL is right"),
)
