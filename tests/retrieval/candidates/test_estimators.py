from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.behaviour import BehaviourSource, fit_behaviour
from retrieval.candidates.bpr import Bpr
from retrieval.candidates.content import Content
from retrieval.candidates.ease import Ease
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.ials import Ials
from retrieval.candidates.item_knn import ItemKnn
from retrieval.candidates.markov import Markov
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.popular import Popularity, PopularSource
from retrieval.candidates.session_knn import SessionKnn
from retrieval.errors import InvalidInput
from retrieval.types import Interaction, Query

START = datetime(2024, 1, 1, tzinfo=UTC)


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


@pytest.mark.parametrize(("most", "chosen"), [(25, Ease()), (24, Ials())])
def test_the_catalogues_size_chooses_between_ease_and_ials(
    x: NDArray[np.float64], most: int, chosen: Ease | Ials
) -> None:
    matrix = matrix_of(x)
    found = fit_behaviour(matrix, ease_max_items=most)
    expected = BehaviourSource(matrix, chosen.fit(matrix))
    query = Query(user_id="u003")
    assert found.scores(query, matrix.item_ids) == expected.scores(query, matrix.item_ids)


def test_behaviour_is_silent_about_items_that_nobody_touched() -> None:
    pairs = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("c", "x")]
    events = [Interaction(user, item, "view", 1.0, START) for user, item in pairs]
    matrix = InteractionMatrix.from_interactions(events, item_ids=["x", "y", "untouched"])
    source = BehaviourSource(matrix, Ease().fit(matrix))
    query = Query(user_id="c")
    assert set(source.scores(query, ["x", "y", "untouched"])) == {"x", "y"}
    assert "untouched" not in [
        one.item_id for one in source.candidates(query, 5, None, frozenset())
    ]


def test_content_reaches_items_that_nobody_touched_and_keeps_silent_about_those_without_any() -> (
    None
):
    events = [Interaction("a", "x", "view", 1.0, START)]
    matrix = InteractionMatrix.from_interactions(events, item_ids=["x", "new", "bare", "far"])
    vectors = np.array([[2, 0], [1, 1], [0, 0], [0, 3]], dtype=np.float32)
    source = BehaviourSource(matrix, Content(vectors).fit(matrix), "content")
    query = Query(user_id="a")
    found = source.candidates(query, 5, None, frozenset())
    assert [(one.item_id, round(one.score, 4)) for one in found] == [("x", 1.0), ("new", 0.7071)]
    assert set(source.scores(query, matrix.item_ids)) == {"x", "new", "far"}


def test_a_source_is_silent_for_a_user_whom_its_estimator_cannot_know() -> None:
    events = [Interaction(user, item, "view", 1.0, START) for user in "ab" for item in "xy"]
    learned = Bpr(factors=2, iterations=3).fit(InteractionMatrix.from_interactions(events))
    now = InteractionMatrix.from_interactions(
        [*events, Interaction("new", "x", "view", 1.0, START)]
    )
    source = BehaviourSource(now, Bpr(factors=2).restore(now, learned.arrays()), "bpr")
    assert source.scores(Query(user_id="a"), ["x", "y"]) != {}
    assert source.scores(Query(user_id="new"), ["x", "y"]) == {}


@pytest.mark.parametrize(
    "make",
    [
        lambda: Ease(l2=0),
        lambda: Ease(l2=float("nan")),
        lambda: ItemKnn(k=0),
        lambda: ItemKnn(shrinkage=-1),
        lambda: Ials(factors=0),
        lambda: Ials(alpha=0),
        lambda: Bpr(iterations=0),
        lambda: Bpr(learning_rate=0),
        lambda: Bpr(l2=float("nan")),
        lambda: Markov(window=0),
        lambda: Markov(decay=0),
        lambda: Markov(fade=1.5),
        lambda: Markov(shrinkage=float("nan")),
        lambda: SessionKnn(sample=0),
        lambda: SessionKnn(fade=float("nan")),
        lambda: Content(np.zeros((2, 2), np.float32), half_life=0),
        lambda: Content(np.zeros((2, 2), np.float32), last=0),
        lambda: Content(np.zeros(2, np.float32)),
        lambda: Content(np.full((2, 2), np.nan, np.float32)),
        lambda: Content(np.zeros((2, 2), np.float32)).fit(matrix_of(np.ones((1, 3)))),
        lambda: Popularity(half_life_days=0),
        lambda: Popularity(half_life_days=float("inf")),
    ],
)
def test_a_setting_out_of_range_is_refused(make: object) -> None:
    with pytest.raises(InvalidInput):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(
    "estimator",
    [Ease(), ItemKnn(), Markov(), SessionKnn(), Content(np.zeros((1, 1), np.float32))],
)
def test_scoring_before_fitting_is_refused(estimator: Estimator) -> None:
    with pytest.raises(InvalidInput, match="fit"):
        estimator.score_users(np.array([0]))
