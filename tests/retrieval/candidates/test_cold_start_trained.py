from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.cold_start_trained import TrainedColdStart
from retrieval.candidates.content import Content
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.popular import Popularity
from retrieval.candidates.validation import ValidationPairs, mean_ndcg
from retrieval.errors import InvalidInput

USERS, ITEMS = 240, 60
EVERYBODY = np.arange(USERS)


def matrix_of(x: NDArray[np.bool_]) -> InteractionMatrix:
    values = csr_array(x.astype(np.float32))
    return InteractionMatrix(
        tuple(f"用户 {at}" for at in range(x.shape[0])),
        tuple(f"i{at}" for at in range(x.shape[1])),
        values,
        np.arange(values.nnz, dtype=np.float64),
    )


def world() -> tuple[InteractionMatrix, ItemFeatures, NDArray[np.bool_], ValidationPairs]:
    """Users of one genre each; the text tells an item's genre, and louder its colour."""
    rng = np.random.default_rng(3)
    genre, colour = np.arange(ITEMS) % 3, rng.integers(0, 4, ITEMS)
    text = np.hstack([np.eye(3)[genre], 2 * np.eye(4)[colour], rng.normal(0, 0.2, (ITEMS, 3))])
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    cold = np.arange(ITEMS) >= ITEMS - 18
    own = genre[None, :] == (np.arange(USERS) % 3)[:, None]
    x = rng.random((USERS, ITEMS)) < np.where(own, 0.4, 0.04) * np.where(cold, 0.02, 1)
    x[:, ITEMS - 3 :] = False
    x[0] = False
    later = [rng.choice(np.flatnonzero(own[u] & cold & ~x[u]), 2, False) for u in range(1, USERS)]
    pairs = ValidationPairs(np.arange(1, USERS), later)
    return matrix_of(x), ItemFeatures(text.astype(np.float32)), cold, pairs


def trainer(features: ItemFeatures | None = None, **settings: Any) -> TrainedColdStart:
    """Small and quick."""
    return TrainedColdStart(
        features,
        **{"factors": 8, "batch": 256, "negatives": 32, "epochs": 20}
        | {"learning_rate": 0.02}
        | settings,
    )


@pytest.mark.parametrize("loss", ["bpr", "bce"])
def test_cold_items_are_found_better_than_by_popularity_or_content_alone(loss: Any) -> None:
    matrix, features, cold, later = world()
    model = trainer(features, loss=loss).fit(matrix)
    assert features.text is not None
    ours = mean_ndcg(model.score_users, matrix, later, among=cold)
    for other in (Content(features.text), Popularity()):
        assert ours > 1.1 * mean_ndcg(other.fit(matrix).score_users, matrix, later, among=cold)
    assert model.losses[-1] < model.losses[0]
    assert not model.score_users(np.array([0])).any()


def test_an_item_without_users_scores_by_content_alone() -> None:
    matrix, features, _, _ = world()
    scores = trainer(features).fit(matrix).score_users(EVERYBODY)[1:, -3:]
    assert (scores.argmax(axis=1) == EVERYBODY[1:] % 3).mean() > 0.75
    plain = trainer().fit(matrix)
    assert not plain.known[-3:].any()
    assert not plain.score_users(EVERYBODY)[:, -3:].any()


def test_the_same_seed_trains_the_same_model_and_another_another() -> None:
    matrix, features, _, _ = world()
    first, second, other = (
        trainer(features, epochs=2, seed=seed).fit(matrix).score_users(EVERYBODY)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 0.01


def test_the_best_epoch_is_kept_and_waiting_ends() -> None:
    matrix, features, _, later = world()
    settings: dict[str, Any] = {"epochs": 40, "patience": 2, "learning_rate": 0.1}
    model = trainer(features, validation=later, **settings).fit(matrix)
    best = int(np.argmax(model.measured))
    assert len(model.measured) == best + 3 < 40
    assert mean_ndcg(model.score_users, matrix, later) == model.measured[best]
    again = trainer(features, validation=later, **settings | {"epochs": best + 1}).fit(matrix)
    np.testing.assert_array_equal(again.score_users(EVERYBODY), model.score_users(EVERYBODY))


class Counter:
    """Counts the epochs."""

    total, done = 0, 0

    def start(self, stage: str, total: int | None) -> None:
        self.total = total or 0

    def advance(self, n: int = 1) -> None:
        self.done += n

    def note(self, text: str) -> None:
        raise NotImplementedError


def test_progress_hears_of_every_epoch() -> None:
    matrix, features, _, _ = world()
    progress = Counter()
    model = trainer(features, epochs=3, progress=progress).fit(matrix)
    assert (progress.total, progress.done) == (3, len(model.losses))


def test_a_restored_model_needs_no_torch_and_knows_its_users_by_id() -> None:
    matrix, features, _, _ = world()
    model = trainer(features, epochs=1).fit(matrix)
    users = (matrix.user_ids[7], "new")
    now = InteractionMatrix(users, matrix.item_ids, matrix.values[[0, 0]], np.zeros(0))
    again = trainer().restore(now, model.arrays())
    scores = again.score_users(np.arange(2))
    np.testing.assert_allclose(scores[0], model.score_users(EVERYBODY)[7], atol=1e-6)
    assert not scores[1].any()
    code = "import sys, retrieval.candidates.cold_start_trained; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_vectors_of_other_items_are_named() -> None:
    with pytest.raises(InvalidInput, match="60 text vectors for 2 items"):
        trainer(world()[1]).fit(matrix_of(np.eye(2, dtype=np.bool_)))


@pytest.mark.parametrize(
    "setting", [{"loss": "hinge"}, {"dropout": 1.0}, {"epochs": 0}, {"learning_rate": 0.0}]
)
def test_settings_out_of_range_are_named(setting: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(setting))):
        trainer(**setting)
