from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.ingest import IngestReport, ingest
from agent.pictures import has_pictures
from retrieval.errors import InvalidInput
from retrieval.store.catalog import SqlCatalog
from retrieval.store.database import open_database
from retrieval.store.event_log import SqlEventLog
from retrieval.types import Evidence


class Silent:
    """Progress that nobody watches."""

    def start(self, stage: str, total: int | None) -> None: ...

    def advance(self, n: int = 1) -> None: ...

    def note(self, text: str) -> None: ...


class FakeCaptioner:
    """Says what the file's bytes are."""

    trust = 0.6

    def __init__(self, name: str = "fake@1") -> None:
        self.captioner_id = name
        self.asked: list[str] = []
        self.die_after = 99

    def caption(self, path: Path) -> str:
        if len(self.asked) >= self.die_after:
            raise KeyboardInterrupt
        self.asked.append(path.name)
        data = path.read_bytes()
        if data == b"broken":
            raise InvalidInput(f"{path.name} is not a picture")
        return f"Picture of {data.decode()}"


class Shop:
    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        (self.data / "images").mkdir(parents=True)
        (self.data / "items.csv").write_text("item_id,title\n1,one\n2,two\n3,three\n")
        for number in "123":
            (self.data / "images" / f"{number}.png").write_bytes(f"item {number}".encode())
        self.database = open_database(f"sqlite:///{folder / 'palate.sqlite3'}")
        self.log = SqlEventLog(self.database)
        self.rejects = folder / "rejects.jsonl"

    def ingest(self, captioner: FakeCaptioner | None) -> IngestReport:
        return ingest(
            self.data,
            catalog=SqlCatalog(self.database),
            event_log=self.log,
            captioner=captioner,
            strict=False,
            progress=Silent(),
            rejects_path=self.rejects,
        )

    def captions(self, item_id: str) -> list[Evidence]:
        return [one for one in self.log.evidence("item", item_id) if one.text]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.database.close()


def test_every_picture_becomes_one_caption_with_the_captioners_trust(shop: Shop) -> None:
    assert shop.ingest(FakeCaptioner()).captions == (3, 3, 0)
    (caption,) = shop.captions("2")
    assert (caption.kind, caption.trust, caption.lang) == ("caption", 0.6, "en")
    assert caption.text == "Picture of item 2"
    assert caption.at.year == 1970


def test_pictures_are_described_once_and_a_killed_run_goes_on(shop: Shop) -> None:
    dying, other, again = FakeCaptioner(), FakeCaptioner(), FakeCaptioner()
    dying.die_after = 2
    with pytest.raises(KeyboardInterrupt):
        shop.ingest(dying)
    assert shop.ingest(other).captions == (3, 1, 0)
    assert other.asked == ["3.png"]
    assert shop.ingest(again).captions == (3, 0, 0)
    assert again.asked == []


def test_a_new_picture_or_captioner_replaces_what_was_said(shop: Shop) -> None:
    shop.ingest(FakeCaptioner())
    (shop.data / "images" / "1.png").write_bytes(b"a label")
    assert shop.ingest(FakeCaptioner()).captions == (3, 1, 0)
    assert [one.text for one in shop.captions("1")] == ["Picture of a label"]
    assert shop.ingest(FakeCaptioner("vision@2")).captions == (3, 3, 0)
    assert len(shop.captions("1")) == 1
    assert shop.ingest(FakeCaptioner()).captions == (3, 3, 0)
    assert len(shop.captions("1")) == 1


def test_an_unusable_picture_is_a_warning_and_the_item_goes_in(shop: Shop) -> None:
    (shop.data / "images" / "2.png").write_bytes(b"broken")
    report = shop.ingest(FakeCaptioner())
    assert report.captions == (3, 2, 1)
    assert report.warnings == ("images/2.png: 2.png is not a picture",)
    assert report.new["items"] == 3


def test_without_a_captioner_nothing_is_described_and_nothing_forgotten(shop: Shop) -> None:
    assert shop.ingest(None).captions == (0, 0, 0)
    shop.ingest(FakeCaptioner())
    shop.ingest(None)
    assert len(shop.captions("1")) == 1


def test_pictures_are_looked_for_only_where_there_are_some(shop: Shop, tmp_path: Path) -> None:
    assert has_pictures(shop.data)
    assert not has_pictures(tmp_path / "nowhere")
    (tmp_path / "empty" / "images").mkdir(parents=True)
    assert not has_pictures(tmp_path / "empty")


def test_equal_pictures_of_two_items_are_two_pieces_of_evidence(shop: Shop) -> None:
    for number in "12":
        (shop.data / "images" / f"{number}.png").write_bytes(b"same")
    shop.ingest(FakeCaptioner())
    ids = {shop.captions(number)[0].evidence_id for number in "12"}
    assert len(ids) == 2
    assert hashlib.sha256(b"same").hexdigest() not in ids
