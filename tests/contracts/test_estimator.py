"""What every estimator promises, asked of each."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.bpr import Bpr
from retrieval.candidates.cold_start import ColdStart
from retrieval.candidates.cold_start_trained import TrainedColdStart
from retrieval.candidates.content import Content
from retrieval.candidates.ease import Ease
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.graph import GraphFilter
from retrieval.candidates.ials import Ials
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.item_knn import ItemKnn
from retrieval.candidates.markov import Markov
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.popular import Popularity
from retrieval.candidates.profile_match import ProfileMatch
from retrieval.candidates.session_knn import SessionKnn
from retrieval.errors import InvalidInput

USERS, ITEMS = 40, 25
UNTOUCHED, BARE = 24, 23
"""Nobody touched the one; the other has no vector."""


def content(items: Sequence[int]) -> Content:
    """Vectors of the items of these numbers, so that a reordering takes its vectors along."""
    vectors = np.random.default_rng(3).normal(size=(ITEMS, 6)).astype(np.float32)
    vectors[BARE] = 0
    return Content(vectors[list(items)], half_life=3)


def features(items: Sequence[int]) -> ItemFeatures:
    """Texts of all items but the two."""
    text = np.random.default_rng(4).normal(size=(ITEMS, 5)).astype(np.float32)
    text[[UNTOUCHED, BARE]] = 0
    return ItemFeatures(text[list(items)])


def profile(items: Sequence[int]) -> ProfileMatch:
    """Profiles of everybody in the table and of all items but one."""
    users = np.random.default_rng(5).normal(size=(USERS, 6)).astype(np.float32)
    vectors = np.random.default_rng(6).normal(size=(ITEMS, 6)).astype(np.float32)
    vectors[BARE] = 0
    return ProfileMatch(users, vectors[list(items)], [f"用户 {at}" for at in range(USERS)])


Make = Callable[[Sequence[int]], Estimator]
ESTIMATORS: dict[str, Make] = {
    "popular": lambda items: Popularity(),
    "recently popular": lambda items: Popularity(30),
    "item_knn": lambda items: ItemKnn(k=5),
    "ease": lambda items: Ease(),
    "ials": lambda items: Ials(factors=4),
    "bpr": lambda items: Bpr(factors=4, iterations=5),
    "graph": lambda items: GraphFilter(rank=3),
    "markov": lambda items: Markov(k=5),
    "session_knn": lambda items: SessionKnn(k=5),
    "content": content,
    "profile": profile,
    "cold_start": lambda items: ColdStart(features(items), ials=Ials(factors=4)),
    "trained cold_start": lambda items: TrainedColdStart(
        features(items), factors=4, negatives=8, epochs=3
    ),
}
SEEDED = {"ials", "bpr", "cold_start", "trained cold_start"}
"""Start at random, so the order of items matters."""
DEAF = {"bpr", "trained cold_start", "profile"}
"""Do not hear of what happened after the fit."""
LEARNS_NOTHING = {"popular", "recently popular", "session_knn", "content", "profile"}
BY_VECTORS = {"content", "profile"}
"""Know the items that have a vector, and judge each user alone."""
READS_NO_HISTORY = {"profile"}
"""Speaks to whom it knows, whatever they did."""


@pytest.fixture(params=list(ESTIMATORS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(kind: str) -> Make:
    return ESTIMATORS[kind]


def table() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and days of 40 users and 25 items; some events of a user share an instant."""
    random = np.random.default_rng(7)
    x = np.where(random.random((USERS, ITEMS)) < 0.25, random.choice([0.3, 1.0], ITEMS), 0.0)
    x[:, 0] = 1.0
    x[:, UNTOUCHED] = 0.0
    return x, random.integers(1, 9, size=x.shape).astype(np.float64)


def matrix_of(
    x: NDArray[np.float64], days: NDArray[np.float64], users: Sequence[str] | None = None
) -> InteractionMatrix:
    return InteractionMatrix(
        tuple(users or (f"用户 {at}" for at in range(x.shape[0]))),
        tuple(f"i{at}" for at in range(x.shape[1])),
        csr_array(x.astype(np.float32)),
        days[x > 0] * 86_400.0,
    )


@pytest.fixture
def matrix() -> InteractionMatrix:
    return matrix_of(*table())


EVERYBODY = np.arange(USERS)


def through_a_file(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        return dict(loaded)


def test_scores_are_finite_float32_of_every_item(make: Make, matrix: InteractionMatrix) -> None:
    scores = make(range(ITEMS)).fit(matrix).score_users(np.array([5, 3, 5]))
    assert scores.shape == (3, ITEMS)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert scores.any(axis=1).all()


def test_rows_come_back_in_the_order_asked(make: Make, matrix: InteractionMatrix) -> None:
    fitted = make(range(ITEMS)).fit(matrix)
    some = fitted.score_users(np.array([5, 3, 5]))
    np.testing.assert_allclose(some, fitted.score_users(EVERYBODY)[[5, 3, 5]], rtol=1e-5, atol=1e-6)
    assert fitted.score_users(EVERYBODY[:0]).shape == (0, ITEMS)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (2, 3), (2, 0)])
def test_an_empty_matrix_is_no_error(kind: str, make: Make, shape: tuple[int, int]) -> None:
    nothing = matrix_of(np.zeros(shape), np.zeros(shape))
    items = range(shape[1])
    fitted = make(items).fit(nothing)
    again = make(items).restore(nothing, through_a_file(fitted.arrays()))
    for one in (fitted, again):
        scores = one.score_users(np.arange(shape[0]))
        assert scores.shape == shape
        assert scores.dtype == np.float32
        assert kind in READS_NO_HISTORY or not scores.any()
        assert one.known.shape == (shape[1],)


