from __future__ import annotations

import numpy as np
import pytest

from retrieval.candidates.item_features import ItemFeatures
from retrieval.errors import InvalidInput
from retrieval.ports import Vectors


def vectors(items: int, width: int = 3, seed: int = 0) -> Vectors:
    found = np.random.default_rng(seed).normal(size=(items, width))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_without_any_vectors_nothing_is_described() -> None:
    assert ItemFeatures().rows(4).shape == (4, 0)
    assert not ItemFeatures().described(4).any()


def test_text_and_pictures_stand_side_by_side_and_centred() -> None:
    features = ItemFeatures(vectors(5), vectors(5, 2, seed=1))
    assert features.rows(5).shape == (5, 5)
    np.testing.assert_allclose(features.rows(5).mean(axis=0), 0, atol=1e-6)
    assert features.described(5).all()


def test_a_missing_picture_is_no_zero_picture() -> None:
    pictures = vectors(5, 2)
    pictures[3] = 0
    rows = ItemFeatures(pictures=pictures).rows(5)
    assert rows[:, 2].tolist() == [1, 1, 1, 0, 1]
    np.testing.assert_allclose(rows[3], 0)
    # The mean is that of the pictures there are: one more item without changes no other row.
    kept = ItemFeatures(pictures=pictures[[0, 1, 2, 4]]).rows(4)
    np.testing.assert_allclose(rows[[0, 1, 2, 4], :2], kept, atol=1e-6)
    assert ItemFeatures(pictures=pictures).described(5).tolist() == [True, True, True, False, True]


def test_pictures_that_nobody_has_are_no_features() -> None:
    assert ItemFeatures(pictures=np.zeros((4, 2), dtype=np.float32)).rows(4).shape == (4, 0)


def test_vectors_that_are_not_finite_are_named() -> None:
    bad = vectors(4)
    bad[2, 1] = np.nan
    with pytest.raises(InvalidInput, match="picture vector of row 2"):
        ItemFeatures(vectors(4), bad)


def test_vectors_that_are_no_table_are_named() -> None:
    with pytest.raises(InvalidInput, match="text vectors have the shape"):
        ItemFeatures(text=np.zeros(3, dtype=np.float32))


def test_vectors_of_other_items_are_named() -> None:
    with pytest.raises(InvalidInput, match="different numbers"):
        ItemFeatures(vectors(4), vectors(5))
    with pytest.raises(InvalidInput, match="4 text vectors for 5 items"):
        ItemFeatures(vectors(4)).described(5)
