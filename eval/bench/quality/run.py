"""The whole benchmark: every data set under every protocol, then the bars and the report."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.progress import spoken_seconds
from eval.bench.quality.bars import BarResult, hold, read_bars
from eval.bench.quality.datasets import BenchData, load_data
from eval.bench.quality.part import Part
from eval.bench.quality.settings import QualitySettings
from eval.bench.quality.summary import summarise
from eval.bench.quality.vectors import item_vectors
from eval.records.origin import commit, versions
from eval.records.whole import write_json
from eval.reproduce import real_data
from retrieval.errors import InvalidInput
from retrieval.ports import Embedder, Progress

RESULTS = "results.json"
_LIBRARIES = ("implicit", "numpy", "optuna", "scipy", "torch")


@dataclass(frozen=True, slots=True)
class QualityRun:
    """What came out; ``results`` is what ``results.json`` holds."""

    results: dict[str, Any]
    bars: Sequence[BarResult]

    @property
    def failed(self) -> list[BarResult]:
        """Bars that did not hold."""
        return [one for one in self.bars if one.state == "failed"]


def run_quality(
    settings: QualitySettings,
    out: Path,
    progress: Progress,
    *,
    embedder: Embedder | None = None,
    bars: Path | None = None,
) -> QualityRun:
    """Compute what the folder does not hold yet, and write ``results.json`` anew.

    Args:
        settings: what is asked.
        out: the folder; made when it is not there.
        progress: hears of every stage.
        embedder: of the items' texts; ``None`` = the bundled one.
        bars: file of the thresholds; ``None`` = the ones of the project.

    Raises:
        NotFound: a data set or the peers' folder is not there.
        InvalidInput: data or a file of the folder cannot be used; names it.
    """
    wanted = read_bars() if bars is None else read_bars(bars)
    if settings.run_peers and settings.peers is not None:
        settings.peers.mkdir(parents=True, exist_ok=True)
    if settings.peers is not None and not settings.peers.is_dir():
        raise InvalidInput(f"there is no folder {settings.peers}", "give --peers none without one")
    out.mkdir(parents=True, exist_ok=True)
    plan: list[tuple[BenchData, str]] = []
    for name in settings.data:
        data = load_data(name, real_data(), progress)
        for protocol in settings.protocols:
            if protocol == "temporal" and not data.dated:
                progress.note(f"{data.name} has an order and no dates: no temporal split")
            else:
                plan.append((data, protocol))
    parts: list[dict[str, Any]] = []
    began = time.monotonic()
    for at, (data, protocol) in enumerate(plan):
        left = "" if not at else _left(time.monotonic() - began, at, len(plan))
        progress.note(f"part {at + 1} of {len(plan)}: {data.name}, {protocol}{left}")
        features = item_vectors(data, _made(out / data.name), progress, embedder)
        folder = out / data.name / protocol
        parts.append(summarise(Part(data, protocol, folder, settings, features, progress)))
    found = hold(wanted, parts)
    results = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "versions": versions(_LIBRARIES),
        "settings": {**asdict(settings), "peers": str(settings.peers) if settings.peers else None},
        "parts": parts,
        "bars": [asdict(one) for one in found],
    }
    write_json(out / RESULTS, results)
    return QualityRun(results, found)


def _left(seconds: float, done: int, of: int) -> str:
    """Whoever resumes gets parts for nothing at first, so this is a guess from above."""
    each = seconds / done
    return f"; about {spoken_seconds(math.ceil(each * (of - done)))} left at this pace"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
