from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.behaviour import EaseSource, IalsSource, fit_behaviour
from retrieval.candidates.ease import Ease
from retrieval.candidates.ials import Ials
from retrieval.candidates.item_knn import ItemKnn
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.popular import Popularity, PopularSource
from retrieval.errors import InvalidInput
from retrieval.types import Interaction, Query

START = datetime(2024, 1, 1, tzinfo=UTC)


class Fittable(Protocol):
    def fit(self, matrix: InteractionMatrix) -> Self: ...
    def score_users(self, user_indices: Indices) -> NDArray[np.float32]: ...


ESTIMATORS: list[Fittable] = [Popularity(), Popularity(30), ItemKnn(), Ease(), Ials(factors=4)]


def matrix_of(x: NDArray[np.float64]) -> InteractionMatrix:
    """A matrix with these values; events happened on day 0."""
    values = csr_array(x.astype(np.float32))
    return InteractionMatrix(
        tuple(f"u{at:03d}" for at in range(x.shape[0])),
        tuple(f"i{at:03d}" for at in range(x.shape[1])),
        values,
        np.zeros(values.nnz),
    )


@pytest.fixture(scope="module")
def x() -> NDArray[np.float64]:
    return (np.random.default_rng(7).random((60, 25)) < 0.2).astype(np.float64)


def test_ease_is_the_closed_form_of_the_paper(x: NDArray[np.float64]) -> None:
    p = np.linalg.inv(x.T @ x + 50 * np.eye(25))
    b = np.eye(25) - p / np.diag(p)
    np.fill_diagonal(b, 0)
    scores = Ease(l2=50).fit(matrix_of(x)).score_users(np.arange(60))
    np.testing.assert_allclose(scores, x @ b, atol=1e-6)


def test_item_knn_sums_the_cosines_of_neighbours(x: NDArray[np.float64]) -> None:
    norms = np.linalg.norm(x, axis=0)
    cosine = x.T @ x / np.outer(norms, norms)
    np.fill_diagonal(cosine, 0)
    scores = ItemKnn(k=25).fit(matrix_of(x)).score_users(np.arange(60))
    np.testing.assert_allclose(scores, x @ cosine, atol=1e-5)
    kth = np.sort(cosine, axis=1)[:, -3:-2]
    kept = np.where(cosine >= kth - 1e-12, cosine, 0)
    scores = ItemKnn(k=3).fit(matrix_of(x)).score_users(np.arange(60))
    np.testing.assert_allclose(scores, x @ kept.T, atol=1e-5)


def test_item_knn_keeps_neighbours_that_tie_with_the_last_one() -> None:
    # Items 1, 2 and 3 are equally similar to item 0; which comes first must not matter.
    x = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]], dtype=np.float64)
    scores = ItemKnn(k=1).fit(matrix_of(x)).score_users(np.arange(3))
    assert scores[0, 0] == scores[1, 0] == scores[2, 0] > 0


@pytest.mark.parametrize("estimator", [ItemKnn(k=5), Ease(), Popularity()])
def test_scores_do_not_depend_on_the_order_of_items(
    x: NDArray[np.float64], estimator: Fittable
) -> None:
    order = np.random.default_rng(1).permutation(25)
    scores = estimator.fit(matrix_of(x)).score_users(np.arange(60)).copy()
    shuffled = estimator.fit(matrix_of(x[:, order])).score_users(np.arange(60))
    np.testing.assert_allclose(shuffled, scores[:, order], atol=1e-6)


def test_shrinkage_is_added_to_the_denominator(x: NDArray[np.float64]) -> None:
    norms = np.linalg.norm(x, axis=0)
    damped = x.T @ x / (np.outer(norms, norms) + 10)
    np.fill_diagonal(damped, 0)
    scores = ItemKnn(shrinkage=10).fit(matrix_of(x)).score_users(np.arange(60))
    np.testing.assert_allclose(scores, x @ damped, atol=1e-5)


