"""The match of profiles, against the source that serves it one request at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.dense import DenseSource
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.profile_match import ProfileMatch
from retrieval.errors import InvalidInput
from retrieval.store.exact import ExactVectors
from retrieval.types import Query, ScoredItem

Table = NDArray[np.float32]


class ExactIndex:
    """Unit vectors of the rows that have any, searched one by one."""

    def __init__(self, item_ids: Sequence[str], vectors: Table) -> None:
        self._held = {
            item_id: vector / np.linalg.norm(vector)
            for item_id, vector in zip(item_ids, vectors, strict=True)
            if vector.any()
        }
        self._exact = ExactVectors(vectors.shape[1])
        self._exact.put(list(self._held), np.array(list(self._held.values()), dtype=np.float32))

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: frozenset[str] | None = None
    ) -> list[ScoredItem]:
        return self._exact.search(vector, k, self._held if allowed is None else allowed)

    def vectors(self, ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        return {one: self._held[one] for one in ids if one in self._held}

    def count(self) -> int:
        return len(self._held)

    def upsert(self, *_: object) -> None:
        raise NotImplementedError

    def versions(self) -> dict[str, str]:
        raise NotImplementedError

    def delete(self, ids: Sequence[str]) -> None:
        raise NotImplementedError


def matrix_of(users: Sequence[str], items: int) -> InteractionMatrix:
    return InteractionMatrix(
        tuple(users),
        tuple(f"i{at:02d}" for at in range(items)),
        csr_array(np.zeros((len(users), items), dtype=np.float32)),
        np.zeros(0),
    )


def tables(seed: int, users: int, items: int) -> tuple[Table, Table]:
    """Vectors of any norm; about every third row is zero."""
    random = np.random.default_rng(seed)
    made = []
    for rows in (users, items):
        table = random.normal(size=(rows, 4)) * random.choice([0.0, 0.3, 5.0], size=(rows, 1))
        made.append(table.astype(np.float32))
    return made[0], made[1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 5), st.integers(1, 12))
def test_scores_are_those_of_the_source_over_an_exact_index(
    seed: int, users: int, items: int
) -> None:
    user_vectors, item_vectors = tables(seed, users, items)
    ids = [f"u{at}" for at in range(users)]
    matrix = matrix_of([*reversed(ids), "stranger"], items)
    match = ProfileMatch(user_vectors, item_vectors, ids).fit(matrix)
    scores = match.score_users(np.arange(users + 1))
    own = dict(zip(ids, user_vectors, strict=True))
    index = ExactIndex(matrix.item_ids, item_vectors)
    source = DenseSource("profile", index, lambda query: own.get(str(query.user_id)))
    for user_id, found in zip(matrix.user_ids, scores, strict=True):
        query = Query(user_id=user_id)
        served = source.scores(query, matrix.item_ids)
        expected = [served.get(item_id, 0.0) for item_id in matrix.item_ids]
        assert found.tolist() == pytest.approx(expected, abs=1e-6)
        if served:
            named = [matrix.item_ids[at] for at in np.flatnonzero(match.known)]
            assert sorted(served) == named
            best = source.candidates(query, items, None, frozenset())
            assert [one.score for one in best] == pytest.approx(
                sorted(found[match.known].tolist(), reverse=True), abs=1e-6
            )


def test_who_has_no_vector_scores_nothing_and_an_item_without_one_is_unknown() -> None:
    users = np.array([[1, 0], [0, 0]], dtype=np.float32)
    items = np.array([[0, 0], [3, 4], [-2, 0]], dtype=np.float32)
    match = ProfileMatch(users, items, ["ann", "bob"]).fit(matrix_of(["bob", "cat", "ann"], 3))
    scores = match.score_users(np.arange(3))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [[0, 0, 0], [0, 0, 0], [0, 0.6, -1]], rtol=1e-6)
    assert match.known.tolist() == [False, True, True]


def test_the_vectors_that_were_given_stay_as_they_are() -> None:
    users, items = tables(1, 3, 3)
    before = users.copy(), items.copy()
    ProfileMatch(users, items, ["a", "b", "c"]).fit(matrix_of(["a"], 3)).score_users(np.array([0]))
    np.testing.assert_array_equal(users, before[0])
    np.testing.assert_array_equal(items, before[1])


ONE = np.ones((1, 2), dtype=np.float32)


@pytest.mark.parametrize(
    ("users", "items", "ids", "says"),
    [
        (ONE, ONE[:, :1], ["a"], "dimensions"),
        (ONE, ONE, [], "1 vectors for 0"),
        (np.repeat(ONE, 2, axis=0), ONE, ["a", "a"], "2 vectors for 1"),
        (ONE * np.nan, ONE, ["a"], "finite"),
        (ONE, ONE[0], ["a"], "finite"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    users: Table, items: Table, ids: list[str], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        ProfileMatch(users, items, ids)
    assert caught.value.hint


def test_another_number_of_columns_is_refused_and_so_are_scores_before_a_fit() -> None:
    match = ProfileMatch(ONE, ONE, ["a"])
    with pytest.raises(InvalidInput, match="1 vectors for 2 items"):
        match.fit(matrix_of(["a"], 2))
    with pytest.raises(InvalidInput, match="not fitted"):
        match.score_users(np.array([0]))
