"""The data sets as published, beside the project or where PALATE_REAL_DATA says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from retrieval.sources.convert.registry import convert
from retrieval.sources.dataset import read_dataset
from retrieval.sources.rejects import RejectsFile
from retrieval.types import Interaction, Review

DATA = Path(
    os.environ.get("PALATE_REAL_DATA", Path(__file__).parents[4] / ".." / "shared" / "data")
)
pytestmark = pytest.mark.real_data


class Silent:
    """Progress that nobody watches."""

    def start(self, stage: str, total: int | None) -> None: ...

    def advance(self, n: int = 1) -> None: ...

    def note(self, text: str) -> None: ...


@pytest.mark.parametrize(
    ("kind", "name", "users", "items", "events", "pictures"),
    [
        ("xwines", "xwines", 10_561, 1_007, 150_000, 100),
        ("amazon", "musical_instruments", 1_429, 900, 10_261, 0),
        ("movielens", "movielens", 671, 3_160, 67_006, 3_160),
    ],
)
def test_every_published_row_is_converted_and_read(
    tmp_path: Path, kind: str, name: str, users: int, items: int, events: int, pictures: int
) -> None:
    if not (DATA / name).is_dir():
        pytest.skip(f"no {name} in {DATA}; set PALATE_REAL_DATA")
    convert(kind, DATA / name, tmp_path / name, force=False, progress=Silent())
    rejects = RejectsFile(tmp_path / "rejects.jsonl")
    dataset = read_dataset(tmp_path / name, rejects=rejects)
    catalogue = {item.item_id: item for item in dataset.items()}
    people: set[str] = set()
    count = 0
    records: list[Interaction | Review] = [*dataset.interactions(), *dataset.reviews()]
    for record in records:
        people.add(record.user_id)
        assert record.item_id in catalogue
        if isinstance(record, Review):
            assert record.text
            assert record.rating in {1, 2, 3, 4, 5}
        count += 1
    assert (len(people), len(catalogue), count) == (users, items, events)
    assert sum(len(item.media) for item in catalogue.values()) == pictures
    assert (rejects.total, rejects.warnings) == (0, [])
