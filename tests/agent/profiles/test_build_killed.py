"""kill -9 in the middle of building profiles; the next run goes on from there."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.settings import Settings, read_settings
from agent.stores import open_stores
from retrieval.types import Item, Review, User

TEXTS = 48
BUILD = """
import sys
from pathlib import Path
from agent.profiles.build import build_profiles
from agent.prompting import open_prompts
from agent.scripted import ScriptedModel
from agent.settings import read_settings
from agent.stores import open_stores
from agent.progress import ConsoleProgress

settings = read_settings(overrides={"store": {"home": Path(sys.argv[1])}})
with open_stores(settings) as stores, ConsoleProgress() as progress:
    report = build_profiles(
        catalog=stores.catalog, event_log=stores.event_log, profiles=stores.profiles,
        model=ScriptedModel(delay=float(sys.argv[2])), prompts=open_prompts(settings),
        embedder=stores.embedder,
        item_index=stores.item_index, user_index=stores.user_index, progress=progress,
        write_with_llm=False,
    )
    print(report.calls, report.texts_cached, report.vectors)
"""


def filled(home: Path) -> Settings:
    settings = read_settings(overrides={"store": {"home": home}})
    start = datetime(2024, 1, 1, tzinfo=UTC)
    with open_stores(settings) as stores:
        stores.catalog.upsert_items(Item(f"i/{n}", f"Kettle {n}", {"size": n}) for n in range(8))
        stores.catalog.upsert_users(User(f"u{n}") for n in range(6))
        stores.event_log.append_reviews(
            Review(
                f"r{n}",
                f"u{n % 6}",
                f"i/{n % 8}",
                f"The handle number {n} is great, but the lid is too loose for me.",
                4.0,
                start + timedelta(days=n),
                "en",
            )
            for n in range(TEXTS)
        )
    return settings


def command(home: Path, delay: float) -> list[str]:
    return [sys.executable, "-c", BUILD, str(home), str(delay)]


def extracted(home: Path) -> int:
    with sqlite3.connect(f"file:{home / 'palate.sqlite3'}?mode=ro", uri=True) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM extraction_cache").fetchone()[0])


def content(settings: Settings) -> tuple[object, ...]:
    with open_stores(settings) as stores:
        return (
            list(stores.profiles.profiles("item")),
            list(stores.profiles.profiles("user")),
            stores.item_index.versions(),
            stores.user_index.versions(),
        )


def test_after_kill_9_the_next_build_asks_only_for_what_is_left_and_ends_the_same(
    tmp_path: Path,
) -> None:
    whole, killed = filled(tmp_path / "whole"), filled(tmp_path / "killed")
    done = subprocess.run(
        command(tmp_path / "whole", 0), check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == [str(TEXTS), "0", "14"]

    with subprocess.Popen(
        command(tmp_path / "killed", 0.05), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            while process.poll() is None and extracted(tmp_path / "killed") < TEXTS // 3:
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it finished before it could be killed"
    kept = extracted(tmp_path / "killed")
    assert TEXTS // 3 <= kept < TEXTS

    again = subprocess.run(
        command(tmp_path / "killed", 0), check=True, capture_output=True, text=True
    )
    assert again.stdout.split() == [str(TEXTS - kept), str(kept), "14"]
    assert content(killed) == content(whole)
