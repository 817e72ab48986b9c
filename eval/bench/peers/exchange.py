"""What a benchmark and a peer pass to each other as files; numpy alone, it runs on both sides.

Folder of the question:
    shape.json          users, items, seed, threads, trials, seconds
    train.csv           user,item,value,at    period T1; at in Unix seconds
    valid.csv           the same              period T2
    targets.csv         user                  whose scores are asked for
    image_vectors.npy   float32 (items, d)    optional; a row of NaN has no picture
Folder of the answer:
    scores.npy          float32 (targets, items), any real numbers, higher is better
    report.json         system, library, version, params, epochs, valid_ndcg, trials, tune_seconds,
                        fit_seconds, score_seconds, peak_rss_mib
Users and items are numbers from 0. Everything is written to a partial file first.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Users = NDArray[np.int64]
Scores = Callable[[Users], NDArray[np.float32]]
"""Users, shape (n,), to scores of every item, shape (n, items)."""

SCORES = "scores.npy"
REPORT = "report.json"
_COLUMNS = "user,item,value,at"
_TARGET = "user"
_BLOCK = 256


@dataclass(frozen=True)
class Shape:
    """How many there are of each, and what the peer may spend.

    Attributes:
        users: number of users; ids are below it.
        items: number of items; ids are below it.
        seed: of everything random.
        threads: that the peer may use.
        trials: parameter sets to try at most, >= 1.
        seconds: wall-clock after which no trial starts.
    """

    users: int
    items: int
    seed: int = 0
    threads: int = 1
    trials: int = 20
    seconds: float = 240.0


@dataclass(frozen=True, eq=False)
class Log:
    """Interactions as four arrays of one length; among equal instants the order decides."""

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    value: NDArray[np.float64]
    at: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.user)

    def then(self, later: Log) -> Log:
        """This log and a later one behind it."""
        return Log(
            np.concatenate([self.user, later.user]),
            np.concatenate([self.item, later.item]),
            np.concatenate([self.value, later.value]),
            np.concatenate([self.at, later.at]),
        )

    def in_order(self) -> Log:
        """By user, then by time; equal instants keep their order."""
        order = np.lexsort((np.arange(len(self)), self.at, self.user))
        return Log(self.user[order], self.item[order], self.value[order], self.at[order])

    def items_by_user(self, users: int) -> list[NDArray[np.int64]]:
        """For each user the items in order of time; empty for a user without any."""
        ordered = self.in_order()
        ends = np.cumsum(np.bincount(ordered.user, minlength=users))
        return np.split(ordered.item, ends[:-1]) if users else []


@dataclass(frozen=True, eq=False)
class Question:
    """Everything that a peer is told."""

    shape: Shape
    train: Log
    valid: Log
    targets: Users
    image_vectors: NDArray[np.float32] | None = None


def write_question(folder: Path, question: Question) -> None:
    """Write the folder of the question; an older one in it is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, log in (("train.csv", question.train), ("valid.csv", question.valid)):
        with _partial(folder / name) as path:
            table = np.column_stack([log.user, log.item, log.value, log.at])
            # 17 digits give every double back as it was.
            fmt = ("%d", "%d", "%.17g", "%.17g")
            np.savetxt(path, table, fmt, delimiter=",", header=_COLUMNS, comments="")
    with _partial(folder / "targets.csv") as path:
        np.savetxt(path, question.targets, "%d", header=_TARGET, comments="")
    if question.image_vectors is None:
        (folder / "image_vectors.npy").unlink(missing_ok=True)
    else:
        with _partial(folder / "image_vectors.npy") as path, path.open("wb") as file:
            np.save(file, question.image_vectors.astype(np.float32))
    write_json(folder / "shape.json", asdict(question.shape))


def read_question(folder: Path) -> Question:
    """Read what ``write_question`` wrote.

    Raises:
        OSError: a file is missing.
        ValueError: a file is not of this format.
    """
    shape = Shape(**json.loads((folder / "shape.json").read_text(encoding="utf-8")))
    vectors = folder / "image_vectors.npy"
    return Question(
        shape,
        _read_log(folder / "train.csv"),
        _read_log(folder / "valid.csv"),
        _read_table(folder / "targets.csv", _TARGET)[:, 0].astype(np.int64),
        np.load(vectors) if vectors.exists() else None,
    )


def write_scores(folder: Path, targets: Users, items: int, scores: Scores) -> None:
    """Ask for the scores block by block and write them: they may not fit into memory at once."""
    folder.mkdir(parents=True, exist_ok=True)
    with _partial(folder / SCORES) as path:
        shape = (len(targets), items)
        table = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]  # numpy's has no types
            path, mode="w+", dtype=np.float32, shape=shape
        )
        for start in range(0, len(targets), _BLOCK):
            table[start : start + _BLOCK] = scores(targets[start : start + _BLOCK])
        table.flush()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object; the file is whole or not there."""
    with _partial(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _read_log(path: Path) -> Log:
    table = _read_table(path, _COLUMNS)
    return Log(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2], table[:, 3])


def _read_table(path: Path, heading: str) -> NDArray[np.float64]:
    first, *rows = path.read_text(encoding="utf-8").splitlines() or [""]
    if first != heading:
        raise ValueError(f"{path} starts with {first!r}, not with {heading!r}")
    columns = heading.count(",") + 1
    if not rows:
        return np.zeros((0, columns))
    return np.loadtxt(rows, delimiter=",", ndmin=2).reshape(-1, columns)


@contextmanager
def _partial(path: Path) -> Iterator[Path]:
    partial = path.with_name(path.name + ".partial")
    yield partial
    os.replace(partial, path)
