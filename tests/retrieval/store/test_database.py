"""Opening, migrating, sharing and failing of the database."""

import inspect
import os
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy.exc
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from retrieval.errors import InvalidInput, StoreError
from retrieval.store import schema
from retrieval.store.catalog import SqlCatalog
from retrieval.store.database import open_database, store_errors
from retrieval.store.event_log import SqlEventLog
from retrieval.store.migrations import upgrade
from retrieval.types import Interaction, Item, Review, User

NOW = datetime(2024, 5, 1, tzinfo=UTC)
OPEN_AND_WRITE = """
import sys
from retrieval.store.catalog import SqlCatalog
from retrieval.store.database import open_database
from retrieval.types import Item
catalog = SqlCatalog(open_database(sys.argv[1]))
for number in range(20):
    catalog.upsert_items([Item(f"{sys.argv[2]}-{number}", "t")])
"""
SQLALCHEMY_ERRORS = [
    kind
    for _, kind in inspect.getmembers(sqlalchemy.exc, inspect.isclass)
    if issubclass(kind, Exception)
    and not issubclass(kind, Warning)
    and kind.__module__ == "sqlalchemy.exc"
    # A mark, and what drivers raise inside before it is wrapped.
    and kind.__name__ not in ("DontWrapMixin", "EmulatedDBAPIException")
]


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def test_a_new_database_gets_every_table(tmp_path: Path) -> None:
    database = open_database(url(tmp_path / "new" / "folder" / "palate.sqlite3"))
    with database.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), schema.metadata)
        journal = connection.execute(text("PRAGMA journal_mode")).scalar()
        keys = connection.execute(text("PRAGMA foreign_keys")).scalar()
    assert differences == []
    assert (journal, keys) == ("wal", 1)
    database.close()


def test_the_revision_in_the_code_is_the_newest_migration() -> None:
    assert upgrade.knows(schema.SCHEMA_REVISION)
    versions = Path(upgrade.__file__).parent / "versions"
    assert max(versions.glob("[0-9]*.py")).name.startswith(schema.SCHEMA_REVISION)


def test_data_outlive_closing_and_opening_again(tmp_path: Path) -> None:
    for _ in range(2):
        database = open_database(url(tmp_path / "p.sqlite3"))
        SqlCatalog(database).upsert_items([Item("1", "t")])
        assert SqlCatalog(database).counts()["items"] == 1
        database.close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    database = open_database(url(tmp_path / "p.sqlite3"))
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(StoreError, match=r"'9999'.*'0002'") as refused:
        open_database(url(tmp_path / "p.sqlite3"))
    assert "newer Palate" in refused.value.hint


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n" * 500, encoding="utf-8")
    with pytest.raises(StoreError, match=r"notes\.txt: file is not a database"):
        open_database(url(path))
    assert path.read_text(encoding="utf-8").startswith("dear diary")


def test_a_folder_below_a_file_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be opened") as refused:
        open_database(url(tmp_path / "file" / "p.sqlite3"))
    assert "--home" in refused.value.hint


def test_a_folder_that_may_not_be_written_cannot_be_opened(tmp_path: Path) -> None:
    place = tmp_path / "locked"
    place.mkdir()
    if os.geteuid() == 0:
        place = Path("/proc/self")  # root may write anywhere but there
        if not place.is_dir():
            pytest.skip("root may write everywhere here")
    else:
        place.chmod(0o500)
    with pytest.raises(StoreError):
        open_database(url(place / "p.sqlite3"))


@pytest.mark.parametrize("path", [":memory:", "", "a.sqlite3?mode=ro"])
def test_a_url_without_a_plain_file_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="SQLite file"):
        open_database(f"sqlite:///{path}")


@pytest.mark.parametrize("bad", ["mysql://u:secret@h/x", "nonsense", "", "postgres://u:secret@h"])
def test_other_urls_are_refused_without_showing_the_password(bad: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        open_database(bad)
    assert "secret" not in refused.value.message + refused.value.hint


def test_a_database_server_that_is_away_is_a_store_error(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="the postgres extra is not installed")
    with pytest.raises(StoreError) as refused:
        open_database(f"postgresql://me:secret@/db?host={tmp_path}")
    assert "secret" not in refused.value.message
    assert refused.value.hint


def test_processes_may_open_an_empty_home_at_once(tmp_path: Path) -> None:
    target = url(tmp_path / "home" / "p.sqlite3")
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_AND_WRITE, target, str(number)], stderr=subprocess.PIPE
        )
        for number in range(3)
    ]
    for process in started:
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr.decode()
    database = open_database(target)
    assert SqlCatalog(database).counts()["items"] == 60
    database.close()


def test_threads_may_read_and_write_at_once(tmp_path: Path) -> None:
    database = open_database(url(tmp_path / "p.sqlite3"))
    log = SqlEventLog(database)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(25):
                log.append_interactions([Interaction(f"u{number}", f"i{step}", "view", 1.0, NOW)])
                assert len(log.seen(f"u{number}")) == step + 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(log.interactions())) == 200
    database.close()


def test_reading_slowly_does_not_stop_a_writer(tmp_path: Path) -> None:
    database = open_database(url(tmp_path / "p.sqlite3"))
    catalog = SqlCatalog(database)
    catalog.upsert_items(Item(str(number), "old") for number in range(10))
    for item in catalog.items():
        catalog.upsert_items([Item(item.item_id, "new")])
    assert {item.title for item in catalog.items()} == {"new"}
    database.close()


def test_an_error_in_the_middle_undoes_the_batch(tmp_path: Path) -> None:
    database = open_database(url(tmp_path / "p.sqlite3"))
    log = SqlEventLog(database)
    with database.writing() as connection:
        connection.execute(text("DROP TABLE evidence"))
    with pytest.raises(StoreError, match="no such table"):
        log.append_reviews([Review("r", "u", "i", "text", None, NOW, "en")])
    assert list(log.reviews()) == []
    database.close()


def test_the_data_hash_tells_content_not_order(tmp_path: Path) -> None:
    hashes = []
    for name, step in (("a", 1), ("b", -1)):
        database = open_database(url(tmp_path / name))
        empty = database.data_hash()
        events = [Interaction(f"u{n}", "i", "view", 1.0, NOW) for n in range(5)]
        SqlEventLog(database).append_interactions(events[::step])
        SqlCatalog(database).upsert_items([Item("1", "t"), Item("2", "t")][::step])
        hashes.append(database.data_hash())
        assert hashes[-1] != empty
        SqlCatalog(database).upsert_users([User("new", {})])
        assert database.data_hash() == hashes[-1]  # users' rows change no score
        SqlCatalog(database).upsert_items([Item("1", "edited")])
        assert database.data_hash() != hashes[-1]
        database.close()
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("kind", [*SQLALCHEMY_ERRORS], ids=lambda kind: kind.__name__)
def test_every_sqlalchemy_error_becomes_a_store_error(kind: type[Exception]) -> None:
    assert len(SQLALCHEMY_ERRORS) > 25
    if issubclass(kind, sqlalchemy.exc.DBAPIError):
        error: Exception = kind("SELECT 1", {}, sqlite3.Error("it broke\nbadly"))
    elif issubclass(kind, sqlalchemy.exc.StatementError):
        error = kind("it broke", "SELECT 1", {}, None)
    else:
        error = kind.__new__(kind)
        Exception.__init__(error, "it broke")
    with pytest.raises(StoreError) as mapped, store_errors("here"):
        raise error
    assert mapped.value.message.startswith("here: ")
    assert "\n" not in mapped.value.message
    assert mapped.value.hint
    assert mapped.value.__cause__ is error
