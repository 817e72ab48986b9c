"""Peers asked the benchmark's own question: same split, same budget, an environment each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eval.bench.peers.environment import ensure_environment
from eval.bench.peers.exchange import REPORT, SCORES, Log, Question, Shape
from eval.bench.peers.runner import SYSTEMS, run_peer
from eval.bench.quality.peers_in import ANSWER
from eval.bench.quality.protocols import Periods
from retrieval.errors import InvalidInput, PalateError
from retrieval.ports import Progress, Vectors
from retrieval.types import Interaction

_WITH_PICTURES = "vbpr"
_PATIENCE = 30
"""Budgets of tuning after which a peer is stopped; its last training has no budget."""


def check_peers(names: Sequence[str]) -> None:
    """Raise ``InvalidInput`` for a name that is no peer's."""
    wrong = next((one for one in names if one not in SYSTEMS), None)
    if wrong is not None:
        raise InvalidInput(f"no peer is named {wrong!r}", f"choose among {', '.join(SYSTEMS)}")


def ask_peers(
    names: Sequence[str],
    periods: Periods,
    pictures: Vectors | None,
    folder: Path,
    *,
    trials: int,
    seconds: float,
    threads: int,
    progress: Progress,
) -> list[str]:
    """Run the peers that have not answered yet; one that fails is noted, and the rest go on.

    Args:
        names: of ``eval.bench.peers.runner.SYSTEMS``.
        periods: T1 to train on, T2 to tune on, the users of T3 to score.
        pictures: vectors of the items, rows of 0 without one; ``vbpr`` needs them.
        folder: receives a folder a peer, with ``question``, ``answer`` and its log.
        trials: settings to try at most.
        seconds: after which no trial is started.
        threads: of a peer.
        progress: hears of each peer and of its trials.

    Returns:
        Names of the peers that have no answer.
    """
    failed: list[str] = []
    question = question_of(periods, pictures, trials, seconds, threads)
    for name in names:
        answer = folder / name / ANSWER
        if (answer / SCORES).exists() and (answer / REPORT).exists():
            continue
        if name == _WITH_PICTURES and pictures is None:
            progress.note(f"peer {name} is left out: these items have no pictures")
            failed.append(name)
            continue
        try:
            python = ensure_environment(SYSTEMS[name], progress)
            timeout = _PATIENCE * seconds + 600
            (folder / name).mkdir(parents=True, exist_ok=True)
            run_peer(name, question, folder / name, python, progress, timeout=timeout)
        except PalateError as error:
            progress.note(f"peer {name} is left out: {error.message}")
            failed.append(name)
    return failed


def question_of(
    periods: Periods, pictures: Vectors | None, trials: int, seconds: float, threads: int
) -> Question:
    """The question, with users and items by their rows and columns of T1 and T2."""
    matrix = periods.test.matrix
    vectors = None
    if pictures is not None:
        vectors = np.where(pictures.any(axis=1, keepdims=True), pictures, np.nan)
    return Question(
        Shape(*matrix.shape, threads=threads, trials=trials, seconds=seconds),
        _log(periods, periods.past),
        _log(periods, periods.recent),
        periods.test.rows,
        None if vectors is None else vectors.astype(np.float32),
    )


def _log(periods: Periods, events: Sequence[Interaction]) -> Log:
    users, items = periods.test.matrix.user_index, periods.test.matrix.item_index
    kept = [one for one in events if one.user_id in users and one.item_id in items]
    return Log(
        np.array([users[one.user_id] for one in kept], dtype=np.int64),
        np.array([items[one.item_id] for one in kept], dtype=np.int64),
        np.array([one.value for one in kept], dtype=np.float64),
        np.array([one.at.timestamp() for one in kept], dtype=np.float64),
    )
