"""Databases for the store contracts: SQLite always, a real PostgreSQL where one is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from retrieval.store import schema
from retrieval.store.database import Database, open_database


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "palate.sqlite3"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    binaries = _postgresql_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not installed")
    become = _become_somebody_else()
    if become is None:
        pytest.skip("PostgreSQL refuses to run as root, and there is no other user to run it as")
    folder = Path(tempfile.mkdtemp(prefix="palate-pg-"))
    data = folder / "data"
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam(become[0]).pw_uid, -1)
    run = [*become[1:], str(binaries / "pg_ctl"), "-D", str(data), "-w", "-s"]
    options = f"-c listen_addresses='' -k {folder} -c fsync=off -c full_page_writes=off"
    init = [*become[1:], str(binaries / "initdb"), "-D", str(data), "-U", "palate", "-A", "trust"]
    try:
        subprocess.run(
            [*init, "-E", "UTF8", "--no-sync"], check=True, capture_output=True, cwd=folder
        )
        subprocess.run(
            [*run, "-l", str(folder / "log"), "-o", options, "start"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )
        yield f"postgresql://palate@/postgres?host={folder}"
        subprocess.run([*run, "-m", "immediate", "stop"], check=True, cwd=folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql(postgresql_url: str) -> Iterator[Database]:
    database = open_database(postgresql_url)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind."""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgresql")
        _empty(database)
        yield database
        return
    path = tmp_path / "palate.sqlite3"
    shutil.copy(request.getfixturevalue("sqlite_template"), path)
    database = open_database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def empty() -> Callable[[Database], None]:
    """For property tests, whose examples share a fixture: empty the database before each."""
    return _empty


def _empty(database: Database) -> None:
    with database.writing() as connection:
        for table in reversed(schema.metadata.sorted_tables):
            connection.execute(table.delete())


def _postgresql_binaries() -> Path | None:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("pg_ctl")
    for folder in [*places, *([Path(found).parent] if found else [])]:
        if (folder / "initdb").is_file() and (folder / "pg_ctl").is_file():
            return folder
    return None


def _become_somebody_else() -> list[str] | None:
    """User name, then the command prefix that runs as that user; no prefix unless we are root."""
    if os.geteuid() != 0:
        return [""]
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        if shutil.which("setpriv"):
            ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            return [name, "setpriv", *ids]
    return None
