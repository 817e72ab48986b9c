"""Raw scores of a pool to comparable numbers: a z-score a source, clipped, with a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.types import Candidate

Z_CLIP = 3.0
# Spread relative to the largest value, below which a column says the same of every item.
_CONSTANT = 1e-9


@dataclass(frozen=True, eq=False)
class PoolFeatures:
    """One row a candidate, one column a source.

    Attributes:
        item_ids: of the rows, in the pool's order.
        sources: of the columns.
        z: float64 (items, sources) in [-3, 3]; 0 where missing.
        present: bool (items, sources); the source gave that item a score.
    """

    item_ids: tuple[str, ...]
    sources: tuple[str, ...]
    z: NDArray[np.float64]
    present: NDArray[np.bool_]

    @property
    def live(self) -> tuple[str, ...]:
        """Sources that tell candidates apart: at least one z is not 0."""
        return tuple(
            source for at, source in enumerate(self.sources) if bool(np.any(self.z[:, at] != 0))
        )


def z_table(
    values: NDArray[np.float64], clip: float = Z_CLIP
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Standardise the finite entries of each column and clip to ±``clip``.

    Args:
        values: shape (items, sources); an entry that is not finite is missing.
        clip: bound of the result.

    Returns:
        z (0 where missing) and the mask of the finite entries. A constant column gives zeros.
        Any finite magnitude is safe: the values are scaled first.
    """
    present = np.isfinite(values)
    known = np.where(present, values, 0.0)
    largest = np.max(np.abs(known), axis=0, initial=0.0)
    # By a power of two, which loses no bit.
    scaled = np.ldexp(known, -np.frexp(largest)[1])
    count = np.maximum(present.sum(axis=0), 1)
    away = np.where(present, scaled - scaled.sum(axis=0) / count, 0.0)
    spread = np.sqrt(np.sum(away * away, axis=0) / count)
    tells = spread > _CONSTANT
    z = np.clip(away / np.where(tells, spread, 1.0), -clip, clip)
    return np.where(tells, z, 0.0), present


def z_scores(
    values: NDArray[np.float64], clip: float = Z_CLIP
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """``z_table`` of one column of shape (items,)."""
    z, present = z_table(values[:, None], clip)
    return z[:, 0], present[:, 0]


def pool_features(candidates: Sequence[Candidate], sources: Sequence[str]) -> PoolFeatures:
    """z-scores of each source over the pool; scores that are not finite count as missing."""
    raw = np.full((len(candidates), len(sources)), np.nan)
    scores = [candidate.scores_by_source for candidate in candidates]
    for at, source in enumerate(sources):
        raw[:, at] = [own.get(source, np.nan) for own in scores]
    z, present = z_table(raw)
    return PoolFeatures(tuple(c.item_id for c in candidates), tuple(sources), z, present)