def test_one_user_with_one_item_is_no_error(make: Make) -> None:
    scores = make([0]).fit(matrix_of(np.ones((1, 1)), np.ones((1, 1)))).score_users(np.array([0]))
    assert np.isfinite(scores).all()


def test_the_same_data_give_the_same_scores(make: Make, matrix: InteractionMatrix) -> None:
    first = make(range(ITEMS)).fit(matrix)
    second = make(range(ITEMS)).fit(matrix_of(np.eye(ITEMS), np.eye(ITEMS))).fit(matrix)
    np.testing.assert_array_equal(second.score_users(EVERYBODY), first.score_users(EVERYBODY))


def test_a_fit_says_which_items_it_knows(kind: str, make: Make, matrix: InteractionMatrix) -> None:
    fitted = make(range(ITEMS)).fit(matrix)
    assert fitted.known.dtype == np.bool_
    if "popular" in kind:  # that nobody took an item is said of it
        assert fitted.known.all()
        return
    unknown = BARE if kind in BY_VECTORS else UNTOUCHED
    np.testing.assert_array_equal(fitted.known, np.arange(ITEMS) != unknown)


def test_what_was_learned_survives_a_file_without_pickle(
    kind: str, make: Make, matrix: InteractionMatrix
) -> None:
    fitted = make(range(ITEMS)).fit(matrix)
    assert bool(fitted.arrays()) == (kind not in LEARNS_NOTHING)
    again = make(range(ITEMS)).restore(matrix, through_a_file(fitted.arrays()))
    np.testing.assert_array_equal(again.score_users(EVERYBODY), fitted.score_users(EVERYBODY))
    np.testing.assert_array_equal(again.known, fitted.known)
    assert again.arrays().keys() == fitted.arrays().keys()
    for name, array in fitted.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], array)


def test_a_restored_model_goes_on_with_the_users_of_now(
    kind: str, make: Make, matrix: InteractionMatrix
) -> None:
    fitted = make(range(ITEMS)).fit(matrix)
    x, days = table()
    now, then = x[[3, 1, 0]].copy(), days[[3, 1, 0]]
    now[2] = 0.0
    now[2, 5] = 1.0
    users = (matrix.user_ids[3], matrix.user_ids[1], "new")
    again = make(range(ITEMS)).restore(matrix_of(now, then, users), fitted.arrays())
    scores = again.score_users(np.arange(3))
    if kind not in LEARNS_NOTHING - BY_VECTORS:  # These look at everybody's histories again.
        np.testing.assert_allclose(
            scores[:2], fitted.score_users(np.array([3, 1])), rtol=1e-4, atol=1e-5
        )
    if kind == "session_knn":  # Alone among others without item 5.
        now[:2, 5] = 1.0
        again = make(range(ITEMS)).restore(matrix_of(now, then, users), fitted.arrays())
        scores = again.score_users(np.arange(3))
    assert scores[2].any() == (kind not in DEAF)


def test_a_new_event_of_a_known_user_changes_the_scores_unless_it_cannot(
    kind: str, make: Make, matrix: InteractionMatrix
) -> None:
    fitted = make(range(ITEMS)).fit(matrix)
    x, days = table()
    at = int(np.flatnonzero(x[0, 1:BARE] == 0)[0]) + 1
    x[0, at], days[0, at] = 1.0, 20.0
    again = make(range(ITEMS)).restore(matrix_of(x, days), fitted.arrays())
    same = np.allclose(again.score_users(EVERYBODY[:1]), fitted.score_users(EVERYBODY[:1]))
    assert same == (kind in DEAF)


@pytest.mark.parametrize("name", ["missing", "columns"])
def test_a_model_of_other_data_is_refused(
    kind: str, name: str, make: Make, matrix: InteractionMatrix
) -> None:
    if kind in LEARNS_NOTHING:
        pytest.skip("keeps nothing that could be wrong")
    arrays = make(range(ITEMS)).fit(matrix).arrays()
    if name == "missing":
        arrays.pop(next(iter(arrays)))
        columns = ITEMS
    else:
        columns = ITEMS - 1
    with pytest.raises(InvalidInput, match="saved"):
        make(range(columns)).restore(matrix_of(*(a[:, :columns] for a in table())), arrays)


def test_scores_do_not_depend_on_the_order_of_items(
    kind: str, make: Make, matrix: InteractionMatrix
) -> None:
    if kind in SEEDED:
        pytest.skip("starts at random numbers, which go to the items in their order")
    order = np.random.default_rng(1).permutation(ITEMS)
    x, days = table()
    scores = make(range(ITEMS)).fit(matrix).score_users(EVERYBODY)
    shuffled = make(order.tolist()).fit(matrix_of(x[:, order], days[:, order]))
    np.testing.assert_allclose(shuffled.score_users(EVERYBODY), scores[:, order], atol=1e-5)


def test_scores_do_not_depend_on_the_order_of_users(
    kind: str, make: Make, matrix: InteractionMatrix
) -> None:
    if kind in SEEDED:
        pytest.skip("starts at random numbers, which go to the users in their order")
    order = np.random.default_rng(2).permutation(USERS)
    x, days = table()
    users = [matrix.user_ids[at] for at in order]
    scores = make(range(ITEMS)).fit(matrix).score_users(EVERYBODY)
    shuffled = make(range(ITEMS)).fit(matrix_of(x[order], days[order], users))
    np.testing.assert_allclose(shuffled.score_users(EVERYBODY), scores[order], atol=1e-5)
