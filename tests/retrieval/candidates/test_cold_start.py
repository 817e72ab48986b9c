from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.cold_start import ColdStart, choose_mix
from retrieval.candidates.content import Content
from retrieval.candidates.ials import Ials
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.popular import Popularity
from retrieval.candidates.validation import ValidationPairs, mean_ndcg
from retrieval.errors import InvalidInput
from retrieval.ports import Vectors

USERS, ITEMS, COLD_ITEMS = 240, 60, 18


@dataclass(frozen=True)
class World:
    """Users of one genre each; the text tells an item's genre, and louder its colour."""

    matrix: InteractionMatrix
    text: Vectors
    cold: NDArray[np.bool_]
    later: ValidationPairs


@cache
def world() -> World:
    rng = np.random.default_rng(3)
    genre, colour = np.arange(ITEMS) % 3, rng.integers(0, 4, ITEMS)
    text = np.hstack([np.eye(3)[genre], 2 * np.eye(4)[colour], rng.normal(0, 0.2, (ITEMS, 3))])
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    cold = np.arange(ITEMS) >= ITEMS - COLD_ITEMS
    taste = np.arange(USERS) % 3
    own = genre[None, :] == taste[:, None]
    x = rng.random((USERS, ITEMS)) < np.where(own, 0.4, 0.04) * np.where(cold, 0.02, 1)
    x[:, ITEMS - 3 :] = False
    x[0] = False
    later = [rng.choice(np.flatnonzero(own[u] & cold & ~x[u]), 2, False) for u in range(1, USERS)]
    return World(
        matrix_of(x.astype(np.float32)),
        text.astype(np.float32),
        cold,
        ValidationPairs(np.arange(1, USERS), later),
    )


def matrix_of(x: NDArray[np.float32]) -> InteractionMatrix:
    values = csr_array(x)
    return InteractionMatrix(
        tuple(f"u{at:03d}" for at in range(x.shape[0])),
        tuple(f"i{at:03d}" for at in range(x.shape[1])),
        values,
        np.arange(values.nnz, dtype=np.float64),
    )


def ials() -> Ials:
    return Ials(factors=8, l2=1.0)


@cache
def fitted() -> ColdStart:
    return ColdStart(ItemFeatures(world().text), ials=ials(), ridge=0.1).fit(world().matrix)


def everyone() -> Indices:
    return np.arange(USERS)


Scores = Callable[[Indices], NDArray[np.float32]]


def on_cold_items(score_users: Scores) -> float:
    return mean_ndcg(score_users, world().matrix, world().later, among=world().cold)


def test_cold_items_are_found_better_than_by_popularity_or_content_or_behaviour_alone() -> None:
    matrix = world().matrix
    ours = on_cold_items(fitted().mix(20, 0.1).score_users)
    assert ours > 1.1 * on_cold_items(Content(world().text).fit(matrix).score_users)
    assert ours > 1.1 * on_cold_items(Popularity().fit(matrix).score_users)
    assert ours > 1.1 * on_cold_items(ials().fit(matrix).score_users)


def test_without_kappa_it_is_ials() -> None:
    plain = ials().fit(world().matrix).score_users(everyone())
    np.testing.assert_array_equal(fitted().mix(0, 0.1).score_users(everyone()), plain)
    touched = world().matrix.values.sum(axis=0) > 0
    almost = fitted().mix(1e-6, 0.1).score_users(everyone())
    np.testing.assert_allclose(almost[:, touched], plain[:, touched], atol=1e-4)


def test_the_more_users_an_item_has_the_nearer_it_is_to_ials() -> None:
    x = world().matrix.values.toarray()
    text = ItemFeatures(world().text)
    many = matrix_of(np.tile(x, (50, 1)).astype(np.float32))
    warm = ~world().cold
    away = []
    for matrix in (world().matrix, many):
        plain = ials().fit(matrix).score_users(everyone())
        ours = ColdStart(text, ials=ials(), kappa=5).fit(matrix).score_users(everyone())
        away.append(np.abs(ours - plain)[:, warm].mean() / np.abs(plain[:, warm]).mean())
    assert away[1] < 0.1 * away[0]


def test_an_item_without_users_scores_by_content_alone() -> None:
    model = fitted().mix(20, 0.1)
    alone = model.score_users(everyone())[:, -3:]
    np.testing.assert_allclose(model.mix(1e6, 0.1).score_users(everyone())[:, -3:], alone)
    taste = np.arange(1, USERS) % 3
    assert (alone[1:].argmax(axis=1) == taste).mean() > 0.9


def test_an_item_without_content_scores_as_in_ials() -> None:
    text = world().text.copy()
    text[:10] = 0
    model = ColdStart(ItemFeatures(text), ials=ials()).fit(world().matrix)
    plain = ials().fit(world().matrix).score_users(everyone())
    np.testing.assert_allclose(model.score_users(everyone())[:, :10], plain[:, :10], atol=1e-6)


