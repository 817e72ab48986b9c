"""The reference rows, measured again by the code that every evaluation runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import eval as package
from eval.bench.quality.datasets import BenchData
from eval.config import read_config
from eval.reproduce import read_expected
from eval.run import run_evaluation
from retrieval.ports import Progress


def reference_rows(data: BenchData, progress: Progress) -> list[dict[str, Any]]:
    """Popular, ItemKNN and EASE as in the published row; empty where there is none.

    Returns:
        A row a system and metric: ``system``, ``metric``, ``expected``, ``measured``,
        ``within`` and whether it ``held``.
    """
    if not data.reference:
        return []
    configs = Path(package.__file__).parent / "configs"
    config = read_config(configs / f"{data.reference}.toml")
    found = run_evaluation(config, data.interactions, data.catalogue, progress)
    measured = {
        (system.name, metric): figure.mean
        for system in found.systems
        for metric, figure in system.figures.items()
    }
    rows = []
    for score in read_expected()[data.reference].scores:
        value = measured.get((score.system, score.metric), float("nan"))
        rows.append(
            {
                "system": score.system,
                "metric": score.metric,
                "expected": score.value,
                "measured": value,
                "within": score.within,
                "held": bool(abs(value - score.value) <= score.within),
            }
        )
    return rows