def test_ials_finds_blocks_and_is_the_same_every_time() -> None:
    x = np.zeros((20, 10))
    x[:10, :5] = x[10:, 5:] = 1
    x[0, 4] = 0
    first = Ials(factors=4).fit(matrix_of(x)).score_users(np.arange(20))
    assert first[0, 4] > first[0, 5:].max()
    np.testing.assert_array_equal(
        Ials(factors=4).fit(matrix_of(x)).score_users(np.arange(20)), first
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_empty_matrix_is_no_error(estimator: Fittable) -> None:
    empty = np.zeros(0, dtype=np.int64)
    for shape in ((0, 0), (0, 3), (2, 3)):
        fitted = estimator.fit(matrix_of(np.zeros(shape)))
        scores = fitted.score_users(empty)
        assert scores.shape == (0, shape[1])
        assert scores.dtype == np.float32
    assert not fitted.score_users(np.array([1, 0])).any()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_rows_come_back_in_the_order_asked(estimator: Fittable, x: NDArray[np.float64]) -> None:
    fitted = estimator.fit(matrix_of(x))
    everybody = fitted.score_users(np.arange(60))
    some = fitted.score_users(np.array([5, 3, 5]))
    np.testing.assert_allclose(some, everybody[[5, 3, 5]], rtol=1e-5, atol=1e-6)
    assert np.isfinite(everybody).all()


def test_popularity_halves_an_event_each_half_life() -> None:
    events = [
        Interaction("a", "old", "view", 1.0, START),
        Interaction("b", "old", "view", 1.0, START + timedelta(days=10)),
        Interaction("c", "new", "view", 1.0, START + timedelta(days=20)),
    ]
    matrix = InteractionMatrix.from_interactions(events)
    assert matrix.item_ids == ("new", "old")
    assert Popularity().fit(matrix).item_scores.tolist() == [1.0, 2.0]
    assert Popularity(10).fit(matrix).item_scores.tolist() == [1.0, 0.75]


def test_popular_fills_up_with_untouched_items_in_catalogue_order() -> None:
    events = [Interaction("a", "z", "view", 1.0, START)]
    matrix = InteractionMatrix.from_interactions(events, item_ids=["x", "y", "z"])
    found = PopularSource(matrix).candidates(Query(), 5, None, frozenset())
    assert [one.item_id for one in found] == ["z", "x", "y"]


def test_the_catalogues_size_chooses_between_ease_and_ials(x: NDArray[np.float64]) -> None:
    assert isinstance(fit_behaviour(matrix_of(x), ease_max_items=25), EaseSource)
    assert isinstance(fit_behaviour(matrix_of(x), ease_max_items=24), IalsSource)


def test_behaviour_is_silent_about_items_that_nobody_touched() -> None:
    pairs = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("c", "x")]
    events = [Interaction(user, item, "view", 1.0, START) for user, item in pairs]
    matrix = InteractionMatrix.from_interactions(events, item_ids=["x", "y", "untouched"])
    source = EaseSource(matrix)
    query = Query(user_id="c")
    assert set(source.scores(query, ["x", "y", "untouched"])) == {"x", "y"}
    assert "untouched" not in [
        one.item_id for one in source.candidates(query, 5, None, frozenset())
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Ease(l2=0),
        lambda: Ease(l2=float("nan")),
        lambda: ItemKnn(k=0),
        lambda: ItemKnn(shrinkage=-1),
        lambda: Ials(factors=0),
        lambda: Ials(alpha=0),
        lambda: Popularity(half_life_days=0),
        lambda: Popularity(half_life_days=float("inf")),
    ],
)
def test_a_setting_out_of_range_is_refused(make: object) -> None:
    with pytest.raises(InvalidInput):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("estimator", [Ease(), ItemKnn()])
def test_scoring_before_fitting_is_refused(estimator: Fittable) -> None:
    with pytest.raises(InvalidInput, match="fit"):
        estimator.score_users(np.array([0]))