def test_an_item_with_neither_is_not_known_and_scores_nothing() -> None:
    text = world().text.copy()
    text[-1] = 0
    model = ColdStart(ItemFeatures(text), ials=ials()).fit(world().matrix)
    assert np.flatnonzero(~model.known).tolist() == [ITEMS - 1]
    assert not model.score_users(everyone())[:, -1].any()


def test_a_missing_picture_is_no_zero_picture() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.normal(1.0, 0.3, (ITEMS, 4)).astype(np.float32)
    near_zero = pictures.copy()
    pictures[-1], near_zero[-1] = 0, 1e-6
    text = world().text
    missing, zero = (
        ColdStart(ItemFeatures(text, found), ials=ials(), ridge=0.1).fit(world().matrix)
        for found in (pictures, near_zero)
    )
    # What lacks a picture scores as its text has it, not as a picture far from all others.
    by_text = fitted().mix(20, 0.1).score_users(everyone())[:, -1]
    apart = [np.abs(one.score_users(everyone())[:, -1] - by_text).mean() for one in (missing, zero)]
    assert apart[0] < 0.5 * apart[1]


def test_who_took_nothing_scores_nothing() -> None:
    assert not fitted().score_users(np.array([0])).any()


def test_a_restored_model_scores_the_same_and_reads_newer_histories() -> None:
    model = fitted().mix(20, 0.1)
    matrix = world().matrix
    saved = {name: array.copy() for name, array in model.arrays().items()}
    again = ColdStart(ials=ials()).restore(matrix, saved)
    np.testing.assert_array_equal(again.score_users(everyone()), model.score_users(everyone()))
    assert again.known.all()
    with pytest.raises(InvalidInput, match="mixed anew"):
        again.mix(1, 1)
    x = matrix.values.toarray().astype(np.float32)
    x[0, ITEMS - 3] = 1  # nobody had touched it at the fit: only its content speaks
    newer = ColdStart(ials=ials()).restore(matrix_of(x), saved)
    assert newer.score_users(np.array([0]))[0].argmax() % 3 == (ITEMS - 3) % 3


def test_a_model_of_other_items_is_refused() -> None:
    saved = fitted().arrays()
    with pytest.raises(InvalidInput, match="items"):
        ColdStart(ials=ials()).restore(matrix_of(np.eye(4, dtype=np.float32)), saved)
    with pytest.raises(InvalidInput, match="60 text vectors for 4 items"):
        ColdStart(ItemFeatures(world().text)).fit(matrix_of(np.eye(4, dtype=np.float32)))


def test_no_item_and_no_interaction_are_no_error() -> None:
    empty = matrix_of(np.zeros((0, 0), dtype=np.float32))
    model = ColdStart(ItemFeatures(np.zeros((0, 4), dtype=np.float32))).fit(empty)
    assert model.score_users(np.arange(0)).shape == (0, 0)
    quiet = matrix_of(np.zeros((2, ITEMS), dtype=np.float32))
    assert not ColdStart(ItemFeatures(world().text)).fit(quiet).score_users(np.arange(2)).any()


@pytest.mark.parametrize(
    "setting", [{"kappa": -1}, {"ridge": 0}, {"teach": -1}, {"undone": 2}, {"kappa": np.inf}]
)
def test_settings_out_of_range_are_named(setting: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(setting))):
        ColdStart(**setting)  # type: ignore[arg-type]


def test_the_chosen_mix_costs_warm_items_nothing_and_serves_cold_ones() -> None:
    matrix, cold = world().matrix, world().cold
    rng = np.random.default_rng(1)
    warm = [rng.choice(np.flatnonzero(~cold), 1) for _ in world().later.rows]
    both = [np.union1d(a, b) for a, b in zip(warm, world().later.positives, strict=True)]
    pairs = ValidationPairs(world().later.rows, both)
    plain = ials().fit(matrix).score_users
    model = choose_mix(fitted().mix(20, 0.1), matrix, pairs)
    few = np.bincount(matrix.values.indices, minlength=ITEMS) <= 5
    assert few.sum() >= 10
    on_warm = pairs.only(~few)
    assert mean_ndcg(model.score_users, matrix, on_warm) >= mean_ndcg(plain, matrix, on_warm)
    if model.kappa > 0:
        assert on_cold_items(model.score_users) > on_cold_items(plain)


def test_with_few_cold_positives_the_mix_stays_the_models_own() -> None:
    cold_only = ValidationPairs(world().later.rows[:20], world().later.positives[:20])
    model = choose_mix(fitted().mix(7, 0.2), world().matrix, cold_only)
    assert (model.kappa, model.ridge) == (7, 0.2)
