"""Peers of the library ``recbole``: NeuMF, LightGCN and SASRec.

He et al. 2017; He et al. 2020; Kang & McAuley 2018. Models, data sets, negative sampling, batches
and training are the library's; only its validation is replaced by ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from recbole.data.interaction import Interaction

from eval.bench.peers.exchange import Log, Question
from eval.bench.peers.recbole_training import RecboleSystem
from eval.bench.peers.tuning import Params, Peer, main

if TYPE_CHECKING:
    import optuna

_PAIRS = 200_000
_LONGEST = 50
_PARTS = 4


class _General(RecboleSystem):
    """Models that know a user by its number."""

    def users_of(self, dataset: Any, users: Any) -> Any:
        """The library's numbers; strangers get its padding and are overwritten later."""
        known = dataset.field2token_id["user_id"]
        return torch.tensor([known.get(str(user), 0) for user in users])


class NeuMf(_General):
    """Neural matrix factorisation."""

    name = "NeuMF"
    epochs, every = 100, 4
    pairs = 8_000_000
    defaults: ClassVar[Params] = {
        "size": 64,
        "layers": "128-64",
        "dropout": 0.1,
        "rate": 1e-3,
        "negatives": 1,
    }

    def suggest(self, trial: optuna.Trial) -> Params:
        """Sizes, dropout, step, negatives for each positive."""
        return {
            "size": trial.suggest_categorical("size", [16, 32, 64, 128]),
            "layers": trial.suggest_categorical("layers", ["64-32", "128-64", "128-64-32"]),
            "dropout": trial.suggest_float("dropout", 0.0, 0.5),
            "rate": trial.suggest_float("rate", 2e-4, 1e-2, log=True),
            "negatives": trial.suggest_int("negatives", 1, 5),
        }

    def settings(self, params: Params, log: Log) -> dict[str, Any]:
        """The library's names of the parameters."""
        return {
            "mf_embedding_size": params["size"],
            "mlp_embedding_size": params["size"],
            "mlp_hidden_size": [int(size) for size in params["layers"].split("-")],
            "dropout_prob": params["dropout"],
            "learning_rate": params["rate"],
            "train_neg_sample_args": _negatives(params["negatives"]),
            "train_batch_size": _batch(log),
        }

    def score(self, model: Any, dataset: Any, log: Log, users: Any) -> Any:
        """Pair by pair: the model has no shorter way."""
        items = torch.arange(dataset.item_num)
        mine, parts = self.users_of(dataset, users), []
        for some in mine.split(max(1, _PAIRS // dataset.item_num)):
            pairs = {
                "user_id": some.repeat_interleave(len(items)),
                "item_id": items.repeat(len(some)),
            }
            # The library's ``predict`` without its sigmoid, which rounds high scores to 1.
            parts.append(model.forward(*pairs.values()).reshape(len(some), -1))
        return torch.cat(parts).numpy()


class LightGcn(_General):
    """Graph convolution without weights."""

    name = "LightGCN"
    epochs, every = 400, 5
    defaults: ClassVar[Params] = {"size": 64, "layers": 2, "rate": 1e-3, "l2": 1e-5}

    def suggest(self, trial: optuna.Trial) -> Params:
        """Size, layers, step and regularisation."""
        return {
            "size": trial.suggest_categorical("size", [16, 32, 64, 128]),
            "layers": trial.suggest_int("layers", 1, 4),
            "rate": trial.suggest_float("rate", 5e-4, 2e-2, log=True),
            "l2": trial.suggest_float("l2", 1e-6, 1e-2, log=True),
        }

    def settings(self, params: Params, log: Log) -> dict[str, Any]:
        """The library's names of the parameters."""
        return {
            "embedding_size": params["size"],
            "n_layers": params["layers"],
            "learning_rate": params["rate"],
            "reg_weight": params["l2"],
            "train_neg_sample_args": _negatives(1),
            "train_batch_size": _batch(log),
        }

    def score(self, model: Any, dataset: Any, log: Log, users: Any) -> Any:
        """Every item at once."""
        mine = self.users_of(dataset, users)
        found = model.full_sort_predict(Interaction({"user_id": mine}))
        return found.reshape(len(mine), -1).numpy()


class SasRec(RecboleSystem):
    """Self-attention over the last 50 items; cross-entropy over all items."""

    name = "SASRec"
    epochs, every = 100, 1
    defaults: ClassVar[Params] = {
        "size": 64,
        "layers": 2,
        "heads": 2,
        "dropout": 0.5,
        "attention_dropout": 0.5,
        "rate": 1e-3,
    }

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self._history: tuple[Log, list[Any]] | None = None

    def suggest(self, trial: optuna.Trial) -> Params:
        """Size, depth, dropouts and step."""
        return {
            "size": trial.suggest_categorical("size", [16, 32, 64, 128]),
            "layers": trial.suggest_int("layers", 1, 3),
            "heads": trial.suggest_categorical("heads", [1, 2, 4]),
            "dropout": trial.suggest_float("dropout", 0.1, 0.7),
            "attention_dropout": trial.suggest_float("attention_dropout", 0.1, 0.7),
            "rate": trial.suggest_float("rate", 3e-4, 5e-3, log=True),
        }

    def settings(self, params: Params, log: Log) -> dict[str, Any]:
        """The library's names of the parameters."""
        return {
            "hidden_size": params["size"],
            "inner_size": 4 * params["size"],
            "n_layers": params["layers"],
            "n_heads": params["heads"],
            "hidden_dropout_prob": params["dropout"],
            "attn_dropout_prob": params["attention_dropout"],
            "learning_rate": params["rate"],
            "loss_type": "CE",
            "train_neg_sample_args": None,
            "train_batch_size": 512,
            "MAX_ITEM_LIST_LENGTH": _LONGEST,
        }

    def loss(self, model: Any) -> Any:
        """The model's own, over the batch in parts of similar length.

        The library pads every history to 50 places. A part needs only the places of its longest,
        and the mean over the batch is the same.
        """

        def loss(batch: Any) -> Any:
            total: Any = 0.0
            for rows in batch["item_length"].argsort().chunk(_PARTS):
                # Not batch[rows]: the library indexes by a Python list, which is slow.
                part = {field: batch[field][rows] for field in batch.columns}
                longest = int(part["item_length"].max())
                part["item_id_list"] = part["item_id_list"][:, :longest]
                total = total + model.calculate_loss(Interaction(part)) * len(rows)
            return total / len(batch)

        return loss

    def score(self, model: Any, dataset: Any, log: Log, users: Any) -> Any:
        """What would come next in each history."""
        if self._history is None or self._history[0] is not log:
            self._history = (log, log.items_by_user(self.shape.users))
        known = dataset.field2token_id["item_id"]
        lists = torch.zeros((len(users), _LONGEST), dtype=torch.long)
        lengths = torch.ones(len(users), dtype=torch.long)
        for row, user in enumerate(users):
            last = [known[str(item)] for item in self._history[1][user][-_LONGEST:]]
            lists[row, : len(last)] = torch.tensor(last, dtype=torch.long)
            lengths[row] = max(1, len(last))
        asked = Interaction({"item_id_list": lists, "item_length": lengths})
        return model.full_sort_predict(asked).numpy()


def _negatives(number: int) -> dict[str, Any]:
    return {"distribution": "uniform", "sample_num": number, "alpha": 1.0, "dynamic": False}


def _batch(log: Log) -> int:
    """The library's default, or four of them for a long log: a step has fixed costs."""
    return 2048 if len(log) < 200_000 else 8192


_SYSTEMS: Mapping[str, Callable[[Question], Peer]] = {
    "neumf": NeuMf,
    "lightgcn": LightGcn,
    "sasrec": SasRec,
}

if __name__ == "__main__":
    main(lambda system, question: _SYSTEMS[system](question))
