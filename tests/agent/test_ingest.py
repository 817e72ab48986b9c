from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.ingest import CREATED, DERIVED, IngestReport, ingest
from agent.intake import Intake, attribute_evidence_id
from retrieval.errors import InvalidInput
from retrieval.store.catalog import SqlCatalog
from retrieval.store.database import Database, open_database
from retrieval.store.event_log import SqlEventLog
from retrieval.types import Interaction, Item, User

ITEMS = "item_id,title,grapes,alcohol\nw1,Malbec,Malbec,13.5\nw 2,Rosé,Merlot|Syrah,12\n"
INTERACTIONS = (
    "user_id,item_id,kind,value,at\nann,w1,rating,5,2024-01-01\nbob,w 2,view,,2024-01-02\n"
)
REVIEWS = (
    '{"user_id": "ann", "item_id": "w1", "text": "Loved it", "rating": 5, "at": "2024-02-01"}\n'
    '{"user_id": "ann", "item_id": "w 2", "text": "太甜了", "rating": 2, "at": "2024-02-02"}\n'
    '{"user_id": "cat", "item_id": "w1", "text": "No stars given", "at": "2024-02-03"}\n'
)


class Counting:
    """Progress that counts."""

    def __init__(self) -> None:
        self.totals: dict[str, int | None] = {}
        self.done: Counter[str] = Counter()
        self.notes: list[str] = []
        self._stage = ""

    def start(self, stage: str, total: int | None) -> None:
        self._stage = stage
        self.totals[stage] = total

    def advance(self, n: int = 1) -> None:
        self.done[self._stage] += n

    def note(self, text: str) -> None:
        self.notes.append(text)


