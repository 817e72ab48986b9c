"""Every run in a folder in one line each, whatever its kind and state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.records.folder import run_ids
from eval.records.record import read_raw_record
from retrieval.errors import InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class Listed:
    """One run. Besides the verdicts of a record there are ``unfinished`` and ``unreadable``.

    ``queries`` is ``None`` where the record does not say.
    """

    run_id: str
    at: str
    kind: str
    queries: int | None
    systems: int
    verdict: str
    because: str


def list_runs(runs: Path) -> list[Listed]:
    """The newest first; runs without a readable time come last."""
    found = [_listed(runs / run_id) for run_id in run_ids(runs)]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _listed(folder: Path) -> Listed:
    try:
        values = read_raw_record(folder)
    except NotFound as error:
        return Listed(folder.name, "", "", None, 0, "unfinished", error.hint)
    except InvalidInput as error:
        return Listed(folder.name, "", "", None, 0, "unreadable", error.message)
    # A reference run of before format 1 keeps these in its result only.
    result: dict[str, Any] = values.get("result", {})
    misses = result.get("misses", [])
    return Listed(
        run_id=folder.name,
        at=str(values.get("at", "")),
        kind=values["kind"],
        queries=values.get("queries", result.get("queries")),
        systems=len(values.get("systems", result.get("systems", []))),
        verdict=values.get("verdict", "failed" if misses else "passed"),
        because=values.get("verdict_because", f"{len(misses)} expectations did not hold"),
    )
