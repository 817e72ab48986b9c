"""``palate profiles`` as a process of its own, with the offline model and the real stores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.settings import read_settings
from agent.stores import open_stores
from retrieval.types import Item, Review, User

ODD = "ann/1 😀"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of three items; everything built once."""
    home = tmp_path_factory.mktemp("home")
    start = datetime(2024, 1, 1, tzinfo=UTC)
    with open_stores(read_settings(overrides={"store": {"home": home}})) as stores:
        stores.catalog.upsert_items(Item(f"i{n}", f"Kettle {n}") for n in range(3))
        stores.catalog.upsert_users(User(one) for one in (ODD, "bob", "silent"))
        stores.event_log.append_reviews(
            Review(
                f"r{n}",
                (ODD, "bob")[n % 2],
                f"i{n % 3}",
                f"The [bold]handle[/bold] number {n} is great.",
                5.0,
                start + timedelta(days=n),
                "en",
            )
            for n in range(6)
        )
    return home


def palate(
    home: Path, *arguments: str, model: str = "scripted"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server.cli.main", "--home", str(home), "profiles", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PALATE_LLM_MODEL": model},
    )


def test_build_says_what_it_did_and_the_second_time_does_nothing(home: Path) -> None:
    done = palate(home, "build")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5 profiles written")
    assert "6 calls" in done.stdout
    again = palate(home, "build")
    assert again.stdout.startswith("0 profiles written (0 by the model), 5 unchanged, 0 vectors")
    assert "calls" not in again.stdout

    shown = palate(home, "show", "user", ODD)
    assert shown.returncode == 0, shown.stderr
    assert "[bold]handle[/bold]" in shown.stdout.replace("\n", " ")
    assert "review:r0:user" in shown.stdout

    record = json.loads(palate(home, "show", "user", ODD, "--json").stdout)
    assert record["id"] == ODD
    assert record["rows"][0]["quotes"][0]["evidence_id"].startswith("review:r")


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        (["build", "--user", "zoe"], 3, "no user 'zoe'", "ingest"),
        (["build", "--items", "i1,i9"], 3, "no item 'i9'", "ingest"),
        (["build", "--users", "0"], 2, "asks for nothing", "1 or more"),
        (["build", "--users", ", ,"], 2, "names nobody", "commas"),
        (["build", "--users", "@nowhere.txt"], 2, "nowhere.txt", "one id a line"),
        (["build", "--as-of", "yesterday"], 2, "'yesterday' is no time", "2024-05-31"),
        (["show", "shop", "i1"], 2, "'shop' has no profile", "user or item"),
        (["show", "user", "zoe"], 3, "zoe", ""),
        (["show", "user", "silent"], 3, "no profile yet", "palate profiles build"),
    ],
)
def test_bad_input_is_one_line_and_a_hint(
    home: Path, arguments: list[str], code: int, message: str, hint: str
) -> None:
    done = palate(home, *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stdout == ""


def test_ids_may_come_from_a_file_and_no_llm_means_no_model(home: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text(f"{ODD}\nbob\n", encoding="utf-8-sig")
    done = palate(home, "build", "--users", f"@{ids}", "--no-llm", model="not-a-model")
    assert done.returncode == 0, done.stderr
    assert "profiles written (0 by the model)" in done.stdout
