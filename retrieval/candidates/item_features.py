"""What is known of items beside behaviour, as the rows phi_i of a linear model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import InvalidInput
from retrieval.ports import Vectors


@dataclass(frozen=True, eq=False)
class ItemFeatures:
    """Text and picture vectors of a matrix's columns.

    A row of zeros stands for an item without a text or without a picture: embedders give unit
    vectors, so the vector of something is never zero.

    Attributes:
        text: shape (items, d); ``None`` where there are no texts.
        pictures: shape (items, e); ``None`` where there are no pictures.

    Raises:
        InvalidInput: the vectors are no table, not finite, or of different numbers of items.
    """

    text: Vectors | None = None
    pictures: Vectors | None = None

    def __post_init__(self) -> None:
        for name, vectors in self._named():
            if vectors.ndim != 2:
                raise InvalidInput(
                    f"the {name} vectors have the shape {vectors.shape}", "give one row an item"
                )
            bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
            if bad.size:
                raise InvalidInput(
                    f"the {name} vector of row {bad[0]} is not finite",
                    f"give a row of zeros to an item without {name}",
                )
        lengths = {name: len(vectors) for name, vectors in self._named()}
        if len(set(lengths.values())) > 1:
            raise InvalidInput(
                f"vectors of different numbers of items: {lengths}",
                "give one row to every column of the matrix, in its order",
            )

    def described(self, items: int) -> NDArray[np.bool_]:
        """Which items have a text or a picture; shape (items,).

        Raises:
            InvalidInput: the vectors are not of this many items.
        """
        described = np.zeros(items, dtype=np.bool_)
        for name, vectors in self._named():
            if len(vectors) != items:
                raise InvalidInput(
                    f"{len(vectors)} {name} vectors for {items} items",
                    "give one row to every column of the matrix, in its order",
                )
            described |= vectors.any(axis=1)
        return described

    def rows(self, items: int) -> Vectors:
        """phi: float32 of shape (items, features), finite; without vectors (items, 0).

        A modality is centred over the items that have it and 0 for those that lack it: a
        missing vector points nowhere. An indicator beside it takes up what having one means.
        There is none where all items have the modality, since the intercept is the same.
        """
        parts = [np.zeros((items, 0), dtype=np.float32)]
        for _, vectors in self._named():
            present = np.asarray(vectors.any(axis=1))
            if not present.any():
                continue
            mean = vectors[present].mean(axis=0, dtype=np.float64)
            parts.append(np.where(present[:, None], vectors - mean, 0).astype(np.float32))
            if not present.all():
                parts.append(present[:, None].astype(np.float32))
        return np.hstack(parts)

    def _named(self) -> list[tuple[str, Vectors]]:
        given = (("text", self.text), ("picture", self.pictures))
        return [(name, vectors) for name, vectors in given if vectors is not None]
