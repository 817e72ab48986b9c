"""The ``cold_start`` factors by gradient descent: r = M(b + W1 x + W2 f), all of it learned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.saved import saved
from retrieval.candidates.user_rows import id_arrays, placed
from retrieval.candidates.validation import ValidationPairs, hold_out, mean_ndcg
from retrieval.errors import InvalidInput
from retrieval.ports import Progress, Vectors

if TYPE_CHECKING:
    from torch import Tensor

Loss = Literal["bpr", "bce"]
Factors = NDArray[np.float32]

_BALANCE = 4.0
"""How much the untouched items of a mini-batch weigh in "bce" against the touched one."""


class TrainedColdStart:
    """A user's factors M_u times an item's b_i + W phi_i, trained on touched and untouched items.

    A mini-batch draws ``negatives`` items, shared by its interactions; which of them the user
    touched is not looked up. "bpr" wants every interaction above each of them (Rendle et al.,
    UAI 2009), "bce" calls the one taken and the others not. In every mini-batch each item loses
    its b with probability ``dropout``, so that W learns to carry items without one (the idea
    of DropoutNet, Volkovs et al., NeurIPS 2017). The weights of interactions do not count.

    Adam; stopped once NDCG@10 on the validation pairs has not risen for ``patience`` epochs,
    and the best epoch is kept. One thread gives the same result every time. PyTorch is loaded
    by ``fit`` alone: a restored model needs none. What a user does after the fit is not heard.

    Args:
        features: of the matrix's columns; not needed by ``restore``.
        loss: "bpr" or "bce".
        factors: length of a factor vector.
        dropout: share of the items that go without b, in [0, 1).
        kappa: how many users the content is worth, >= 0: n users serve n / (n + kappa) of b.
        learning_rate: of Adam.
        l2: penalty on the factors of a mini-batch.
        negatives: untouched items of a mini-batch.
        batch: interactions of a mini-batch.
        epochs: at most so many passes.
        patience: epochs without a gain before it stops.
        threads: of PyTorch while fitting.
        seed: of the start, the order, the negatives and the dropout.
        validation: what users took after the matrix ended; ``None`` holds out the last
            interaction of a tenth of the users.
        progress: hears of each epoch.
    """

    def __init__(
        self,
        features: ItemFeatures | None = None,
        *,
        loss: Loss = "bpr",
        factors: int = 64,
        dropout: float = 0.5,
        kappa: float = 20.0,
        learning_rate: float = 0.01,
        l2: float = 5e-4,
        negatives: int = 256,
        batch: int = 4096,
        epochs: int = 60,
        patience: int = 5,
        threads: int = 1,
        seed: int = 0,
        validation: ValidationPairs | None = None,
        progress: Progress | None = None,
    ) -> None:
        if loss not in ("bpr", "bce"):
            raise InvalidInput(f"loss={loss!r}", 'use "bpr" or "bce"')
        if min(factors, negatives, batch, epochs, patience, threads) < 1:
            raise InvalidInput(
                f"factors={factors}, negatives={negatives}, batch={batch}, epochs={epochs}, "
                f"patience={patience}, threads={threads}",
                "counts are >= 1",
            )
        if not (
            0 <= dropout < 1
            and 0 < learning_rate < math.inf
            and 0 <= l2 < math.inf
            and 0 <= kappa < math.inf
        ):
            raise InvalidInput(
                f"dropout={dropout}, learning_rate={learning_rate}, l2={l2}, kappa={kappa}",
                "dropout is in [0, 1), learning_rate > 0, l2 and kappa are >= 0",
            )
        self.features = ItemFeatures() if features is None else features
        self.loss, self.factors, self.dropout, self.kappa = loss, factors, dropout, kappa
        self.learning_rate, self.l2, self.negatives = learning_rate, l2, negatives
        self.batch, self.epochs, self.patience = batch, epochs, patience
        self.threads, self.seed = threads, seed
        self.validation, self.progress = validation, progress
        self.losses: list[float] = []
        """Mean loss of an interaction in each epoch."""
        self.measured: list[float] = []
        """NDCG@10 on the validation pairs after each epoch; NaN without any."""
        self._users = np.zeros((0, factors), dtype=np.float32)
        self._items = np.zeros((0, factors), dtype=np.float32)
        self._known = np.zeros(0, dtype=np.bool_)
        self._user_ids: tuple[str, ...] = ()

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Train; users without interactions score 0 everywhere.

        Raises:
            InvalidInput: the features are of another number of items.
        """
        users, items = matrix.shape
        described = self.features.described(items)
        counts = np.bincount(matrix.values.indices, minlength=items)
        self._known = described | (counts > 0)
        self._user_ids = matrix.user_ids
        self._users = np.zeros((users, self.factors), dtype=np.float32)
        self._items = np.zeros((items, self.factors), dtype=np.float32)
        self.losses, self.measured = [], []
        if not matrix.values.nnz:
            return self
        if self.validation is None:
            seen, pairs = hold_out(matrix, seed=self.seed)
        else:
            seen, pairs = matrix, self.validation

        best, kept = -math.inf, (self._users, self._items)
        waited = 0
        if self.progress is not None:
            self.progress.start("train cold start", self.epochs)
        # What few users taught b is mostly which items were drawn against them.
        trust = counts / np.maximum(counts + np.where(described, self.kappa, 0.0), 1e-9)
        training = _Training(self, seen, self.features.rows(items), trust)
        for _ in range(self.epochs):
            loss, self._users, self._items = training.epoch()
            self._items[~self._known] = 0.0
            self.losses.append(loss)
            self.measured.append(mean_ndcg(self.score_users, seen, pairs))
            if self.progress is not None:
                self.progress.advance()
            waited += 1
            # Without anybody to ask, the latest epoch is the best.
            if math.isnan(self.measured[-1]) or self.measured[-1] > best:
                best, kept, waited = self.measured[-1], (self._users, self._items), 0
            if waited == self.patience:
                break
        self._users, self._items = kept
        self._users[np.diff(matrix.values.indptr) == 0] = 0.0
        return self

    def score_users(self, user_indices: Indices) -> Factors:
        """float32 of shape (len(user_indices), items)."""
        return np.asarray(self._users[user_indices] @ self._items.T, dtype=np.float32)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Items with users, a text or a picture at the fit; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Factors of users and items, and whose they are."""
        learned = {"users": self._users, "items": self._items, "known": self._known}
        return learned | id_arrays(self._user_ids)

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Find each row's factors by user id; new users get zeros."""
        items = matrix.shape[1]
        self._items = saved(arrays, "items", (items, self.factors)).astype(np.float32, copy=False)
        self._known = saved(arrays, "known", (items,)).astype(np.bool_, copy=False)
        self._users = placed(saved(arrays, "users", (None, self.factors)), arrays, matrix)
        self._user_ids = matrix.user_ids
        return self


