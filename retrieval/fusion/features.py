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


def z_scores(
    values: NDArray[np.float64], clip: float = Z_CLIP
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Standardise the finite entries of a vector and clip to ±``clip``.

    Returns:
        z (0 for entries that are not finite) and the mask of the finite ones. A constant
        vector gives zeros. Any finite magnitude is safe: the values are scaled first.
    """
    present = np.isfinite(values)
    z = np.zeros(len(values), dtype=np.float64)
    known = values[present]
    largest = float(np.max(np.abs(known), initial=0.0))
    if largest == 0.0:
        return z, present
    # By a power of two, which loses no bit.
    scaled = np.ldexp(known, -int(np.frexp(largest)[1]))
    spread = float(scaled.std())
    if spread > _CONSTANT:
        z[present] = np.clip((scaled - scaled.mean()) / spread, -clip, clip)
    return z, present


def pool_features(candidates: Sequence[Candidate], sources: Sequence[str]) -> PoolFeatures:
    """z-scores of each source over the pool; scores that are not finite count as missing."""
    raw = np.array(
        [[c.scores_by_source.get(source, np.nan) for source in sources] for c in candidates],
        dtype=np.float64,
    ).reshape(len(candidates), len(sources))
    z = np.zeros_like(raw)
    present = np.zeros(raw.shape, dtype=np.bool_)
    for column in range(len(sources)):
        z[:, column], present[:, column] = z_scores(raw[:, column])
    return PoolFeatures(tuple(c.item_id for c in candidates), tuple(sources), z, present)
