"""Mixing a list: nothing at 0, unlike items at 1, and a number for what it did."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.diversity.mmr import mmr
from retrieval.diversity.similarity import intra_list_diversity, similarities
from retrieval.errors import InvalidInput
from retrieval.types import Item

SCORES = st.lists(st.floats(-5, 5), max_size=12)


def likeness(n: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).random((n, n), dtype=np.float32)
    made = (made + made.T) / 2
    np.fill_diagonal(made, 1.0)
    return made


@given(SCORES, st.floats(0, 1), st.integers(0, 9))
def test_it_is_a_permutation_and_the_best_stays_first(
    scores: list[float], diversity: float, seed: int
) -> None:
    order = mmr(scores, likeness(len(scores), seed), diversity)
    assert sorted(order.tolist()) == list(range(len(scores)))
    if scores:
        assert order[0] == 0


@given(SCORES, st.integers(0, 9))
def test_at_0_it_is_the_ranking_itself(scores: list[float], seed: int) -> None:
    assert mmr(scores, likeness(len(scores), seed), 0.0).tolist() == list(range(len(scores)))


@given(SCORES, st.integers(0, 9))
def test_at_1_each_next_item_is_the_one_least_like_those_taken(
    scores: list[float], seed: int
) -> None:
    alike = likeness(len(scores), seed)
    order = mmr(scores, alike, 1.0).tolist()
    for place in range(1, len(order)):
        nearest = {one: alike[one, order[:place]].max() for one in order[place:]}
        assert nearest[order[place]] == min(nearest.values())


def test_a_little_diversity_moves_a_twin_behind_something_else() -> None:
    alike = np.array([[1, 0.9, 0.1], [0.9, 1, 0.1], [0.1, 0.1, 1]], dtype=np.float32)
    assert mmr([1.0, 0.9, 0.0], alike, 0.3).tolist() == [0, 1, 2]
    assert mmr([1.0, 0.9, 0.0], alike, 0.6).tolist() == [0, 2, 1]


@pytest.mark.parametrize("diversity", [-0.1, 1.1, float("nan")])
def test_diversity_out_of_range_is_refused(diversity: float) -> None:
    with pytest.raises(InvalidInput, match="diversity"):
        mmr([1.0, 0.0], likeness(2, 0), diversity)


def test_likeness_is_the_cosine_of_vectors_else_the_overlap_of_attributes() -> None:
    items = [
        Item("a", "", {"kind": "tea", "tags": ("green", "loose"), "price": 5.0}),
        Item("b", "", {"kind": "TEA", "tags": ("green",), "price": 5.0}),
        Item("c", "", {"kind": "tea"}),
        Item("d", "", {}),
    ]
    vectors = {
        "b": np.array([1, 0], dtype=np.float32),
        "c": np.array([3, 4], dtype=np.float32),
        "d": np.zeros(2, dtype=np.float32),
    }
    alike = similarities(items, vectors)
    assert alike == pytest.approx(alike.T)
    assert np.diag(alike).tolist() == [1.0] * 4
    assert alike[0, 1] == pytest.approx(2 / 3)
    assert alike[0, 2] == pytest.approx(1 / 3)
    assert alike[1, 2] == pytest.approx(0.6)
    assert alike[3, :3].tolist() == [0.0, 0.0, 0.0]
    assert similarities([], {}).shape == (0, 0)


def test_intra_list_diversity_is_the_mean_over_pairs_and_nothing_for_one_item() -> None:
    alike = np.array([[1, 0.5, 0], [0.5, 1, 0.25], [0, 0.25, 1]], dtype=np.float32)
    assert intra_list_diversity(alike) == pytest.approx(0.75)
    assert intra_list_diversity(alike, np.array([1, 2])) == pytest.approx(0.75)
    assert intra_list_diversity(alike, np.array([0])) is None
