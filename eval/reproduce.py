"""Numbers that anybody can get again: each a command, its scores and how far they may be off."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from eval.config import REAL_DATA_ENV, Table, absolute_path, read_toml, validated
from retrieval.errors import InvalidInput, NotFound

FOLDER = Path(__file__).parent / "expected"
ROOT = Path(__file__).parents[1]
_COMMAND = ["palate", "eval", "run"]

Cost = Literal["seconds", "minutes", "hours"]
State = Literal["ok", "failed", "skipped"]


class Score(Table):
    """One number: the mean of ``metric`` for ``system``, give or take ``within``."""

    system: str
    metric: str
    value: float
    within: float = Field(0.0005, gt=0)


class Expected(Table):
    """A file of ``eval/expected/``.

    ``command`` runs from the checkout's root. ``needs`` names a folder of the real data
    without which it is skipped.
    """

    about: str
    source: str = Field(description="where the numbers come from")
    command: str
    cost: Cost
    needs: str = ""
    scores: tuple[Score, ...] = Field(min_length=1)

    @field_validator("command")
    @classmethod
    def _is_a_run(cls, command: str) -> str:
        if shlex.split(command)[:3] != _COMMAND:
            raise ValueError("the command begins with: palate eval run")
        return command


@dataclass(frozen=True, slots=True)
class Line:
    """One score as it came out; ``measured`` is ``None`` where it did not, ``why`` says so."""

    name: str
    score: Score
    measured: float | None
    state: State
    why: str
    seconds: float


def read_expected(folder: Path = FOLDER) -> dict[str, Expected]:
    """Every expected file by name, in name order.

    Raises:
        InvalidInput: a file is not valid; named.
    """
    return {
        path.stem: validated(Expected, read_toml(path), path)
        for path in sorted(folder.glob("*.toml"))
    }


def choose(
    expected: Mapping[str, Expected], names: Sequence[str], dearest: Cost
) -> dict[str, Expected]:
    """Those named, or all that cost no more than ``dearest``.

    Raises:
        NotFound: a name is unknown; the known ones are listed.
    """
    for name in names:
        if name not in expected:
            raise NotFound(f"nothing expected is named {name!r}", f"there is {', '.join(expected)}")
    order = ("seconds", "minutes", "hours")
    return {
        name: one
        for name, one in expected.items()
        if (name in names if names else order.index(one.cost) <= order.index(dearest))
    }


def reproduce(name: str, one: Expected, root: Path = ROOT) -> list[Line]:
    """Run the command and hold its scores against the expected ones.

    The command's own progress goes to our standard error.
    """
    if one.needs and not (real_data() / one.needs).is_dir():
        why = f"no data at {real_data() / one.needs}; set {REAL_DATA_ENV}"
        return [Line(name, score, None, "skipped", why, 0.0) for score in one.scores]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="palate-reproduce-") as runs:
        words = [*shlex.split(one.command)[1:], "--runs", runs]
        done = subprocess.run(
            [sys.executable, "-m", "server.cli.main", *words],
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        took = time.monotonic() - began
        records = sorted(Path(runs).glob("*/record.json"))
        if not records:
            why = f"exit code {done.returncode}, no record"
            return [Line(name, score, None, "failed", why, took) for score in one.scores]
        figures = means_of(json.loads(records[-1].read_text(encoding="utf-8")))
    return [_line(name, score, figures, took) for score in one.scores]


def means_of(record: Mapping[str, Any]) -> dict[tuple[str, str], float | None]:
    """Mean by (system, metric) of a record of either kind of run."""
    systems = record["systems"] if record.get("kind") == "prompts" else record["result"]["systems"]
    return {
        (system["name"], metric): figure["mean"]
        for system in systems
        for metric, figure in system["figures"].items()
    }


def real_data() -> Path:
    """Folder of the published data sets."""
    return Path(os.environ.get(REAL_DATA_ENV) or absolute_path(ROOT, Path(f"${{{REAL_DATA_ENV}}}")))


def _line(
    name: str, score: Score, figures: Mapping[tuple[str, str], float | None], seconds: float
) -> Line:
    measured = figures.get((score.system, score.metric))
    if measured is None:
        return Line(name, score, None, "failed", "not in the record", seconds)
    # NaN compares false with everything: it must fail, not pass.
    held = abs(measured - score.value) <= score.within
    return Line(name, score, measured, "ok" if held else "failed", "", seconds)


def check_root(root: Path = ROOT) -> None:
    """Raise ``InvalidInput`` outside a checkout: the commands name files of it."""
    if not (root / "eval" / "configs").is_dir():
        raise InvalidInput(f"{root} is no checkout of Palate", "run it where the sources are")
