"""Runs against runs: the same query under both, never a mean against a mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from eval.records.folder import RunFolder
from eval.records.record import RunRecord, read_record
from eval.records.tables import Row, read_rows
from eval.stats.family import with_holm
from eval.stats.paired import Comparison, compare
from retrieval.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A finished run of prompts: its record and rows by system by query id."""

    record: RunRecord
    rows: Mapping[str, Mapping[str, Row]]


@dataclass(frozen=True, slots=True)
class Side:
    """One system of the run at this place in the list of runs."""

    run: int
    system: str


@dataclass(frozen=True, slots=True)
class Line:
    """``second`` against ``first`` on the queries that both have.

    Attributes:
        first, second: what is compared; every difference is second minus first.
        mean_first, mean_second: over the ``n`` queries that both could measure; NaN for none.
        only_first, only_second: queries that the other run lacks.
        found: the paired comparison, with Holm over all lines.
    """

    first: Side
    second: Side
    mean_first: float
    mean_second: float
    only_first: int
    only_second: int
    found: Comparison


def load_run(folder: RunFolder) -> LoadedRun:
    """Read what a comparison needs.

    Raises:
        NotFound: the run is unfinished.
        InvalidInput: no run of prompts, or a damaged file.
    """
    rows: dict[str, dict[str, Row]] = {}
    for row in read_rows(folder.path):
        rows.setdefault(row.system, {})[row.query_id] = row
    return LoadedRun(read_record(folder.path), rows)


def compare_runs(
    runs: Sequence[LoadedRun],
    *,
    metric: str | None = None,
    against: str | None = None,
    force_different_data: bool = False,
    seed: int = 0,
) -> list[Line]:
    """Compare runs system by system.

    Args:
        runs: at least two, or one with ``against``.
        metric: default: the primary metric of the first run.
        against: a system of the first run that every other system of every run is compared
            with; ``None`` compares systems of one name, every run with every later one.
        force_different_data: compare also runs of different data.
        seed: of the resampling.

    Raises:
        InvalidInput: too few runs, different data, no query or no system in common, a metric
            that a run does not have.
        NotFound: the first run has no system ``against``.
    """
    if len(runs) < 2 and against is None:
        raise InvalidInput(
            "one run alone has nothing to be compared with",
            "name two runs, or a system of this one: --against S",
        )
    _same_data(runs, force_different_data)
    chosen = metric if metric is not None else runs[0].record.primary
    for run in runs:
        known = {
            name for rows in run.rows.values() for row in rows.values() for name in row.metrics
        }
        if chosen not in known:
            raise InvalidInput(
                f"run {run.record.id} has no metric {chosen!r}",
                f"--metric one of: {', '.join(sorted(known))}",
            )
    lines = [_line(runs, first, second, chosen, seed) for first, second in _sides(runs, against)]
    with_p = with_holm([line.found for line in lines])
    return [replace(line, found=found) for line, found in zip(lines, with_p, strict=True)]


def _same_data(runs: Sequence[LoadedRun], forced: bool) -> None:
    first = runs[0].record
    for run in runs[1:]:
        other = run.record
        if other.data_sha256 != first.data_sha256 and not forced:
            raise InvalidInput(
                f"{first.id} and {other.id} ran on different data "
                f"({first.data_sha256[:12]} and {other.data_sha256[:12]})",
                "their queries may mean other things; compare anyway: --force-different-data",
            )


def _sides(runs: Sequence[LoadedRun], against: str | None) -> list[tuple[Side, Side]]:
    if against is not None:
        runs[0].record.system(against)
        first = Side(0, against)
        every = [Side(at, system) for at, run in enumerate(runs) for system in run.rows]
        others = [(first, second) for second in every if second != first]
        if not others:
            raise InvalidInput(f"there is no system but {against!r}", "name another run as well")
        return others
    pairs = []
    for a, b in combinations(range(len(runs)), 2):
        both = [system for system in runs[a].rows if system in runs[b].rows]
        if not both:
            raise InvalidInput(
                f"{runs[a].record.id} and {runs[b].record.id} have no system in common",
                "compare with one system of the first run: --against SYSTEM",
            )
        pairs += [(Side(a, system), Side(b, system)) for system in both]
    return pairs


def _line(runs: Sequence[LoadedRun], first: Side, second: Side, metric: str, seed: int) -> Line:
    rows = [runs[side.run].rows.get(side.system, {}) for side in (first, second)]
    common = [query_id for query_id in rows[0] if query_id in rows[1]]
    if not common:
        raise InvalidInput(
            f"{runs[first.run].record.id} and {runs[second.run].record.id} have no query in common",
            "compare runs of the same questions",
        )
    values = [
        np.array([its[query_id].metrics.get(metric, math.nan) for query_id in common])
        for its in rows
    ]
    both = np.isfinite(values[0]) & np.isfinite(values[1])
    means = [float(its[both].mean()) if both.any() else math.nan for its in values]
    return Line(
        first=first,
        second=second,
        mean_first=means[0],
        mean_second=means[1],
        only_first=len(rows[0]) - len(common),
        only_second=len(rows[1]) - len(common),
        found=compare(second.system, first.system, metric, values[1], values[0], seed=seed),
    )
