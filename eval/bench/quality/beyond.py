"""What a list is beside right: how much of the catalogue, how new, how varied, how balanced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.bench.quality.protocols import Asked
from retrieval.ports import Vectors
from retrieval.types import Item

Top = NDArray[np.int32]
"""Columns of each user's first places, -1 behind the last; shape (users, places)."""

_MIX = 0.01


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What the lists of a data set are held against.

    Attributes:
        asked: users and their histories.
        vectors: of the items, rows of norm 1 or 0; the cosine of two says how alike they are.
        alike_by: "text" or "users in common".
        genres: share of each genre of each item, shape (items, genres); ``None`` without.
    """

    asked: Asked
    vectors: Vectors
    alike_by: str
    genres: NDArray[np.float64] | None


def surroundings(
    asked: Asked, items: Sequence[Item], text: Vectors | None, genre: str
) -> Surroundings:
    """Items are alike by their texts, or by their users where there is no text."""
    vectors = text
    if vectors is None:
        vectors = np.asarray(asked.matrix.values.T.toarray(), dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.where(norms > 0, vectors / np.where(norms > 0, norms, 1), 0).astype(np.float32)
    by = "users in common" if text is None else "text"
    return Surroundings(asked, unit, by, genre_table(items, genre) if genre else None)


def genre_table(items: Sequence[Item], genre: str) -> NDArray[np.float64]:
    """Share of each value of the attribute in each item; rows add up to 1, or 0 without any.

    Returns:
        Shape (items, values), values in their alphabetical order.
    """
    values: list[tuple[str, ...]] = []
    for item in items:
        found = item.attributes.get(genre, ())
        values.append(found if isinstance(found, tuple) else (str(found),))
    names = {name: at for at, name in enumerate(sorted({one for own in values for one in own}))}
    table = np.zeros((len(items), len(names)))
    for at, own in enumerate(values):
        for name in own:
            table[at, names[name]] += 1 / len(own)
    return table


def coverage(top: Top, items: int) -> float:
    """Share of the catalogue that stands in anybody's list, in [0, 1]; NaN without items."""
    shown = np.unique(top[top >= 0])
    return len(shown) / items if items else float("nan")


def novelty(top: Top, counts: NDArray[np.int64], users: int) -> NDArray[np.float64]:
    """Mean -log2 of the share of users who have an item, of each list; in bits, >= 0.

    An item that nobody has counts as if one had it: its information would have no bound.
    Vargas & Castells (RecSys 2011). NaN for an empty list.
    """
    bits = -np.log2(np.maximum(counts, 1) / max(users, 1))
    return _means(np.where(top >= 0, bits[top], np.nan))


def diversity(top: Top, vectors: Vectors) -> NDArray[np.float64]:
    """1 - mean cosine of two different items of a list; NaN with fewer than two.

    Ziegler et al. (WWW 2005). An item without a vector is like nothing.
    """
    found = np.full(len(top), np.nan)
    for at, own in enumerate(top):
        listed = own[own >= 0]
        n = len(listed)
        if n > 1:
            among = vectors[listed]
            alike = among @ among.T
            found[at] = 1.0 - float(alike.sum() - np.trace(alike)) / (n * (n - 1))
    return found


def miscalibration(top: Top, asked: Asked, genres: NDArray[np.float64]) -> NDArray[np.float64]:
    """KL divergence of a list's genres from those of the history; >= 0, 0 = the same shares.

    Steck (RecSys 2018): the list's shares are mixed with 0.01 of the history's, so that it is
    finite. NaN where the history or the list has no genre.
    """
    found = np.full(len(top), np.nan)
    for at, own in enumerate(top):
        had = genres[asked.matrix.items_of(int(asked.rows[at]))].sum(axis=0)
        got = genres[own[own >= 0]].sum(axis=0)
        if had.sum() > 0 and got.sum() > 0:
            p, q = had / had.sum(), got / got.sum()
            q = (1 - _MIX) * q + _MIX * p
            there = p > 0
            found[at] = float(np.sum(p[there] * np.log(p[there] / q[there])))
    return found


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    there = np.isfinite(values)
    count = there.sum(axis=1)
    total = np.where(there, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
