"""Peers are tuned by the figure that the evaluation reports."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.measure import ndcg
from eval.bench.peers.exchange import Log
from eval.bench.peers.metric import Sample, ndcg_by_user, sample_of
from eval.systems import ranks_of_relevant
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.types import Interaction

ITEMS = 8
START = datetime(2020, 1, 1, tzinfo=UTC)
PAIRS = st.sets(st.tuples(st.integers(0, 3), st.integers(0, ITEMS - 1)), min_size=1)


class Table:
    """Scores that are known beforehand."""

    def __init__(self, scores: np.ndarray) -> None:
        self.scores = scores

    def fit(self, matrix: InteractionMatrix) -> "Table":
        return self

    def score_users(self, rows: np.ndarray) -> np.ndarray:
        return self.scores[rows]


def log_of(pairs: set[tuple[int, int]]) -> Log:
    table = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    ones = np.ones(len(table))
    return Log(table[:, 0], table[:, 1], ones, ones)


@given(past=PAIRS, later=PAIRS, seed=st.integers(0, 99))
def test_ndcg_equals_the_evaluations_own(
    past: set[tuple[int, int]], later: set[tuple[int, int]], seed: int
) -> None:
    # Few values, so that many scores tie.
    table = np.random.default_rng(seed).integers(0, 3, (4, ITEMS)).astype(np.float32)
    sample = sample_of(log_of(past), log_of(later), 4, most=9, seed=0)
    found = ndcg_by_user(sample, lambda users: table[users])
    events = [Interaction(str(u), str(i), "purchase", 1.0, START) for u, i in sorted(past)]
    matrix = InteractionMatrix.from_interactions(events, item_ids=[str(i) for i in range(ITEMS)])
    relevant = {
        str(u): {str(i) for who, i in later - past if who == u} for u in sample.users.tolist()
    }
    rows = Table(np.stack([table[int(user)] for user in matrix.user_ids]))
    expected = [ndcg(ranks) for ranks in ranks_of_relevant(rows, matrix, relevant)]
    np.testing.assert_allclose(found, expected)


def test_a_sample_is_seeded_and_holds_users_with_a_past_and_something_new() -> None:
    past = log_of({(0, 1), (1, 1), (2, 1)})
    later = log_of({(0, 1), (1, 1), (1, 2), (2, 3), (3, 4)})
    sample = sample_of(past, later, 4, most=9, seed=0)
    assert sample.users.tolist() == [1, 2]
    assert [items.tolist() for items in sample.positives] == [[2], [3]]
    one = [sample_of(past, later, 4, most=1, seed=5).users.tolist() for _ in range(2)]
    assert one[0] == one[1]
    assert len(one[0]) == 1


def test_a_score_that_is_not_finite_is_refused() -> None:
    sample = Sample(np.array([0]), [np.array([1])], [np.array([2])])
    with pytest.raises(ValueError, match="finite"):
        ndcg_by_user(sample, lambda users: np.full((1, ITEMS), np.nan, dtype=np.float32))
