"""The leaderboard: every system, grouped, with intervals; and what the controls say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from agent.measure import mean_and_interval
from eval.records.record import System
from eval.report import plots
from eval.report.blocks import (
    Block,
    Cell,
    Figure,
    Grid,
    Heading,
    Note,
    NotMeasured,
    Rows,
    Section,
    Tone,
    figure,
    head,
    table,
    words,
)
from eval.report.numbers import MISSING, interval, number, p_value, signed, whole
from eval.report.shown import BASE, ShownRun
from eval.report.verdict import metric_name

GROUPS = (
    ("Base and sources", ("base", "source")),
    ("Variants", ("variant",)),
    ("Controls", ("control",)),
)
SHUFFLED = "~shuffled"
_SCORERS = {
    "random": "random order: what it says is no better than chance",
    "popularity": "the popularity scorer: what everybody likes serves as well",
}


def board_section(run: ShownRun) -> Section:
    """Plot, then quality, then the difference to S with its cost, then the controls."""
    systems = [one for _, kinds in GROUPS for one in run.record.systems if one.kind in kinds]
    primary = [one.figures.get(run.record.primary) for one in systems]
    metric = metric_name(run.record.primary)
    return Section(
        "leaderboard",
        "Leaderboard",
        f"{BASE} is the score without a language model. A variant reorders what {BASE} found. "
        "Controls are what a variant must beat to mean anything.",
        [
            Figure(
                f"Mean {metric} of every system. The dotted line is {BASE}.",
                f"Mean {metric} with its 95 % interval by system; the table below has the numbers.",
                plots.dots(
                    [one.name for one in systems],
                    [one.kind for one in systems],
                    [one.mean if one else None for one in primary],
                    [one.low if one else None for one in primary],
                    [one.high if one else None for one in primary],
                    metric,
                ),
                height=110 + 34 * len(systems),
                min_width=440,
            ),
            _grid(
                systems,
                "Quality: mean over queries, 95 % bootstrap interval under it",
                ["system", *map(metric_name, run.metrics), "catalogue shown"],
                lambda one: [
                    *(_figure(one, name) for name in run.metrics),
                    figure(number(one.coverage)),
                ],
            ),
            _grid(
                [one for one in systems if one.name != BASE],
                f"Difference to {BASE} in {metric}. p: paired randomisation test; Holm: the same, "
                "corrected for the number of comparisons; d: mean difference in standard "
                "deviations (d_z). Only variants are tested; the others have an interval",
                ["system", f"Δ to {BASE}", "p", "Holm p", "d", "wins / ties / losses"],
                lambda one: _difference(run, one),
            ),
            _grid(
                [one for one in systems if one.model is not None],
                "Cost of systems that ask a model. Failed: no usable judgement; missing: labels "
                "that the server did not report",
                ["system", "tokens a query", "p50 ms", "p95 ms", "judged", "failed", "missing",
                 "weight λ"],
                _cost,
            ),
            *_variants(run, metric),
            Heading("What the controls say"),
            *control_notes(run),
            *_stops(run),
        ],
    )  # fmt: skip


def control_notes(run: ShownRun) -> list[Block]:
    """A sentence a variant and control. Beating one means: the interval lies above 0."""
    controls = {one.name for one in run.record.systems if one.kind == "control"}
    notes: list[Block] = []
    for variant in run.variants:
        shuffled = variant.name + SHUFFLED
        for name in (shuffled, *_SCORERS):
            known_as = "its shuffled profile" if name == shuffled else _SCORERS[name].split(":")[0]
            found = run.against(variant, name) if name in controls else None
            if found is None or found.low is None:
                key = "controls.shuffled_profile" if name == shuffled else "[controls]"
                notes.append(NotMeasured(f"{variant.name} was not compared with {known_as}.", key))
                continue
            numbers = f"{signed(found.mean)} {interval(found.low, found.high, sign=True)}"
            if found.low > 0:
                notes.append(Note(f"{variant.name} beats {known_as} ({numbers}).", "good"))
                continue
            so = "it does not personalise" if name == shuffled else _SCORERS[name].split(": ")[1]
            notes.append(Note(f"{variant.name} does not beat {known_as} ({numbers}): {so}.", "bad"))
    return notes or [NotMeasured("No variant was run.", "[[variants]]")]


def _grid(
    systems: Sequence[System],
    caption: str,
    columns: Sequence[str],
    cells: Callable[[System], list[Cell]],
) -> Grid:
    return Grid(
        caption,
        head(*columns),
        [
            Rows(title, [[words(one.name), *cells(one)] for one in mine])
            for title, kinds in GROUPS
            if (mine := [one for one in systems if one.kind in kinds])
        ],
    )


def _figure(system: System, metric: str) -> Cell:
    found = system.figures.get(metric)
    if found is None:
        return figure(number(None))
    empty = f" ({found.empty} empty)" if found.empty else ""
    return figure(number(found.mean), interval(found.low, found.high) + empty)


def _difference(run: ShownRun, system: System) -> list[Cell]:
    found = run.against(system, BASE)
    if found is None:
        return _untested(run, system)
    tone: Tone = "good" if (found.low or 0) > 0 else "bad" if (found.high or 0) < 0 else ""
    return [
        figure(signed(found.mean), interval(found.low, found.high, sign=True), tone),
        figure(p_value(found.p)),
        figure(p_value(found.p_holm)),
        figure(signed(found.effect, 2)),
        figure(f"{found.wins} / {found.ties} / {found.losses}"),
    ]


def _untested(run: ShownRun, system: System) -> list[Cell]:
    """The difference of a system that no hypothesis is about: an interval, but no p."""
    deltas = np.array([row.delta for row in run.rows_of.get(system.name, ())], dtype=np.float64)
    deltas = deltas[np.isfinite(deltas)]
    mean, low, high = mean_and_interval(deltas)
    tally = " / ".join(str(int(one.sum())) for one in (deltas > 0, deltas == 0, deltas < 0))
    return [
        figure(signed(mean), interval(low, high, sign=True)),
        *(figure(MISSING) for _ in range(3)),
        figure(tally if deltas.size else MISSING),
    ]


def _variants(run: ShownRun, metric: str) -> list[Block]:
    """How the variants differ from one another, as far as that was tested."""
    names = {one.name for one in run.variants}
    rows = [
        [
            words(one.name),
            words(found.against),
            figure(signed(found.mean), interval(found.low, found.high, sign=True)),
            figure(p_value(found.p)),
            figure(p_value(found.p_holm)),
            figure(signed(found.effect, 2)),
            figure(f"{found.wins} / {found.ties} / {found.losses}"),
        ]
        for one in run.variants
        for found in one.comparisons
        if found.against in names and found.metric == run.record.primary
    ]
    columns = [Cell("variant"), Cell("against"),
               *head("Δ", "p", "Holm p", "d", "wins / ties / losses", numbers_from=0)]  # fmt: skip
    return [table(f"Variants against each other in {metric}", columns, rows)] if rows else []


def _cost(system: System) -> list[Cell]:
    replayed = f"{whole(system.cost.replayed)} replayed" if system.cost.replayed else ""
    return [
        figure(whole(system.cost.tokens_per_query)),
        figure(whole(system.cost.p50_ms)),
        figure(whole(system.cost.p95_ms)),
        figure(whole(system.judged), replayed),
        figure(whole(system.failed), tone="bad" if system.failed else ""),
        figure(whole(system.missing)),
        figure(number(system.weight, 2), system.weight_from if system.weight is not None else ""),
    ]


def _stops(run: ShownRun) -> list[Block]:
    return [
        Note(
            f"Early stop: after {one.sequential.at} queries {one.name} was "
            f"{one.sequential.decision}. Its interval, "
            f"{interval(one.sequential.low, one.sequential.high, sign=True)}, holds however often "
            "one looks; that is why no p is given."
        )
        for one in run.variants
        if one.sequential is not None and one.sequential.decision
    ]
