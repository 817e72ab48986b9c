from __future__ import annotations

import numpy as np
import pytest

from agent.fitting import learn as learning
from agent.fitting.labels import LabelledUser
from agent.fitting.learn import learn, train_flat
from agent.fitting.pools import FitPool
from agent.measure import ndcg, ranks_in
from retrieval.fusion.context import Context, disagreement
from retrieval.fusion.features import z_table


def people(n: int, truth: list[float], seed: int = 0, *, flip: bool = False) -> list[FitPool]:
    """Users who choose from 25 items by z·truth; with ``flip``, long histories the other way."""
    random = np.random.default_rng(seed)
    pools = []
    for at in range(n):
        history = (2, 30)[at % 2]
        z, present = z_table(random.normal(size=(25, len(truth))))
        w = np.array(truth[::-1] if flip and history == 30 else truth)
        odds = np.exp(z @ w)
        positive = int(random.choice(25, p=odds / odds.sum()))
        alone = [ndcg(ranks_in(np.argsort(-column).tolist(), {positive})) for column in z.T]
        pools.append(
            FitPool(
                LabelledUser(f"u{at}", frozenset(), frozenset({str(positive)})),
                np.arange(25), z, present, Context(history, disagreement(z)),
                np.array([positive]), np.array(alone),
            )
        )  # fmt: skip
    return pools


@pytest.fixture(autouse=True)
def proven_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three thousand users would take minutes."""
    monkeypatch.setattr(learning, "PROVEN_FROM", 1000)


def test_two_sources_that_know_different_things_are_mixed() -> None:
    found = learn(people(1200, [1.5, 1.5, 0.0]), np.ones(3))
    assert found.mixture.opened
    assert found.mixture.overall.bound > 0
    assert found.values.mean() > found.flat_values.mean() - 0.01
    share = found.flat / found.flat.sum()
    np.testing.assert_allclose(share, [0.5, 0.5, 0], atol=0.08)


def test_one_source_that_knows_everything_stays_alone() -> None:
    pools = people(1200, [3.0, 0.0, 0.0])
    found = learn(pools, np.ones(3))
    assert found.best == 0
    assert not found.mixture.opened
    assert (found.values == [pool.alone[0] for pool in pools]).all()


def test_weights_follow_the_context_where_that_is_proven() -> None:
    found = learn(people(1600, [2.0, 0.0], flip=True), np.ones(2))
    assert found.adaptive is not None
    assert found.adaptive.opened
    for history, favourite in ((2, 0), (30, 1)):
        moved = np.maximum(found.base + Context(history, 0.5).g @ found.slopes, 0)
        assert moved.argmax() == favourite


def test_with_few_users_nothing_is_asked_of_the_context() -> None:
    found = learn(people(300, [1.0, 1.0]), np.ones(2))
    assert found.adaptive is None
    assert found.mixture.strata == ()
    assert found.mixture.opened


def test_every_user_is_judged_by_weights_that_did_not_see_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pools = people(40, [1.0, 1.0])
    trained_on: list[set[str]] = []
    flat = learning.train_flat

    def spy(seen: list[FitPool], start: np.ndarray) -> np.ndarray:
        trained_on.append({pool.user.user_id for pool in seen})
        return flat(seen, start)

    monkeypatch.setattr(learning, "train_flat", spy)
    learn(pools, np.ones(2), seed=3)
    *folds, last = trained_on
    everybody = {pool.user.user_id for pool in pools}
    assert last == everybody
    left_out = [everybody - fold for fold in folds]
    assert len(left_out) == 5
    assert sorted(user for fold in left_out for user in fold) == sorted(everybody)


def test_a_pool_without_a_positive_counts_and_does_not_train() -> None:
    pools = people(60, [1.0, 1.0])
    lost = [
        FitPool(one.user, one.items, one.z, one.present, one.context, np.zeros(0, int), one.alone)
        for one in people(20, [1.0, 1.0], seed=9)
    ]
    assert (train_flat(pools + lost, np.ones(2)) == train_flat(pools, np.ones(2))).all()
    found = learn(pools + lost, np.ones(2))
    assert found.flat_values.shape == (80,)
    assert not found.flat_values[60:].any()


def test_the_scale_of_the_start_does_not_matter() -> None:
    pools = people(100, [1.0, 0.5])
    expected = train_flat(pools, np.array([3.0, 1.0]))
    np.testing.assert_allclose(train_flat(pools, np.array([0.3, 0.1])), expected, rtol=0.01)
