"""What every ProfileStore does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from retrieval.errors import InvalidInput
from retrieval.ports import ProfileStore
from retrieval.store.database import Database
from retrieval.store.profile_store import SqlProfileStore
from retrieval.types import AspectRow, Profile, ProfileSentence, Quote

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(database: Database) -> ProfileStore:
    return SqlProfileStore(database)


def row(number: int) -> AspectRow:
    return AspectRow(
        row_id=f"row{number}",
        aspect="sound",
        label="音色" if number % 2 else "sound",
        polarity="like",
        strength=1.0 / 3.0,
        n=2,
        first_at=NOW - timedelta(days=number),
        last_at=NOW,
        lang="zh" if number % 2 else "en",
        quotes=(Quote("review:1:item", "warm"), Quote("review:0:item", "音色温暖")),
    )


def profile(subject_id: str = "i1", rows: int = 3, version: str = "v1") -> Profile:
    return Profile(
        subject="item",
        subject_id=subject_id,
        rows=tuple(row(number) for number in range(rows)),
        sentences=(
            ProfileSentence("Warm sound.", ("row0", "row1")),
            ProfileSentence("音色温暖。", ()),
        ),
        as_of=NOW,
        version=version,
        written_by="llm",
    )


def test_a_profile_comes_back_as_it_was_put(store: ProfileStore) -> None:
    store.put(profile())
    assert store.get("item", "i1") == profile()
    assert store.version("item", "i1") == "v1"


def test_a_profile_may_be_bare(store: ProfileStore) -> None:
    bare = replace(profile(rows=0), sentences=(), written_by="template")
    store.put(bare)
    assert store.get("item", "i1") == bare
    assert list(store.profiles("item")) == [bare]


def test_putting_again_replaces_the_whole_profile(store: ProfileStore) -> None:
    store.put(profile(rows=5))
    store.put(profile(rows=1, version="v2"))
    assert store.get("item", "i1") == profile(rows=1, version="v2")
    assert store.version("item", "i1") == "v2"


@pytest.mark.parametrize("unknown", ["nope", "", "\x00", "\ud800"])
def test_an_unknown_profile_is_none(store: ProfileStore, unknown: str) -> None:
    store.put(profile())
    assert store.get("item", unknown) is None
    assert store.version("item", unknown) is None
    assert store.get("user", "i1") is None


def test_profiles_of_one_kind_come_in_id_order(store: ProfileStore) -> None:
    ids = [f"i{number:03}" for number in range(401)]
    for subject_id in reversed(ids):
        store.put(profile(subject_id, rows=number % 3 if (number := int(subject_id[1:])) else 1))
    store.put(replace(profile("u"), subject="user"))
    found = list(store.profiles("item"))
    assert [one.subject_id for one in found] == ids
    assert found[4] == profile("i004", rows=1)
    assert [one.subject_id for one in store.profiles("user")] == ["u"]


def test_odd_ids_are_kept(store: ProfileStore) -> None:
    odd = profile("a/b 😀\n" + "x" * 900)
    store.put(odd)
    assert store.get("item", odd.subject_id) == odd


def test_a_profile_that_cannot_be_kept_leaves_the_old_one(store: ProfileStore) -> None:
    store.put(profile())
    broken = replace(profile(version="v2"), rows=(replace(row(0), strength=float("nan")),))
    with pytest.raises(InvalidInput, match="strength"):
        store.put(broken)
    assert store.get("item", "i1") == profile()


def test_extractions_are_remembered_by_key(store: ProfileStore) -> None:
    store.cache_extraction({})
    store.cache_extraction({f"key{n}": f"out{n}" for n in range(3)})
    store.cache_extraction({"key1": "a | like | \x00b\ud800"})
    assert store.cached_extraction(["key1", "key2", "unknown", "\x00"]) == {
        "key1": "a | like | b\ufffd",
        "key2": "out2",
    }
    assert store.cached_extraction([]) == {}
    assert len(store.cached_extraction([f"key{n}" for n in range(40_000)])) == 3
