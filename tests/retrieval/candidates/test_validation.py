from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.validation import ValidationPairs, hold_out, mean_ndcg
from retrieval.errors import InvalidInput


def matrix() -> InteractionMatrix:
    values = csr_array(np.array([[1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float32))
    return InteractionMatrix(("u", "v"), ("a", "b", "c", "d"), values, np.zeros(2))


def best_first(rows: Indices) -> NDArray[np.float32]:
    return np.tile(np.array([4, 3, 2, 1], dtype=np.float32), (len(rows), 1))


def pairs(*positives: list[int]) -> ValidationPairs:
    return ValidationPairs(np.arange(len(positives)), [np.array(one) for one in positives])


def test_what_a_user_has_takes_no_place() -> None:
    assert mean_ndcg(best_first, matrix(), pairs([1])) == 1.0
    assert mean_ndcg(best_first, matrix(), pairs([1], [1])) == pytest.approx(
        (1 + 1 / math.log2(3)) / 2
    )


def test_two_positives_share_the_ideal() -> None:
    gained = 1 + 1 / math.log2(4)
    assert mean_ndcg(best_first, matrix(), pairs([1, 3])) == pytest.approx(
        gained / (1 + 1 / math.log2(3))
    )


def test_ranking_among_some_items_leaves_the_others_out() -> None:
    among = np.array([False, False, False, True])
    assert mean_ndcg(best_first, matrix(), pairs([3]), among=among) == 1.0


def test_a_positive_beyond_the_cut_earns_nothing() -> None:
    assert mean_ndcg(best_first, matrix(), pairs([3]), k=2) == 0.0


def test_a_constant_score_earns_nothing_at_the_top() -> None:
    def constant(rows: Indices) -> NDArray[np.float32]:
        return np.zeros((len(rows), 4), dtype=np.float32)

    assert mean_ndcg(constant, matrix(), pairs([1]), k=2) == 0.0


def test_nothing_to_find_is_no_number() -> None:
    assert math.isnan(mean_ndcg(best_first, matrix(), pairs()))


def test_only_keeps_the_users_who_took_one_of_the_items() -> None:
    some = pairs([1, 2], [3]).only(np.array([False, True, False, False]))
    assert some.rows.tolist() == [0]
    assert [one.tolist() for one in some.positives] == [[1]]


def test_rows_without_their_list_are_refused() -> None:
    with pytest.raises(InvalidInput, match="2 rows with 1"):
        ValidationPairs(np.arange(2), [np.array([1])])
    with pytest.raises(InvalidInput, match="1 rows with 0"):
        pairs([])


def test_held_out_is_the_last_interaction_of_some_users_and_nothing_else() -> None:
    x = (np.random.default_rng(0).random((40, 12)) < 0.3).astype(np.float32)
    x[0], x[1] = 0, np.eye(12)[3]
    values = csr_array(x)
    seconds = np.random.default_rng(1).random(values.nnz)
    log = InteractionMatrix(tuple(map(str, range(40))), tuple(map(str, range(12))), values, seconds)
    left, held = hold_out(log, share=0.5, seed=3)
    assert held.rows.tolist() == sorted(set(held.rows.tolist()))
    assert len(held.rows) == round(0.5 * np.count_nonzero(x.sum(axis=1) >= 2))
    for row, (item,) in zip(held.rows, held.positives, strict=True):
        span = slice(values.indptr[row], values.indptr[row + 1])
        assert item == values.indices[span][seconds[span].argmax()]
        x[row, item] = 0
    np.testing.assert_array_equal(left.values.toarray(), x)
    assert len(left.seconds) == left.values.nnz
    np.testing.assert_array_equal(hold_out(log, share=0.5, seed=3)[1].rows, held.rows)


def test_nothing_is_held_out_where_nobody_took_two() -> None:
    left, held = hold_out(matrix())
    assert not len(held.rows)
    np.testing.assert_array_equal(left.values.toarray(), matrix().values.toarray())
