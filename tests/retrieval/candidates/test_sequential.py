from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.ials import Ials
from retrieval.candidates.markov import Markov
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.neighbours import keep_best
from retrieval.candidates.sequence import recent, steps_back
from retrieval.candidates.session_knn import SessionKnn

Table = NDArray[np.float64]


def matrix_of(x: Table, days: Table) -> InteractionMatrix:
    return InteractionMatrix(
        tuple(f"u{at:03d}" for at in range(x.shape[0])),
        tuple(f"i{at:03d}" for at in range(x.shape[1])),
        csr_array(x.astype(np.float32)),
        days[x > 0] * 86_400.0,
    )


def histories(*users: str) -> InteractionMatrix:
    """A word a user: letters are items, a space starts a new instant."""
    x = np.zeros((len(users), 5))
    days = np.zeros((len(users), 5))
    for row, user in enumerate(users):
        for day, letters in enumerate(user.split(" ")):
            for letter in letters:
                x[row, "abcde".index(letter)] = 1
                days[row, "abcde".index(letter)] = day
    return matrix_of(x, days)


@pytest.fixture(scope="module")
def world() -> tuple[Table, Table]:
    random = np.random.default_rng(5)
    x = np.where(random.random((30, 12)) < 0.4, random.choice([0.3, 0.6, 1.0], (30, 12)), 0)
    return x, random.integers(0, 6, size=x.shape).astype(np.float64)


def steps_by_hand(x: Table, days: Table) -> Table:
    steps = np.full(x.shape, math.inf)
    for user in range(x.shape[0]):
        instants = sorted(set(days[user][x[user] > 0]), reverse=True)
        for item in np.flatnonzero(x[user]):
            steps[user, item] = instants.index(days[user, item])
    return steps


def test_steps_count_the_later_instants_of_the_same_user(world: tuple[Table, Table]) -> None:
    assert steps_back(histories("a bc d", "", "e")).tolist() == [2, 1, 1, 0, 0]
    x, days = world
    assert steps_back(matrix_of(x, days)).tolist() == steps_by_hand(x, days)[x > 0].tolist()
    assert steps_back(matrix_of(x[:0], days[:0])).tolist() == []


def test_what_is_recent_fades_with_each_step_and_ends_after_the_last() -> None:
    found = recent(histories("a bc d", "", "e"), fade=0.5, last=2).toarray()
    assert found.tolist() == [[0, 0.5, 0.5, 1, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]]


def test_the_best_of_a_row_include_those_that_equal_the_last_and_nothing_that_is_zero() -> None:
    table = csr_array(np.array([[3.0, 1.0, 2.0, 2.0], [0.0, 0.0, 5.0, 0.0], [0.0] * 4]))
    table.data[-1] = 0.0
    best = keep_best(table, 2)
    assert best.toarray().tolist() == [[3, 0, 2, 2], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert best.nnz == 3


def test_markov_counts_forward_and_both_ways_within_an_instant() -> None:
    model = Markov(window=2, decay=0.5, shrinkage=0, last=1)
    matrix = histories("a bc d e", "a")
    next_of = model.fit(matrix)
    # Everything has one user but a, which has two.
    root = math.sqrt(2)
    expected = [0, 1 / root, 1 / root, 0.5 / root, 0]
    np.testing.assert_allclose(next_of.score_users(np.array([1]))[0], expected, rtol=1e-6)
    table = csr_array(
        tuple(next_of.arrays()[name] for name in ("data", "indices", "indptr")), shape=(5, 5)
    ).toarray()
    np.testing.assert_allclose(table[1], [0, 0, 0.5, 1, 0.5], rtol=1e-6)
    np.testing.assert_allclose(table[2], [0, 0.5, 0, 1, 0.5], rtol=1e-6)
    assert not table[4].any()


def test_markov_is_the_sum_over_pairs_that_its_docstring_states(
    world: tuple[Table, Table],
) -> None:
    x, days = world
    steps = steps_by_hand(x, days)
    counts = np.zeros((12, 12))
    for user in range(30):
        for i in np.flatnonzero(x[user]):
            for j in np.flatnonzero(x[user]):
                apart = steps[user, i] - steps[user, j]
                if i != j and 0 <= apart <= 3:
                    share = 0.5 if apart == 0 else 0.7 ** (apart - 1)
                    counts[i, j] += share * x[user, i] * x[user, j]
    squares = (x**2).sum(axis=0)
    weights = counts / (np.sqrt(np.outer(squares, squares)) + 2)
    taste = np.where(steps < 4, x * 0.8 ** np.where(x > 0, steps, 0), 0)
    model = Markov(window=3, decay=0.7, shrinkage=2, last=4, fade=0.8)
    scores = model.fit(matrix_of(x, days)).score_users(np.arange(30))
    np.testing.assert_allclose(scores, taste @ weights, rtol=1e-4, atol=1e-6)


def test_session_knn_is_the_sum_over_neighbours_that_its_docstring_states(
    world: tuple[Table, Table],
) -> None:
    x, days = world
    steps = steps_by_hand(x, days)
    taste = np.where(steps < 3, x * 0.8 ** np.where(x > 0, steps, 0), 0)
    owners = (x > 0).sum(axis=0)
    length = np.sqrt((x > 0).sum(axis=1))
    similar = taste @ (x / length[:, None]).T
    np.fill_diagonal(similar, 0)
    kth = np.sort(similar, axis=1)[:, -4:-3]
    near = np.where(similar >= kth * (1 - 1e-12), similar, 0)
    model = SessionKnn(k=4, last=3, fade=0.8).fit(matrix_of(x, days))
    expected = near @ (x * np.log(31 / owners))
    np.testing.assert_allclose(model.score_users(np.arange(30)), expected, rtol=1e-4, atol=1e-5)


def test_only_the_latest_owners_of_an_item_are_neighbours() -> None:
    x = np.array([[1.0, 1, 0], [1, 0, 1], [1, 0, 0]])
    days = np.array([[1.0, 1, 0], [2, 0, 2], [3, 0, 0]])
    scores = SessionKnn(sample=2).fit(matrix_of(x, days)).score_users(np.array([2]))[0]
    assert scores[1] == 0
    assert scores[2] > 0


def test_the_fold_in_solves_each_user_exactly(world: tuple[Table, Table]) -> None:
    x, days = world
    matrix = matrix_of(x, days)
    model = Ials(factors=4, l2=0.3, alpha=5)
    y = model.fit(matrix).arrays()["items"].astype(np.float64)
    users = model.fold_in(matrix, y.astype(np.float32))
    for user in range(30):
        confidence = np.where(x[user] > 0, 5 * x[user], 1)
        left = y.T @ (confidence[:, None] * y) + 0.3 * np.eye(4)
        exact = np.linalg.solve(left, y.T @ (5 * x[user]))
        np.testing.assert_allclose(users[user], exact, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(model.score_users(np.arange(30)), users @ y.T, rtol=1e-4, atol=1e-5)
