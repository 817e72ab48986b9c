"""How a system of ``recbole`` is trained: its data set, samplers and trainer, and our looks."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.utils import create_samplers, get_dataloader
from recbole.trainer import Trainer
from recbole.utils import get_model, init_seed

from eval.bench.peers.exchange import Log, Question, Scores
from eval.bench.peers.tuning import MOST_PAIRS, Look, Params

if TYPE_CHECKING:
    import optuna

_NAME = "log"


class _Enough(Exception):
    pass


class _Watched(Trainer):  # type: ignore[misc]  # recbole has no types
    """The library's trainer with our look in the place of its validation."""

    look: Look
    scores: Scores
    loss: Any = None
    looked = 0

    def _train_epoch(
        self, train_data: Any, epoch_idx: int, loss_func: Any = None, show_progress: bool = False
    ) -> Any:
        return super()._train_epoch(train_data, epoch_idx, self.loss, show_progress)

    def _valid_epoch(
        self, valid_data: Any, show_progress: bool = False
    ) -> tuple[float, dict[str, float]]:
        self.looked += 1
        self.model.eval()
        if self.look(self.looked * self.eval_step, self.scores):
            raise _Enough
        return float(self.looked), {}


class RecboleSystem(ABC):
    """What the three systems share."""

    library = "recbole"
    name: str
    defaults: ClassVar[Params]
    epochs: int
    every: int
    pairs = MOST_PAIRS

    def __init__(self, question: Question) -> None:
        self.shape = question.shape
        self._folder = Path(tempfile.mkdtemp(prefix="palate-recbole-", dir="."))
        self._built: tuple[Log, Any, Any] | None = None
        torch.set_num_threads(self.shape.threads)

    @abstractmethod
    def suggest(self, trial: optuna.Trial) -> Params:
        """The parameters that are tuned."""

    @abstractmethod
    def settings(self, params: Params, log: Log) -> dict[str, Any]:
        """The library's configuration of one trial, without what all trials share."""

    @abstractmethod
    def score(self, model: Any, dataset: Any, log: Log, users: Any) -> Any:
        """Scores of the library's items for the library's users; shape (n, its items)."""

    def loss(self, model: Any) -> Any:
        """What the trainer makes small; the model's own."""
        return model.calculate_loss

    def fit(self, log: Log, params: Params, epochs: int, look: Look | None) -> Scores:
        """Train by the library."""
        config = self._config(log, params, epochs)
        init_seed(self.shape.seed, True)
        dataset, built = self._data(config, log)
        sampler = create_samplers(config, dataset, built)[0]
        batches = get_dataloader(config, "train")(config, built[0], sampler, shuffle=True)
        model = get_model(self.name)(config, built[0])
        # One of the library's models switches this on for all: a third of the time of a step.
        torch.autograd.set_detect_anomaly(False)
        trainer = _Watched(config, model)
        trainer.loss = self.loss(model)
        # Column 0 of the library is its padding; an item that nobody took has no column.
        tokens = dataset.field2id_token["item_id"][1:].astype(np.int64)

        def scores(users: Any) -> Any:
            table = np.zeros((len(users), self.shape.items), dtype=np.float32)
            with torch.no_grad():
                model.eval()
                table[:, tokens] = self.score(model, dataset, log, users)[:, 1:]
            return table

        if look:
            trainer.look, trainer.scores = look, scores
        with suppress(_Enough):
            trainer.fit(batches, [1] if look else None, verbose=False, saved=False)
        return scores

    def _config(self, log: Log, params: Params, epochs: int) -> Any:
        shared = {
            "data_path": str(self._folder),
            "checkpoint_dir": str(self._folder / "saved"),
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "eval_args": {
                "split": {"RS": [1, 0, 0]},
                "group_by": "none",
                "order": "TO",
                "mode": "full",
            },
            "epochs": epochs,
            "eval_step": self.every,
            "stopping_step": epochs,
            "seed": self.shape.seed,
            "use_gpu": False,
            "show_progress": False,
            "state": "ERROR",
        }
        settings = {**shared, **self.settings(params, log)}
        return Config(model=self.name, dataset=_NAME, config_dict=settings)

    def _data(self, config: Any, log: Log) -> tuple[Any, Any]:
        """The library's data set and its one part; made once for each log."""
        if self._built is None or self._built[0] is not log:
            folder = self._folder / _NAME
            folder.mkdir(exist_ok=True)
            ordered = log.in_order()
            # The library keeps times in single precision: the place in the order is exact.
            table = np.column_stack([ordered.user, ordered.item, np.arange(len(ordered))])
            heading = "user_id:token\titem_id:token\ttimestamp:float"
            path = folder / f"{_NAME}.inter"
            np.savetxt(path, table, "%d", delimiter="\t", header=heading, comments="")
            dataset = create_dataset(config)
            self._built = (log, dataset, dataset.build())
        return self._built[1], self._built[2]
