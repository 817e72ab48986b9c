"""How every peer is tuned, trained and asked: the same budget and measure for all of them.

The library's own defaults are tried first, then optuna's TPE searches. A trial trains on T1 and
is looked at every few epochs by NDCG@10 on T2; the best epoch counts. The best parameters are
then trained on T1 and T2 for as many epochs, and that model scores the targets.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import optuna
from numpy.typing import NDArray

from eval.bench.peers.exchange import (
    REPORT,
    Log,
    Question,
    Scores,
    Users,
    read_question,
    write_json,
    write_scores,
)
from eval.bench.peers.metric import Sample, ndcg_by_user, sample_of

Params = Mapping[str, Any]
Look = Callable[[int, Scores], bool]
"""Epochs so far and the scores by now, to "this is enough"."""

PROGRESS = "peer: "
"""A line of the log that starts so is for the person who waits."""

MOST_PAIRS = 40_000_000
"""Pairs of a user and an item that one look scores at most."""

_MOST_USERS = 2000
_PATIENCE = 4
_FIRST = 2
"""The trial with the defaults may last this many budgets: it has to come to its end."""


class Peer(Protocol):
    """One system of a library."""

    library: str
    defaults: ClassVar[Params]
    epochs: int
    """At most."""

    pairs: int
    """That a look scores at most; fewer for a model that scores pair by pair."""

    def suggest(self, trial: optuna.Trial) -> Params:
        """Parameters of one trial; the names and ranges cover ``defaults``."""

    def fit(self, log: Log, params: Params, epochs: int, look: Look | None) -> Scores:
        """Train for ``epochs``, or until a look says that it is enough."""


class _Watch:
    """The looks at one trial."""

    def __init__(self, sample: Sample, deadline: float) -> None:
        self._sample, self._deadline = sample, deadline
        self.best, self.epoch, self._worse = -1.0, 0, 0

    def __call__(self, epoch: int, scores: Scores) -> bool:
        value = float(ndcg_by_user(self._sample, scores).mean())
        self._worse += 1
        if value > self.best:
            self.best, self.epoch, self._worse = value, epoch, 0
        return self._worse >= _PATIENCE or time.monotonic() > self._deadline


def note(text: str) -> None:
    """One line of the log that the runner passes on."""
    sys.stderr.write(f"{PROGRESS}{text}\n")
    sys.stderr.flush()


def main(make: Callable[[str, Question], Peer]) -> None:
    """The program of a peer: ``--system NAME QUESTION ANSWER``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--system", required=True)
    parser.add_argument("question", type=Path)
    parser.add_argument("answer", type=Path)
    given = parser.parse_args()
    # recbole reads the command line too.
    del sys.argv[1:]
    question = read_question(given.question)
    answer(given.system, make(given.system, question), question, given.answer)


def answer(system: str, peer: Peer, question: Question, folder: Path) -> None:
    """Tune, train, score, and write the folder of the answer.

    Raises:
        ValueError: no user of T1 has anything new in T2, or no trial came to an end.
    """
    shape = question.shape
    most = max(1, min(_MOST_USERS, peer.pairs // shape.items))
    sample = sample_of(question.train, question.valid, shape.users, most=most, seed=shape.seed)
    if not len(sample.users):
        raise ValueError("no user of train.csv has anything new in valid.csv")
    started = time.monotonic()
    study = _search(peer, question, sample, started)
    best = study.best_trial
    tuned = time.monotonic()
    note(f"{system}: best {best.value:.4f} by {best.user_attrs['params']}; training on everything")
    log = question.train.then(question.valid)
    epochs = int(best.user_attrs["epochs"])
    scores = guarded(peer.fit(log, best.user_attrs["params"], epochs, None), log, shape.items)
    fitted = time.monotonic()
    write_scores(folder, question.targets, shape.items, scores)
    report = {
        "system": system,
        "library": peer.library,
        "version": importlib.metadata.version(peer.library),
        "params": dict(best.user_attrs["params"]),
        "epochs": epochs,
        "valid_ndcg": best.value,
        "valid_users": len(sample.users),
        "trials": len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE])),
        "default_valid_ndcg": study.trials[0].value,
        "tune_seconds": tuned - started,
        "fit_seconds": fitted - tuned,
        "score_seconds": time.monotonic() - fitted,
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    write_json(folder / REPORT, report)


def _search(peer: Peer, question: Question, sample: Sample, started: float) -> optuna.Study:
    shape = question.shape
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=shape.seed)
    )
    study.enqueue_trial(dict(peer.defaults))

    def objective(trial: optuna.Trial) -> float:
        budgets = 1 if trial.number else _FIRST
        watch = _Watch(sample, started + budgets * shape.seconds)

        def look(epoch: int, scores: Scores) -> bool:
            return watch(epoch, guarded(scores, question.train, shape.items))

        params = peer.suggest(trial)
        began = time.monotonic()
        peer.fit(question.train, params, peer.epochs, look)
        trial.set_user_attr("params", dict(params))
        trial.set_user_attr("epochs", watch.epoch)
        took = time.monotonic() - began
        note(f"trial {trial.number}: NDCG@10 {watch.best:.4f}, epoch {watch.epoch}, {took:.0f} s")
        return watch.best

    # A loss or score that is not finite ends its trial, not the search.
    study.optimize(objective, shape.trials, timeout=shape.seconds, catch=(ValueError,))
    if not study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
        raise ValueError("no trial came to its end")
    return study


def guarded(scores: Scores, log: Log, items: int) -> Scores:
    """The scores of a model, without what it cannot know.

    An item that nobody took has an untrained vector: it gets the lowest score of the row. A
    user without a history gets 0 everywhere.
    """
    unseen = np.bincount(log.item, minlength=items) == 0
    known = np.unique(log.user)

    def asked(users: Users) -> NDArray[np.float32]:
        table = np.array(scores(users), dtype=np.float32)
        if unseen.any():
            table[:, unseen] = table[:, ~unseen].min(axis=1, keepdims=True)
        table[~np.isin(users, known)] = 0.0
        return table

    return asked
