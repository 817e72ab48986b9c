"""What every VectorIndex does."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import InvalidInput
from retrieval.ports import VectorIndex, Vectors
from retrieval.store.chroma_index import ChromaIndex

DIMENSION = 16
ODD_IDS = ["a/b", " ", "😀" * 1000, "x" * 1000, "\n", "';--", "商品", "$and", "A", "a"]


@pytest.fixture(params=[ChromaIndex])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorIndex]:
    index = request.param(
        tmp_path / "chroma", collection="items", embedder_id="e@1", dimension=DIMENSION
    )
    yield index
    index.close()


def vectors(count: int, seed: int = 0) -> Vectors:
    found = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def fill(index: VectorIndex, ids: list[str], given: Vectors, version: str = "v1") -> None:
    index.upsert(ids, given, [f"text of {name[:5]}" for name in ids], [version] * len(ids))


def test_an_empty_index_finds_nothing(index: VectorIndex) -> None:
    assert index.count() == 0
    assert index.search(vectors(1)[0], 5) == []
    assert index.search(vectors(1)[0], 5, frozenset({"a"})) == []
    assert index.versions() == index.vectors(["a"]) == {}
    index.delete(["a"])
    index.upsert([], vectors(0), [], [])


def test_the_nearest_come_first_with_their_cosine(index: VectorIndex) -> None:
    stored = vectors(60)
    ids = [f"i{number:02}" for number in range(60)]
    fill(index, ids, stored)
    query = stored[7] * 3 + stored[8]
    cosines = stored @ (query / np.linalg.norm(query))
    order = np.argsort(-cosines)
    for allowed in (None, frozenset(ids)):
        found = index.search(query, 10, allowed)
        assert [one.item_id for one in found] == [ids[row] for row in order[:10]]
        np.testing.assert_allclose([one.score for one in found], cosines[order[:10]], atol=1e-5)


def test_only_allowed_ids_are_found(index: VectorIndex) -> None:
    stored = vectors(30)
    ids = [f"i{number}" for number in range(30)]
    fill(index, ids, stored)
    allowed = frozenset({"i3", "i5", "unknown"})
    assert {one.item_id for one in index.search(stored[0], 10, allowed)} == {"i3", "i5"}
    assert len(index.search(stored[0], 1, allowed)) == 1
    assert index.search(stored[0], 10, frozenset()) == []


@pytest.mark.parametrize("k", [0, -1])
def test_asking_for_none_gives_none(index: VectorIndex, k: int) -> None:
    fill(index, ["a"], vectors(1))
    assert index.search(vectors(1)[0], k) == []
    assert index.search(vectors(1)[0], k, frozenset({"a"})) == []


def test_asking_for_a_million_gives_all(index: VectorIndex) -> None:
    ids = [str(number) for number in range(200)]
    fill(index, ids, vectors(200))
    assert len(index.search(vectors(1)[0], 10**6)) == 200
    assert len(index.search(vectors(1)[0], 10**6, frozenset(ids))) == 200


def test_upsert_replaces_in_place(index: VectorIndex) -> None:
    first, second = vectors(2)
    fill(index, ["a", "b"], np.stack([first, second]))
    assert index.search(first, 1, frozenset({"a", "b"}))[0].item_id == "a"  # fills any cache
    fill(index, ["a"], -first[np.newaxis], "v2")
    assert index.count() == 2
    assert index.versions() == {"a": "v2", "b": "v1"}
    for allowed in (None, frozenset({"a", "b"})):
        scores = {one.item_id: one.score for one in index.search(first, 2, allowed)}
        assert scores["a"] == pytest.approx(-1.0, abs=1e-5)
    np.testing.assert_allclose(index.vectors(["a"])["a"], -first, atol=1e-6)


def test_of_one_id_given_twice_the_last_stands(index: VectorIndex) -> None:
    both = vectors(2)
    fill(index, ["a", "a"], both)
    assert index.count() == 1
    np.testing.assert_allclose(index.vectors(["a"])["a"], both[1], atol=1e-6)


def test_deleted_ids_are_gone(index: VectorIndex) -> None:
    stored = vectors(5)
    fill(index, list("abcde"), stored)
    index.search(stored[0], 1, frozenset("abcde"))
    index.delete(["a", "e", "unknown", "\ud800"])
    assert index.count() == 3
    assert set(index.versions()) == set("bcd")
    assert index.vectors(["a", "b"]).keys() == {"b"}
    for allowed in (None, frozenset("abcde")):
        assert {one.item_id for one in index.search(stored[0], 9, allowed)} == set("bcd")
    fill(index, ["a"], stored[:1])
    assert index.search(stored[0], 1, frozenset("abcde"))[0].item_id == "a"


def test_ids_may_hold_any_character(index: VectorIndex) -> None:
    stored = vectors(len(ODD_IDS))
    fill(index, ODD_IDS, stored)
    assert set(index.versions()) == set(ODD_IDS)
    for row, name in enumerate(ODD_IDS):
        assert index.search(stored[row], 1)[0].item_id == name
        assert index.search(stored[row], 1, frozenset(ODD_IDS))[0].item_id == name


@pytest.mark.parametrize(
    ("ids", "given"),
    [
        (["a"], np.zeros((1, DIMENSION), np.float32)),
        (["a"], np.full((1, DIMENSION), np.nan, np.float32)),
        (["a"], np.ones((1, DIMENSION + 1), np.float32)),
        (["a", "b"], np.ones((1, DIMENSION), np.float32)),
        ([""], np.ones((1, DIMENSION), np.float32)),
        (["x" * 1001], np.ones((1, DIMENSION), np.float32)),
        (["a\x00"], np.ones((1, DIMENSION), np.float32)),
    ],
)
def test_what_cannot_be_kept_is_refused(index: VectorIndex, ids: list[str], given: Vectors) -> None:
    with pytest.raises(InvalidInput):
        fill(index, ids, given)
    assert index.count() == 0


def test_a_query_of_another_dimension_is_refused(index: VectorIndex) -> None:
    with pytest.raises(InvalidInput, match="shape"):
        index.search(np.ones(3, np.float32), 5)


def test_texts_may_be_empty_broken_or_long(index: VectorIndex) -> None:
    texts = ["", "a\x00\ud800", "长" * 100_000]
    index.upsert(["a", "b", "c"], vectors(3), texts, ["1", "2", "3"])
    assert index.versions() == {"a": "1", "b": "2", "c": "3"}


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.lists(st.sampled_from("abcdefgh"), max_size=4)), max_size=6
    ),
    seed=st.integers(0, 9),
)
def test_search_agrees_with_brute_force_after_any_writes(
    index: VectorIndex, steps: list[tuple[bool, list[str]]], seed: int
) -> None:
    index.delete(list("abcdefgh"))
    expected: dict[str, Vectors] = {}
    query = vectors(1, seed + 100)[0]
    for number, (write, ids) in enumerate(steps):
        if write:
            given = vectors(len(ids), seed * 10 + number)
            fill(index, ids, given)
            expected |= dict(zip(ids, given, strict=True))
        else:
            index.delete(ids)
            expected = {name: kept for name, kept in expected.items() if name not in ids}
        ranked = sorted(expected, key=lambda name: -float(expected[name] @ query))
        for allowed in (None, frozenset("abcdefgh")):
            assert [one.item_id for one in index.search(query, 9, allowed)] == ranked
