"""The demo shop is a valid data set that holds what its README promises."""

import csv
import json
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from retrieval.sources.clean import detect_lang
from retrieval.sources.dataset import read_dataset
from retrieval.sources.images import open_picture
from retrieval.sources.rejects import RejectsFile

SHOP = Path(__file__).parents[2] / "demo" / "shop"
HOSTILE = {"bestdeals", "chawang"}


def rows(name: str) -> list[dict[str, str]]:
    with (SHOP / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def reviews() -> list[dict[str, Any]]:
    lines = (SHOP / "reviews.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_reader_accepts_every_row() -> None:
    with RejectsFile(None) as rejects:
        dataset = read_dataset(SHOP, rejects=rejects)
        read = {
            table: sum(1 for _ in dataset.rows(table))
            for table in ("items", "users", "interactions", "reviews")
        }
    assert rejects.total == 0
    assert 38 <= read["items"] <= 45
    assert read["users"] == 30
    assert 240 <= read["reviews"] <= 260
    assert 300 <= read["interactions"] <= 400


def test_every_item_has_a_small_picture_of_its_own() -> None:
    names = [row["image"] for row in rows("items.csv")]
    assert len(set(names)) == len(names)
    assert {path.name for path in (SHOP / "images").iterdir()} == set(names)
    for name in names:
        path = SHOP / "images" / name
        assert path.stat().st_size < 25_000
        picture = open_picture(path)
        assert (picture.width, picture.height) == (400, 400)


def test_a_third_of_the_reviews_is_chinese_and_all_are_short(
    reviews: list[dict[str, Any]],
) -> None:
    chinese = [row for row in reviews if detect_lang(row["text"]) == "zh"]
    assert 0.30 <= len(chinese) / len(reviews) <= 0.40
    assert max(len(row["text"].split()) for row in reviews) <= 40
    assert max(len(row["text"]) for row in chinese) <= 90


def test_reviews_are_written_and_not_assembled(reviews: list[dict[str, Any]]) -> None:
    texts = Counter(row["text"] for row in reviews)
    assert max(texts.values()) == 1
    openings = Counter(" ".join(row["text"].split()[:3]) for row in reviews)
    assert max(openings.values()) <= 3


def test_every_item_was_reviewed_and_opinions_differ(reviews: list[dict[str, Any]]) -> None:
    ratings: dict[str, list[int]] = defaultdict(list)
    for row in reviews:
        ratings[row["item_id"]].append(row["rating"])
    assert set(ratings) == {row["item_id"] for row in rows("items.csv")}
    disputed = [item for item, given in ratings.items() if min(given) <= 2 and max(given) >= 4]
    assert len(disputed) >= 15


def test_two_people_change_their_mind(reviews: list[dict[str, Any]]) -> None:
    by_pair: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for row in reviews:
        if row["user_id"] not in HOSTILE:
            by_pair[row["user_id"], row["item_id"]].append((row["at"], row["rating"]))
    changed = {
        user
        for (user, _), given in by_pair.items()
        if len(given) > 1 and abs(sorted(given)[0][1] - sorted(given)[-1][1]) >= 3
    }
    assert changed == {"elena", "hejun"}


def test_two_accounts_try_to_command_the_model(reviews: list[dict[str, Any]]) -> None:
    commands = [row["text"] for row in reviews if row["user_id"] in HOSTILE]
    assert {detect_lang(text) for text in commands} == {"en", "zh"}
    assert any("IGNORE ALL PREVIOUS INSTRUCTIONS" in text for text in commands)
    assert any("忽略之前的所有指令" in text for text in commands)


def test_time_covers_eighteen_months(reviews: list[dict[str, Any]]) -> None:
    times = sorted(datetime.fromisoformat(row["at"]) for row in reviews)
    assert 500 <= (times[-1] - times[0]).days <= 560


@pytest.mark.parametrize(
    ("item", "secret"),
    [
        ("grinder-electric", "silent"),
        ("coffee-evening", "decaf"),
        ("kettle-gooseneck", "500ml"),
        ("tea-rooibos", "无糖"),
        ("french-press", "bpa"),
    ],
)
def test_only_the_picture_knows(item: str, secret: str, reviews: list[dict[str, Any]]) -> None:
    row = next(row for row in rows("items.csv") if row["item_id"] == item)
    said = [*row.values(), *(one["text"] for one in reviews if one["item_id"] == item)]
    assert not any(secret in text.casefold() for text in said)


def test_the_shop_says_under_which_licence_it_is() -> None:
    assert "CC0" in (SHOP / "LICENSE").read_text(encoding="utf-8")
