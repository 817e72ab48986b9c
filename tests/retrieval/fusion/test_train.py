from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import log_softmax

from retrieval.errors import InvalidInput
from retrieval.fusion.train import LabelledPool, train_adaptive, train_weights

W0 = np.array([1.0, 0.0, 0.0])


def simulated(n: int, w: NDArray[np.float64], seed: int = 0) -> list[LabelledPool]:
    """Users who choose from pools of 20 to 40 by softmax of z·w."""
    random = np.random.default_rng(seed)
    pools = []
    for _ in range(n):
        z = random.normal(size=(random.integers(20, 40), len(w)))
        odds = np.exp(z @ w)
        pools.append(LabelledPool(z, (int(random.choice(len(z), p=odds / odds.sum())),)))
    return pools


def objective(
    pools: list[LabelledPool], w: NDArray[np.float64], w0: NDArray[np.float64], ridge: float
) -> float:
    told = [np.mean(log_softmax(p.z @ w)[list(p.positives)]) for p in pools]
    return float(-np.mean(told) + ridge / len(pools) * np.sum((w - w0) ** 2))


def test_it_finds_the_weights_that_people_chose_by() -> None:
    truth = np.array([0.5, 1.0, 0.0])
    found = train_weights(simulated(3000, truth), W0)
    np.testing.assert_allclose(found, truth, atol=0.06)


def test_it_minimises_the_stated_objective() -> None:
    pools = simulated(150, np.array([0.3, 0.8, 0.2]))
    pools += [LabelledPool(p.z, (0, 3, 5)) for p in simulated(20, W0, seed=1)]
    found = train_weights(pools, W0, ridge=10)
    best = objective(pools, found, W0, 10)
    random = np.random.default_rng(3)
    for _ in range(60):
        other = np.maximum(0, found + random.normal(scale=0.05, size=3))
        assert objective(pools, other, W0, 10) >= best - 1e-7


def test_weights_never_fall_below_zero() -> None:
    found = train_weights(simulated(500, np.array([1.0, -0.8, 0.0])), W0)
    assert found[1] == 0.0
    assert (found >= 0).all()


def test_few_labels_stay_near_the_best_single_source() -> None:
    truth = np.array([0.0, 2.0, 0.0])
    few = train_weights(simulated(3, truth), W0)
    many = train_weights(simulated(1000, truth), W0)
    assert np.linalg.norm(few - W0) < 0.5
    assert np.linalg.norm(many - truth) < 0.2


def test_without_labels_the_start_stands() -> None:
    assert train_weights([], W0).tolist() == W0.tolist()


def test_a_source_that_is_silent_everywhere_keeps_its_start() -> None:
    pools = [
        LabelledPool(np.c_[p.z[:, :2], np.zeros(len(p.z))], p.positives) for p in simulated(200, W0)
    ]
    found = train_weights(pools, np.array([1.0, 0.0, 0.4]))
    assert found[2] == pytest.approx(0.4, abs=1e-4)


@pytest.mark.parametrize(
    "pool", [LabelledPool(np.zeros((4, 3)), ()), LabelledPool(np.zeros((4, 2)), (0,))]
)
def test_a_pool_without_its_positive_is_refused(pool: LabelledPool) -> None:
    with pytest.raises(InvalidInput, match="lacks a positive or a column"):
        train_weights([pool], W0)


def moved_by_context(
    n: int, a: NDArray[np.float64], b: NDArray[np.float64], seed: int = 0
) -> list[LabelledPool]:
    """Users who choose by weights that their context moves."""
    random = np.random.default_rng(seed)
    pools = []
    for _ in range(n):
        g = random.normal(size=len(b))
        z = random.normal(size=(30, len(a)))
        odds = np.exp(z @ np.maximum(0, a + g @ b))
        pools.append(LabelledPool(z, (int(random.choice(30, p=odds / odds.sum())),), g))
    return pools


def adaptive_objective(
    pools: list[LabelledPool],
    found: tuple[NDArray[np.float64], NDArray[np.float64]],
    start: NDArray[np.float64],
    ridge: float = 10.0,
    ridge_slopes: float = 100.0,
) -> float:
    a, b = found
    told = [
        np.mean(log_softmax(p.z @ np.maximum(0, a + p.g @ b))[list(p.positives)]) for p in pools
    ]
    penalty = ridge * np.sum((a - start) ** 2) + ridge_slopes * np.sum(b**2)
    return float(-np.mean(told) + penalty / len(pools))


@given(st.integers(0, 2**16), st.integers(1, 25))
@settings(max_examples=25)
def test_adaptive_weights_are_never_worse_than_their_start_in_their_own_loss(
    seed: int, n: int
) -> None:
    random = np.random.default_rng(seed)
    truth = np.abs(random.normal(size=3)), random.normal(size=(2, 3))
    pools = moved_by_context(n, *truth, seed)
    start = np.abs(random.normal(size=3))
    a, b = train_adaptive(pools, start)
    assert a.shape == (3,)
    assert b.shape == (2, 3)
    assert (a >= 0).all()
    before = adaptive_objective(pools, (start, np.zeros((2, 3))), start)
    assert adaptive_objective(pools, (a, b), start) <= before + 1e-9


def test_adaptive_training_finds_what_the_context_does() -> None:
    a, b = np.array([0.8, 0.8]), np.array([[0.4, -0.4]])
    found_a, found_b = train_adaptive(moved_by_context(4000, a, b), a)
    np.testing.assert_allclose(found_a, a, atol=0.08)
    np.testing.assert_allclose(found_b, b, atol=0.08)


def test_a_context_that_is_always_zero_moves_nothing() -> None:
    pools = [
        LabelledPool(p.z, p.positives, np.zeros(2))
        for p in simulated(200, np.array([0.3, 0.8, 0.2]))
    ]
    start = train_weights(pools, W0)
    a, b = train_adaptive(pools, start)
    assert not b.any()
    np.testing.assert_allclose(a, train_weights(pools, start), atol=1e-3)


def test_adaptive_training_without_labels_or_context_keeps_its_start() -> None:
    a, b = train_adaptive([], W0)
    assert a.tolist() == W0.tolist()
    assert b.shape == (0, 3)
    a, b = train_adaptive(simulated(5, W0), W0)
    assert a.tolist() == W0.tolist()
    assert b.shape == (0, 3)
