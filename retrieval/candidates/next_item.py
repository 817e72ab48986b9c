"""The ``next_item`` source: a small network that reads a history and names what comes next."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.saved import saved
from retrieval.candidates.sequence import steps_back
from retrieval.candidates.validation import ValidationPairs, hold_out
from retrieval.errors import InvalidInput
from retrieval.ports import Progress

_HELD_OUT = 1000
"""Users whose last interaction decides when training stops."""
_COMPONENTS = 128
"""Directions of the content that are kept; the rest of a sentence vector says little of taste."""

Weights = dict[str, NDArray[np.float32]]


class NextItem:
    """Score of an item = u · (o_i + W_o phi_i) + beta_i, where u is made of the latest items.

    v = Σ_s p_s (a_i(s) + W_a phi_i(s)) over the latest ``last`` steps s, with learned shares
    p_s of norm 1; u = v + B relu(A v + c) + d. Every item of every history is predicted from
    the ones before it, by softmax against ``negatives`` drawn items. It is r = M(b + W phi)
    (``cold_start``) with a user who is read from the history instead of looked up, so whatever
    somebody did a moment ago counts, and newcomers are no exception. The pooling is that of
    Covington et al. (RecSys 2016), the training that of Hidasi & Karatzoglou (CIKM 2018).

    Training needs PyTorch; a restored model needs none.

    Args:
        features: of the matrix's columns; not needed by ``restore``.
        factors: length of a vector.
        last: steps of the history that are read.
        dropout: share of v that is dropped while training, in [0, 1).
        learning_rate: of Adam.
        negatives: items drawn for a mini-batch; catalogues up to twice that are used whole.
        batch: predictions of a mini-batch.
        epochs: at most so many passes.
        patience: passes without a gain before it stops.
        threads: of PyTorch while fitting; one gives the same result every time.
        seed: of everything that is drawn.
        validation: what users took after the matrix ended, for stopping; ``None`` holds out
            the last interaction of up to 1,000 users.
        progress: hears of each pass.
    """

    def __init__(
        self,
        features: ItemFeatures | None = None,
        *,
        factors: int = 64,
        last: int = 20,
        dropout: float = 0.3,
        learning_rate: float = 0.002,
        negatives: int = 1024,
        batch: int = 512,
        epochs: int = 15,
        patience: int = 2,
        threads: int = 1,
        seed: int = 0,
        validation: ValidationPairs | None = None,
        progress: Progress | None = None,
    ) -> None:
        if min(factors, last, negatives, batch, epochs, patience, threads) < 1:
            raise InvalidInput(
                f"factors={factors}, last={last}, negatives={negatives}, batch={batch}, "
                f"epochs={epochs}, patience={patience}, threads={threads}",
                "counts are >= 1",
            )
        if not (0 <= dropout < 1 and 0 < learning_rate < math.inf):
            raise InvalidInput(
                f"dropout={dropout}, learning_rate={learning_rate}",
                "dropout is in [0, 1), learning_rate > 0",
            )
        self.features = ItemFeatures() if features is None else features
        self.factors, self.last, self.dropout = factors, last, dropout
        self.learning_rate, self.negatives, self.batch = learning_rate, negatives, batch
        self.epochs, self.patience, self.threads, self.seed = epochs, patience, threads, seed
        self.validation, self.progress = validation, progress
        self.measured: list[float] = []
        """NDCG@10 on the validation pairs after each pass; NaN without any."""
        self._learned: Weights = {}
        self._known = np.zeros(0, dtype=np.bool_)
        self._windows: NDArray[np.int64] = np.zeros((0, last), dtype=np.int64)

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Train on every step of every history.

        Raises:
            InvalidInput: the features are of another number of items.
        """
        items = matrix.shape[1]
        counts = np.bincount(matrix.values.indices, minlength=items)
        self._known = self.features.described(items) | (counts > 0)
        self.measured = []
        nothing = np.zeros((items, self.factors), dtype=np.float32)
        self._learned = self._empty(items) | {"reads": nothing, "says": nothing}
        self._windows = windows(matrix, self.last)
        if self.validation is None:
            share = min(0.1, _HELD_OUT / max(matrix.shape[0], 1))
            seen, pairs = hold_out(matrix, share=share, seed=self.seed)
        else:
            seen, pairs = matrix, self.validation
        if seen.values.nnz:
            # PyTorch takes seconds to import, and only training needs it.
            from retrieval.candidates.next_item_training import train

            content = principal(self.features.rows(items))
            self._learned, self.measured = train(self, seen, content, pairs)
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items); 0 for a row without history."""
        rows = self._windows[user_indices]
        scores = score_windows(rows, self._learned) if self._learned else np.zeros((len(rows), 0))
        scores[:, ~self._known] = 0.0
        return np.asarray(scores, dtype=np.float32)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Items with users, a text or a picture at the fit; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The vectors of items as read and as said, and the network between them."""
        return {**self._learned, "known": self._known}

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Read the histories as they are now; newcomers are scored as well as anybody."""
        items = matrix.shape[1]
        shapes = {name: one.shape for name, one in self._empty(items).items()}
        table = (items, self.factors)
        self._learned = {
            name: saved(arrays, name, shape).astype(np.float32, copy=False)
            for name, shape in (shapes | {"reads": table, "says": table}).items()
        }
        self._known = saved(arrays, "known", (items,)).astype(np.bool_, copy=False)
        self._windows = windows(matrix, self.last)
        return self

    def _empty(self, items: int) -> Weights:
        square, flat = (self.factors, self.factors), (self.factors,)
        shapes: dict[str, tuple[int, ...]] = {
            "shares": (self.last,), "bias": (items,), "inner": square, "inner_bias": flat,
            "outer": square, "outer_bias": flat,
        }  # fmt: skip
        return {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}


def windows(matrix: InteractionMatrix, last: int) -> NDArray[np.int64]:
    """The latest items of every row, newest first; shape (users, last), -1 where none is left.

    Items of one instant stand in the order of the columns.
    """
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.values.indptr))
    order = np.lexsort((matrix.values.indices, steps_back(matrix), rows))
    place = np.arange(len(order)) - matrix.values.indptr[rows]
    table = np.full((matrix.shape[0], last), -1, dtype=np.int64)
    near = place < last
    table[rows[near], place[near]] = matrix.values.indices[order[near]]
    return table


def score_windows(rows: NDArray[np.int64], learned: Weights) -> NDArray[np.float32]:
    """Scores of all items for some windows; 0 for an empty one."""
    present = rows >= 0
    share = np.where(present, np.exp(learned["shares"]), 0.0)
    share /= np.sqrt(np.maximum(share.sum(axis=1, keepdims=True), 1e-6))
    v = np.einsum("us,usf->uf", share, learned["reads"][np.maximum(rows, 0)])
    hidden = np.maximum(v @ learned["inner"].T + learned["inner_bias"], 0.0)
    u = (v + hidden @ learned["outer"].T + learned["outer_bias"]).astype(np.float32)
    scores = u @ learned["says"].T + learned["bias"]
    scores[~present.any(axis=1)] = 0.0
    return np.asarray(scores, dtype=np.float32)


def principal(phi: NDArray[np.float32]) -> NDArray[np.float32]:
    """The strongest directions of the content, each row scaled by one number; (items, <= 128)."""
    if min(phi.shape, default=0) == 0:
        return phi
    values, directions = np.linalg.eigh((phi.T @ phi).astype(np.float64))
    kept = directions[:, ::-1][:, : min(_COMPONENTS, int(np.sum(values > 1e-9 * values.max())))]
    # The sign of an eigenvector is the solver's whim; the largest entry decides it here.
    kept = kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    turned = phi.astype(np.float64) @ kept
    scale = np.sqrt(np.mean(np.sum(turned**2, axis=1)))
    return np.asarray(turned / max(scale, 1e-12), dtype=np.float32)
