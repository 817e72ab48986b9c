"""Peers of the library ``implicit``: ALS (Hu et al. 2008) and BPR (Rendle et al. 2009)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from eval.bench.peers.exchange import Log, Question, Scores
from eval.bench.peers.tuning import MOST_PAIRS, Look, Params, Peer, main

if TYPE_CHECKING:
    import optuna


class _Enough(Exception):
    pass


class _Factors(ABC):
    """What both models share: they learn in passes and score by a dot product."""

    library = "implicit"
    pairs = MOST_PAIRS
    defaults: ClassVar[Params]
    epochs: int
    every: int

    def __init__(self, question: Question) -> None:
        self.shape = question.shape

    @abstractmethod
    def suggest(self, trial: optuna.Trial) -> Params:
        """The parameters that are tuned."""

    @abstractmethod
    def model(self, params: Params, epochs: int) -> Any:
        """An untrained model of the library."""

    def fit(self, log: Log, params: Params, epochs: int, look: Look | None) -> Scores:
        """Train by the library; its callback is where the looks happen."""
        pairs = np.unique(log.user * self.shape.items + log.item)
        ones = np.ones(len(pairs), dtype=np.float32)
        matrix = csr_matrix(
            (ones, (pairs // self.shape.items, pairs % self.shape.items)),
            shape=(self.shape.users, self.shape.items),
        )
        model = self.model(params, epochs)

        def scores(users: Any) -> Any:
            return model.user_factors[users] @ model.item_factors.T

        def after(iteration: int, *_: Any) -> None:
            if look and (iteration + 1) % self.every == 0 and look(iteration + 1, scores):
                raise _Enough

        with suppress(_Enough):
            model.fit(matrix, show_progress=False, callback=after)
        return scores


class Als(_Factors):
    """Alternating least squares."""

    defaults: ClassVar[Params] = {"factors": 100, "regularization": 0.01, "alpha": 1.0}
    epochs, every = 40, 5

    def suggest(self, trial: optuna.Trial) -> Params:
        """Size, regularisation, and the weight of one interaction."""
        return {
            "factors": trial.suggest_int("factors", 4, 256, log=True),
            "regularization": trial.suggest_float("regularization", 1e-3, 100, log=True),
            "alpha": trial.suggest_float("alpha", 0.5, 100, log=True),
        }

    def model(self, params: Params, epochs: int) -> Any:
        """An untrained model of the library."""
        return AlternatingLeastSquares(
            **params,
            iterations=epochs,
            num_threads=self.shape.threads,
            random_state=self.shape.seed,
        )


class Bpr(_Factors):
    """Matrix factorisation by pairwise ranking."""

    defaults: ClassVar[Params] = {"factors": 100, "learning_rate": 0.01, "regularization": 0.01}
    epochs, every = 500, 10

    def suggest(self, trial: optuna.Trial) -> Params:
        """Size, step and regularisation."""
        return {
            "factors": trial.suggest_int("factors", 4, 256, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 2e-3, 0.3, log=True),
            "regularization": trial.suggest_float("regularization", 1e-4, 0.1, log=True),
        }

    def model(self, params: Params, epochs: int) -> Any:
        """An untrained model of the library."""
        return BayesianPersonalizedRanking(
            **params,
            iterations=epochs,
            num_threads=self.shape.threads,
            random_state=self.shape.seed,
        )


_SYSTEMS: Mapping[str, Callable[[Question], Peer]] = {"als": Als, "bpr": Bpr}

if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        main(lambda system, question: _SYSTEMS[system](question))