class _Training:
    """The tensors of one fit, and a pass over the interactions."""

    def __init__(
        self,
        model: TrainedColdStart,
        seen: InteractionMatrix,
        phi: Vectors,
        trust: NDArray[np.float64],
    ) -> None:
        import torch

        self._model = model
        self._rng = np.random.default_rng(model.seed)
        self._users = np.repeat(np.arange(seen.shape[0]), np.diff(seen.values.indptr))
        self._items = np.asarray(seen.values.indices, dtype=np.int64)
        self._phi = torch.from_numpy(phi)
        self._trust = torch.from_numpy(trust.astype(np.float32))[:, None]

        def start(rows: int) -> Tensor:
            table = self._rng.normal(0.0, 0.1, (rows, model.factors)).astype(np.float32)
            return torch.from_numpy(table).requires_grad_()

        self._m, self._b, self._w = (start(n) for n in (*seen.shape, phi.shape[1]))
        self._adam = torch.optim.Adam([self._m, self._b, self._w], lr=model.learning_rate)

    def epoch(self) -> tuple[float, Factors, Factors]:
        """Mean loss of an interaction, then the factors of users and of items."""
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(self._model.threads)
        try:
            order = self._rng.permutation(len(self._items))
            total = 0.0
            for start in range(0, len(order), self._model.batch):
                total += self._step(order[start : start + self._model.batch])
            with torch.no_grad():
                served = self._phi @ self._w + self._trust * self._b
            return total / len(order), self._m.detach().numpy().copy(), served.numpy()
        finally:
            torch.set_num_threads(threads)

    def _step(self, interactions: Indices) -> float:
        import torch
        from torch.nn.functional import softplus

        count = len(interactions)
        drawn = self._rng.integers(0, len(self._b), self._model.negatives)
        items, places = np.unique(
            np.concatenate([self._items[interactions], drawn]), return_inverse=True
        )
        keep = self._rng.random((len(items), 1)) >= self._model.dropout
        at = torch.from_numpy(items)
        b = self._trust[at] * self._b[at]
        factors = self._phi[at] @ self._w + torch.from_numpy(keep.astype(np.float32)) * b
        users = self._m[torch.from_numpy(self._users[interactions])]
        taken = factors[torch.from_numpy(places[:count])]
        above = (users * taken).sum(dim=1)
        below = users @ factors[torch.from_numpy(places[count:])].T
        if self._model.loss == "bpr":
            loss = softplus(below - above[:, None]).mean(dim=1).sum()
        else:
            loss = (softplus(-above) + _BALANCE * softplus(below).mean(dim=1)).sum()
        penalty = users.square().sum() + b.square().sum() + count * self._w.square().sum()
        self._adam.zero_grad()
        mean = (loss + self._model.l2 * penalty) / count
        mean.backward()  # type: ignore[no-untyped-call]  # theirs has no annotations
        self._adam.step()
        return float(loss.detach())
