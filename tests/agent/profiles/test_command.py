"""``palate profiles`` as a process of its own, with the offline model and the real stores."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.settings import read_settings
from agent.stores import open_stores
from retrieval.types import Item, Review, User
from server.cli.main import main

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


def process(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server.cli.main", "--home", str(home), "profiles", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PALATE_LLM_MODEL": "scripted"},
    )


Palate = Callable[..., tuple[int, str, str]]


@pytest.fixture
def palate(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Palate]:
    """Runs ``palate profiles …`` in this process; gives exit code, stdout and stderr."""
    before = logging.getLogger().handlers[:]

    def run(*arguments: str, model: str = "scripted") -> tuple[int, str, str]:
        monkeypatch.setenv("PALATE_LLM_MODEL", model)
        code = main(["--home", str(home), "profiles", *arguments])
        return code, *capsys.readouterr()

    yield run
    logging.getLogger().handlers[:] = before


def test_build_says_what_it_did_and_the_second_time_does_nothing(
    home: Path, palate: Palate
) -> None:
    done = process(home, "build")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5 profiles written")
    assert "6 calls" in done.stdout
    code, out, err = palate("build")
    assert code == 0, err
    assert out.startswith("0 profiles written (0 by the model), 5 unchanged, 0 vectors")
    assert "calls" not in out

    code, out, err = palate("show", "user", ODD)
    assert code == 0, err
    assert "[bold]handle[/bold]" in out.replace("\n", " ")
    assert "review:r0:user" in out

    record = json.loads(palate("show", "user", ODD, "--json")[1])
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
    palate: Palate, arguments: list[str], code: int, message: str, hint: str
) -> None:
    returned, out, err = palate(*arguments)
    assert (returned, out) == (code, "")
    assert message in err
    assert hint in err
    assert "Traceback" not in err


def test_ids_may_come_from_a_file_and_no_llm_means_no_model(palate: Palate, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    ids.write_text(f"{ODD}\nbob\n", encoding="utf-8-sig")
    code, out, err = palate("build", "--users", f"@{ids}", "--no-llm", model="not-a-model")
    assert code == 0, err
    assert "profiles written (0 by the model)" in out
