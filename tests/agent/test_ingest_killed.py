"""kill -9 in the middle of a real ``palate ingest``, again and again."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

TABLES = ("items", "item_attributes", "users", "interactions", "reviews", "evidence")
ITEMS, INTERACTIONS, REVIEWS = 700, 8_000, 3_000


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    with (folder / "items.csv").open("w") as stream:
        stream.write("item_id,title,colour,size\n")
        stream.writelines(f"i/{n},Thing {n},{'red|blue'},{n}\n" for n in range(ITEMS))
    with (folder / "interactions.csv").open("w") as stream:
        stream.write("user_id,item_id,kind,value,at\n")
        for n in range(INTERACTIONS):
            stream.write(f"u{n % 700},i/{n * 7 % ITEMS},rating,{n % 5},{n}\n")
        stream.write("u1,i/nowhere,view,,5\n")
    with (folder / "reviews.csv").open("w") as stream:
        stream.write("user_id,item_id,text,rating,at\n")
        for n in range(REVIEWS):
            stream.write(f"u{n % 900},i/{n % ITEMS},Words about {n},{n % 5},{n}\n")
    return folder


def command(home: Path, data: Path) -> list[str]:
    return [
        sys.executable, "-m", "server.cli.main", "--home", str(home), "ingest", str(data),
    ]  # fmt: skip


def rows(home: Path, table: str) -> int:
    try:
        with sqlite3.connect(f"file:{home / 'palate.sqlite3'}?mode=ro", uri=True) as connection:
            return int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return 0


def content(home: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(home / "palate.sqlite3") as connection:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)
            for table in TABLES
        }


def kill_when(home: Path, data: Path, table: str, enough: int) -> None:
    with subprocess.Popen(
        command(home, data), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while process.poll() is None and rows(home, table) < enough:
                time.sleep(0.005)
        finally:
            process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it finished before it could be killed"


def test_after_kill_9_a_second_run_ends_with_exactly_the_same_store(
    tmp_path: Path, data: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(whole, data), check=True, capture_output=True)
    kill_when(killed, data, "interactions", INTERACTIONS // 3)
    assert 0 < rows(killed, "interactions") < INTERACTIONS
    kill_when(killed, data, "reviews", REVIEWS // 3)
    assert 0 < rows(killed, "reviews") < REVIEWS
    assert list(killed.glob("rejects.jsonl.*.part"))
    last = subprocess.run(command(killed, data), check=True, capture_output=True, text=True)
    assert content(killed) == content(whole)
    assert rows(killed, "items") == ITEMS
    assert rows(killed, "reviews") == REVIEWS
    assert (killed / "rejects.jsonl").read_text() == (whole / "rejects.jsonl").read_text()
    assert not list(killed.glob("*.part"))
    assert "i/nowhere" in last.stderr
