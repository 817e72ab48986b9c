"""Peers of the library ``cornac``: VBPR, VAECF and BiVAECF.

He & McAuley 2016; Liang et al. 2018; Truong et al. 2021. The library trains for a fixed number of
epochs. To look at a model on the way, its own ``fit`` is called again and again for a few
epochs: it goes on with the weights that it has, with a fresh optimiser state. The final training
is done in the same steps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from cornac.data import Dataset, ImageModality
from cornac.models import VAECF, VBPR, BiVAECF

from eval.bench.peers.exchange import Log, Question, Scores
from eval.bench.peers.tuning import MOST_PAIRS, Look, Params, Peer, main

if TYPE_CHECKING:
    import optuna


class _Stepwise(ABC):
    """What the three models share."""

    library = "cornac"
    pairs = MOST_PAIRS
    defaults: ClassVar[Params]
    epochs = 300
    step = 10

    def __init__(self, question: Question) -> None:
        self.shape, self.question = question.shape, question
        torch.set_num_threads(self.shape.threads)

    @abstractmethod
    def suggest(self, trial: optuna.Trial) -> Params:
        """The parameters that are tuned."""

    @abstractmethod
    def model(self, params: Params) -> Any:
        """An untrained model of the library."""

    def dataset(self, log: Log) -> Any:
        """The library's data set; every interaction counts as 1."""
        pairs = np.unique(log.user * self.shape.items + log.item)
        triples = (pairs // self.shape.items, pairs % self.shape.items, np.ones(len(pairs)))
        users = {user: user for user in range(self.shape.users)}
        items = {item: item for item in range(self.shape.items)}
        return Dataset(len(users), len(items), users, items, triples, seed=self.shape.seed)

    def fit(self, log: Log, params: Params, epochs: int, look: Look | None) -> Scores:
        """Train by the library, a few epochs at a time."""
        data, model = self.dataset(log), self.model(params)

        def scores(users: Any) -> Any:
            with torch.no_grad():
                return np.stack([model.score(int(user)) for user in users])

        for done in range(0, epochs, self.step):
            model.n_epochs = min(self.step, epochs - done)
            model.seed = self.shape.seed + done
            # The library warns of a second fit; here it is meant.
            model.is_fitted = False
            model.fit(data)
            if look and look(done + model.n_epochs, scores):
                break
        return scores


class Vaecf(_Stepwise):
    """Variational autoencoder over a user's items."""

    defaults: ClassVar[Params] = {
        "k": 10,
        "hidden": 20,
        "learning_rate": 1e-3,
        "beta": 1.0,
        "batch_size": 100,
    }

    def suggest(self, trial: optuna.Trial) -> Params:
        """Sizes, step, weight of the prior, batch."""
        return {
            "k": trial.suggest_int("k", 5, 200, log=True),
            "hidden": trial.suggest_int("hidden", 20, 400, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 2e-4, 1e-2, log=True),
            "beta": trial.suggest_float("beta", 0.02, 1.5, log=True),
            "batch_size": trial.suggest_categorical("batch_size", [100, 400]),
        }

    def model(self, params: Params) -> Any:
        """An untrained model of the library; multinomial likelihood."""
        others = {name: value for name, value in params.items() if name != "hidden"}
        return VAECF(autoencoder_structure=[params["hidden"]], **others)


class BiVaecf(_Stepwise):
    """Variational autoencoders over a user's items and an item's users."""

    defaults: ClassVar[Params] = {
        "k": 10,
        "hidden": 20,
        "learning_rate": 1e-3,
        "beta_kl": 1.0,
        "likelihood": "pois",
        "batch_size": 100,
    }

    def suggest(self, trial: optuna.Trial) -> Params:
        """Sizes, step, weight of the prior, likelihood, batch."""
        return {
            "k": trial.suggest_int("k", 5, 200, log=True),
            "hidden": trial.suggest_int("hidden", 20, 400, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 2e-4, 1e-2, log=True),
            "beta_kl": trial.suggest_float("beta_kl", 0.02, 1.5, log=True),
            "likelihood": trial.suggest_categorical("likelihood", ["pois", "bern"]),
            "batch_size": trial.suggest_categorical("batch_size", [100, 400]),
        }

    def model(self, params: Params) -> Any:
        """An untrained model of the library."""
        others = {name: value for name, value in params.items() if name != "hidden"}
        return BiVAECF(encoder_structure=[params["hidden"]], use_gpu=False, **others)


class Vbpr(_Stepwise):
    """Pairwise ranking with what an item looks like; an item without a picture is a zero row."""

    step = 5
    defaults: ClassVar[Params] = {
        "k": 10,
        "k2": 10,
        "learning_rate": 5e-3,
        "lambda_w": 0.01,
        "lambda_b": 0.01,
        "lambda_e": 0.0,
        "batch_size": 100,
    }

    def suggest(self, trial: optuna.Trial) -> Params:
        """Sizes, step, regularisation, batch."""
        return {
            "k": trial.suggest_int("k", 5, 200, log=True),
            "k2": trial.suggest_int("k2", 5, 50, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 5e-4, 2e-2, log=True),
            "lambda_w": trial.suggest_float("lambda_w", 1e-4, 0.3, log=True),
            "lambda_b": trial.suggest_float("lambda_b", 1e-4, 0.1, log=True),
            "lambda_e": trial.suggest_float("lambda_e", 0.0, 0.1),
            "batch_size": trial.suggest_categorical("batch_size", [100, 500]),
        }

    def dataset(self, log: Log) -> Any:
        """With the pictures' vectors."""
        vectors = self.question.image_vectors
        if vectors is None:
            raise SystemExit("VBPR needs image_vectors.npy")
        pictures = ImageModality(features=np.nan_to_num(vectors))
        pictures.build()
        data = super().dataset(log)
        data.add_modalities(item_image=pictures)
        return data

    def model(self, params: Params) -> Any:
        """An untrained model of the library."""
        return VBPR(verbose=False, use_gpu=False, **params)


_SYSTEMS: Mapping[str, Callable[[Question], Peer]] = {
    "vaecf": Vaecf,
    "bivaecf": BiVaecf,
    "vbpr": Vbpr,
}

if __name__ == "__main__":
    main(lambda system, question: _SYSTEMS[system](question))
