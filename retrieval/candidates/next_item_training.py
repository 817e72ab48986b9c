"""How ``next_item`` learns: every step of every history, predicted from the steps before it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.validation import ValidationPairs, mean_ndcg

if TYPE_CHECKING:
    from retrieval.candidates.next_item import NextItem, Weights

_MOST_STEPS = 2_000_000
"""Newest steps of the log that are predicted; a pass over more teaches little and takes hours."""


def train(
    model: NextItem,
    seen: InteractionMatrix,
    content: NDArray[np.float32],
    pairs: ValidationPairs,
) -> tuple[Weights, list[float]]:
    """Train until ``pairs`` gain nothing for ``model.patience`` passes.

    Args:
        model: its settings.
        seen: histories.
        content: phi of shape (items, d); d may be 0.
        pairs: what is to be found; without any, all epochs run and the last one stands.

    Returns:
        The weights of the best pass, and NDCG@10 after each.
    """
    from retrieval.candidates.next_item import score_windows, windows

    threads = torch.get_num_threads()
    torch.set_num_threads(model.threads)
    try:
        network = _Network(model, seen.shape[1], content)
        before, after = steps(seen, model.last)
        now = windows(seen, model.last)
        if model.progress is not None:
            model.progress.start("train next_item", model.epochs)
        best, waited, measured = -math.inf, 0, list[float]()
        learned = network.learned()
        for _ in range(model.epochs if len(after) else 0):
            network.epoch(before, after)
            latest = network.learned()
            found = mean_ndcg(lambda rows: score_windows(now[rows], latest), seen, pairs)  # noqa: B023
            measured.append(found)
            if model.progress is not None:
                model.progress.advance()
            waited += 1
            if math.isnan(found) or found > best:
                best, learned, waited = found, latest, 0
            if waited == model.patience:
                break
        return learned, measured
    finally:
        torch.set_num_threads(threads)


def steps(matrix: InteractionMatrix, last: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """What stood before each step, newest first and -1 where nothing did, and the step itself.

    Shapes (steps, last) and (steps,); the first item of a history is no step.
    """
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.values.indptr))
    order = np.lexsort((matrix.values.indices, matrix.seconds, rows))
    items = np.asarray(matrix.values.indices, dtype=np.int64)[order]
    place = np.arange(len(items)) - matrix.values.indptr[rows]
    chosen = np.flatnonzero(place > 0)
    if len(chosen) > _MOST_STEPS:
        newest = np.argsort(-matrix.seconds[order][chosen], kind="stable")[:_MOST_STEPS]
        chosen = chosen[np.sort(newest)]
    table = np.full((len(chosen), last), -1, dtype=np.int32)
    for back in range(last):
        has = place[chosen] > back
        table[has, back] = items[chosen[has] - back - 1]
    return table, items[chosen]


class _Network:
    def __init__(self, model: NextItem, items: int, content: NDArray[np.float32]) -> None:
        self._model, self._items = model, items
        self._rng = np.random.default_rng(model.seed)
        self._draw = torch.Generator().manual_seed(model.seed)
        factors = model.factors
        self._content = torch.from_numpy(content)

        def table(rows: int, columns: int, spread: float) -> torch.Tensor:
            values = self._rng.normal(0.0, spread, (rows, columns)).astype(np.float32)
            return torch.from_numpy(values).requires_grad_()

        narrow = 1.0 / math.sqrt(factors)
        self._a, self._o = table(items, factors, 0.05), table(items, factors, 0.05)
        self._wa = table(content.shape[1], factors, narrow)
        self._wo = table(content.shape[1], factors, narrow)
        self._inner, self._outer = table(factors, factors, narrow), table(factors, factors, narrow)
        self._inner_bias = torch.zeros(factors, requires_grad=True)
        self._outer_bias = torch.zeros(factors, requires_grad=True)
        self._bias = torch.zeros(items, requires_grad=True)
        self._shares = torch.linspace(0.0, -2.0, model.last).requires_grad_()
        self._adam = torch.optim.Adam(
            [
                self._a, self._o, self._wa, self._wo, self._inner, self._outer,
                self._inner_bias, self._outer_bias, self._bias, self._shares,
            ],
            lr=model.learning_rate,
        )  # fmt: skip

    def epoch(self, before: NDArray[np.int32], after: NDArray[np.int64]) -> None:
        """One pass in a drawn order."""
        order = self._rng.permutation(len(after))
        for start in range(0, len(order), self._model.batch):
            chosen = order[start : start + self._model.batch]
            self._step(torch.from_numpy(before[chosen]).long(), torch.from_numpy(after[chosen]))

    def _step(self, before: torch.Tensor, after: torch.Tensor) -> None:
        users = self._users(before)
        if self._items <= 2 * self._model.negatives:
            logits = users @ (self._o + self._content @ self._wo).T + self._bias
            loss = functional.cross_entropy(logits, after)
        else:
            drawn = torch.from_numpy(
                self._rng.integers(0, self._items, self._model.negatives, dtype=np.int64)
            )
            right = (users * self._said(after)).sum(dim=1) + self._bias[after]
            wrong = users @ self._said(drawn).T + self._bias[drawn]
            wrong = wrong.masked_fill(drawn[None] == after[:, None], -math.inf)
            logits = torch.cat([right[:, None], wrong], dim=1)
            loss = functional.cross_entropy(logits, torch.zeros(len(after), dtype=torch.long))
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # theirs has no annotations
        self._adam.step()

    def _users(self, before: torch.Tensor) -> torch.Tensor:
        present = before >= 0
        share = torch.exp(self._shares) * present
        share = share / share.sum(dim=1, keepdim=True).clamp(min=1e-6).sqrt()
        # Only what the mini-batch reads is made of its content: a tenth of a large catalogue.
        items, places = torch.unique(before.clamp(min=0), return_inverse=True)
        reads = self._a[items] + self._content[items] @ self._wa
        taken = functional.embedding(places, reads)
        v = torch.einsum("us,usf->uf", share, taken)
        if self._model.dropout:
            keep = torch.rand(v.shape, generator=self._draw) >= self._model.dropout
            v = v * keep / (1.0 - self._model.dropout)
        hidden = torch.relu(v @ self._inner.T + self._inner_bias)
        return v + hidden @ self._outer.T + self._outer_bias

    def _said(self, items: torch.Tensor) -> torch.Tensor:
        return self._o[items] + self._content[items] @ self._wo

    def learned(self) -> Weights:
        """A copy of the weights as serving wants them."""
        with torch.no_grad():
            found = {
                "reads": self._a + self._content @ self._wa,
                "says": self._o + self._content @ self._wo,
                "bias": self._bias,
                "shares": self._shares,
                "inner": self._inner,
                "inner_bias": self._inner_bias,
                "outer": self._outer,
                "outer_bias": self._outer_bias,
            }
            return {name: tensor.numpy().copy() for name, tensor in found.items()}
