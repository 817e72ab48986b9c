"""Peers by the score matrices that they left in a folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.bench.peers.exchange import REPORT, SCORES
from eval.bench.quality.protocols import Asked
from retrieval.errors import InvalidInput, NotFound

ANSWER = "answer"


@dataclass(frozen=True, eq=False)
class PeerScores:
    """One peer's scores.

    Attributes:
        name: of its folder.
        table: float32 (users, items), users in id order; mapped from the file.
        report: parameters, seconds, NDCG@10 on T2.
        path: the file of the scores.
    """

    name: str
    table: NDArray[np.float32]
    report: dict[str, Any]
    path: Path

    def scores(self, start: int, end: int) -> NDArray[np.float32]:
        """Scores of the users at places [start, end)."""
        return np.asarray(self.table[start:end])


def peers_of(folder: Path | None, data: str, protocol: str, asked: Asked) -> Iterator[PeerScores]:
    """The peers in ``FOLDER/DATA-PROTOCOL/``, by name; none without a folder.

    Each has a folder with ``scores.npy`` and ``report.json``, or one ``answer`` with them, as
    ``eval.bench.peers`` writes. A folder without scores is a peer that did not finish, and is
    passed over.

    Raises:
        NotFound: no such folder.
        InvalidInput: the scores are not of these users and items, or cannot be read.
    """
    if folder is None:
        return
    if not folder.is_dir():
        raise NotFound(f"there is no {folder}", "give --peers none, or a folder of peers' scores")
    for own in sorted((folder / f"{data}-{protocol}").glob("*/")):
        place = own / ANSWER if (own / ANSWER).is_dir() else own
        if (place / SCORES).exists() and (place / REPORT).exists():
            yield _read(own.name, place, (len(asked.users), asked.matrix.shape[1]))


def _read(name: str, folder: Path, shape: tuple[int, int]) -> PeerScores:
    path = folder / SCORES
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        table = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise InvalidInput(f"peer {name}: {error}", f"remove {folder}, or run it again") from error
    if table.shape != shape or table.dtype != np.float32:
        raise InvalidInput(
            f"peer {name}: {path} is {table.dtype} of shape {table.shape}, not float32 of {shape}",
            "its question was of other users or items: ask it again",
        )
    return PeerScores(name, table, report, path)