class Home:
    """Real stores in a folder, and a data set beside them."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self.rejects = folder / "rejects.jsonl"
        self.database: Database = open_database(f"sqlite:///{folder / 'palate.sqlite3'}")
        self.catalog = SqlCatalog(self.database)
        self.event_log = SqlEventLog(self.database)
        self.progress = Counting()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.data / name.replace("_", ".")).write_text(text, encoding="utf-8")

    def ingest(self, *, strict: bool = False) -> IngestReport:
        return ingest(
            self.data,
            catalog=self.catalog,
            event_log=self.event_log,
            captioner=None,
            strict=strict,
            progress=self.progress,
            rejects_path=self.rejects,
        )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.database.close()


def test_a_data_set_goes_in_whole_and_a_second_run_changes_nothing(home: Home) -> None:
    home.write(items_csv=ITEMS, interactions_csv=INTERACTIONS, reviews_jsonl=REVIEWS)
    first = home.ingest()
    assert first.read == {
        "items": 2, "interactions": 2, "reviews": 3, DERIVED: 1, CREATED: 3,
    }  # fmt: skip
    assert first.new == {
        "items": 2, "interactions": 2, "reviews": 3, DERIVED: 1, CREATED: 3,
    }  # fmt: skip
    assert first.rejected == {}
    assert first.rejects_path is None
    before = dict(home.catalog.counts())
    again = home.ingest()
    assert set(again.new.values()) == {0}
    assert dict(home.catalog.counts()) == before
    assert before == {
        "items": 2, "users": 3, "interactions": 3, "reviews": 3, "evidence": 10, "profiles": 0,
    }  # fmt: skip
    assert home.progress.totals["interactions"] == home.progress.done["interactions"] // 2 == 2


def test_a_review_becomes_a_rating_only_where_the_log_is_silent(home: Home) -> None:
    home.write(items_csv=ITEMS, interactions_csv=INTERACTIONS, reviews_jsonl=REVIEWS)
    home.ingest()
    assert list(home.event_log.interactions("ann")) == [
        Interaction("ann", "w1", "rating", 5.0, datetime(2024, 1, 1, tzinfo=UTC)),
        Interaction("ann", "w 2", "rating", 2.0, datetime(2024, 2, 2, tzinfo=UTC)),
    ]
    assert list(home.event_log.interactions("cat")) == []


def test_attributes_become_evidence_that_no_cut_off_hides(home: Home) -> None:
    home.write(items_csv=ITEMS)
    home.ingest()
    evidence = home.event_log.evidence("item", "w 2", as_of=datetime(1971, 1, 1, tzinfo=UTC))
    assert [(one.kind, one.trust, one.author) for one in evidence] == [("attribute", 1.0, "")] * 2
    assert {one.text for one in evidence} == {"grapes: Merlot, Syrah", "alcohol: 12"}


def test_an_attribute_that_changes_or_goes_takes_its_evidence_along(home: Home) -> None:
    home.write(items_csv=ITEMS)
    home.ingest()
    home.write(items_csv="item_id,title,grapes\nw 2,Rosé,Syrah\n")
    report = home.ingest()
    assert (report.new["items"], report.unchanged["items"]) == (1, 0)
    ids = [attribute_evidence_id("w 2", name) for name in ("grapes", "alcohol")]
    found = home.event_log.evidence_by_id(ids)
    assert [(found[one].text, found[one].trust) for one in ids] == [("grapes: Syrah", 1), ("", 0)]
    assert home.catalog.item("w1").title == "Malbec"


def test_references_to_nothing_are_rejected_and_the_rest_goes_in(home: Home) -> None:
    home.write(
        items_csv=ITEMS,
        users_csv="user_id,age\nann,31\n",
        interactions_csv=f"{INTERACTIONS}ann,nope,view,,2024-01-03\n",
        reviews_jsonl=REVIEWS,
    )
    report = home.ingest()
    assert report.rejected == {"interactions": 2, "reviews": 1}
    rows = [json.loads(line) for line in home.rejects.read_text().splitlines()]
    assert [(row["file"], row["line"], row["column"], row["reason"]) for row in rows] == [
        ("interactions.csv", 3, "user_id", "'bob' is not among the users"),
        ("interactions.csv", 4, "item_id", "'nope' is not in the catalogue"),
        ("reviews.jsonl", 3, "user_id", "'cat' is not among the users"),
    ]
    assert all(row["raw"] for row in rows)
    assert [user.user_id for user in home.catalog.users()] == ["ann"]
    assert dict(home.catalog.counts())["interactions"] == 2


def test_a_known_user_keeps_their_attributes_when_a_log_names_them(home: Home) -> None:
    home.catalog.upsert_users([User("ann", {"age": 31.0})])
    home.write(items_csv=ITEMS, interactions_csv=INTERACTIONS)
    report = home.ingest()
    assert report.new[CREATED] == 1
    assert home.catalog.user("ann").attributes == {"age": 31.0}


def test_a_log_alone_refers_to_what_is_stored_already(home: Home) -> None:
    home.catalog.upsert_items([Item("w1", "Malbec")])
    home.write(interactions_csv=INTERACTIONS)
    report = home.ingest()
    assert (report.new["interactions"], report.rejected) == (1, {"interactions": 1})


def test_strict_refuses_all_of_it_for_one_bad_row(home: Home) -> None:
    home.write(
        items_csv=ITEMS,
        interactions_csv=INTERACTIONS,
        reviews_jsonl=f'{REVIEWS}{{"user_id": "ann", "item_id": "w1", "at": 1}}\n',
    )
    with pytest.raises(InvalidInput, match=r"reviews\.jsonl, line 4: text is missing") as caught:
        home.ingest(strict=True)
    assert "nothing was written" in caught.value.message
    assert str(home.rejects) in caught.value.hint
    assert len(home.rejects.read_text().splitlines()) == 1
    assert set(home.catalog.counts().values()) == {0}


def test_strict_refuses_an_unknown_reference(home: Home) -> None:
    home.write(items_csv=ITEMS, interactions_csv="user_id,item_id,at\nann,w3,5\nann,w1,5\n")
    with pytest.raises(InvalidInput, match="line 2: item_id 'w3' is not in the catalogue;"):
        home.ingest(strict=True)
    assert set(home.catalog.counts().values()) == {0}


def test_strict_lets_a_good_data_set_in(home: Home) -> None:
    home.write(
        items_csv=ITEMS,
        users_csv="user_id\nann\nbob\ncat\n",
        interactions_csv=INTERACTIONS,
        reviews_jsonl=REVIEWS,
    )
    assert home.ingest(strict=True).new["reviews"] == 3
    assert home.progress.done["checking interactions"] == 2


def test_a_catalogue_of_one_item_and_a_review_of_100_000_characters(home: Home) -> None:
    text = "好酒 good " * 12_500
    review = {"user_id": "😀/ x", "item_id": "i" * 1000, "text": text, "at": 1}
    home.write(
        items_csv=f"item_id,title\n{'i' * 1000},One\n{'j' * 1001},Two\n",
        reviews_jsonl=f"{json.dumps(review)}\n",
    )
    report = home.ingest()
    assert report.rejected == {"items": 1}
    (stored,) = home.event_log.reviews(user_id="😀/ x")
    assert stored.text == text.strip()
    assert home.event_log.seen("😀/ x") == {"i" * 1000}


def test_two_reviews_of_one_item_give_one_rating_in_any_batching(home: Home) -> None:
    home.write(
        items_csv=ITEMS,
        reviews_jsonl="".join(
            json.dumps({"user_id": "ann", "item_id": "w1", "text": f"{n}", "rating": n, "at": n})
            + "\n"
            for n in (1, 2, 3)
        ),
    )
    for _ in range(2):
        home.ingest()
    assert [one.value for one in home.event_log.interactions("ann")] == [1.0]


def test_more_rows_than_a_batch_are_counted_right(home: Home) -> None:
    rows = "".join(f"u{n},w1,view,,{n}\n" for n in range(2_345))
    home.write(items_csv=ITEMS, interactions_csv=f"user_id,item_id,kind,value,at\n{rows}{rows}x\n")
    report = home.ingest()
    assert report.read["interactions"] == 4_691
    assert report.new["interactions"] == 2_345
    assert report.unchanged["interactions"] == 2_345
    assert report.rejected == {"interactions": 1}


def test_a_batch_may_be_repeated_after_a_death_between_evidence_and_items(home: Home) -> None:
    old = Item("w1", "Malbec", {"grapes": "Malbec", "body": "full"})
    new = Item("w1", "Malbec", {"grapes": "Malbec"})

    class Dying(SqlCatalog):
        def upsert_items(self, items: object) -> int:
            raise KeyboardInterrupt

    Intake(home.catalog, home.event_log, create_users=True).items([old])
    with pytest.raises(KeyboardInterrupt):
        Intake(Dying(home.database), home.event_log, create_users=True).items([new])
    Intake(home.catalog, home.event_log, create_users=True).items([new])
    gone = attribute_evidence_id("w1", "body")
    assert home.event_log.evidence_by_id([gone])[gone].text == ""
    assert home.catalog.item("w1") == new
