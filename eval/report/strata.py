"""Who gains and who loses: the difference to S by group of queries."""

from __future__ import annotations

from eval.report import plots
from eval.report.blocks import Block, Figure, Note, NotMeasured, Section
from eval.report.shown import BASE, ShownRun
from eval.report.verdict import metric_name

FEWEST = 10
"""Queries below which a group's mean says too little to colour it."""


def strata_section(run: ShownRun) -> Section:
    """A heat map: a row a system, a column a group."""
    metric = metric_name(run.record.primary)
    return Section(
        "strata",
        "By group of queries",
        f"Mean difference to {BASE} in {metric}. Blue is better than {BASE}, brown is worse.",
        _map(run),
    )


def _map(run: ShownRun) -> list[Block]:
    systems = [one for one in run.record.systems if one.name != BASE and one.strata]
    columns = list(
        dict.fromkeys(
            (stratum, group)
            for one in systems
            for stratum, groups in one.strata.items()
            for group in groups
        )
    )
    if not columns:
        return [NotMeasured("Queries were not told apart.", "[split] and [data]")]
    deltas: list[list[float | None]] = []
    counts: list[list[int]] = []
    for one in systems:
        found = [one.strata.get(stratum, {}).get(group) for stratum, group in columns]
        deltas.append([group.delta if group else None for group in found])
        counts.append([group.n if group else 0 for group in found])
    most = [max(row[at] for row in counts) for at in range(len(columns))]
    labels = [(*column, n) for column, n in zip(columns, most, strict=True)]
    small = [
        f"{stratum} = {group} ({n})"
        for (stratum, group), n in zip(columns, most, strict=True)
        if n < FEWEST
    ]
    blocks: list[Block] = [
        Figure(
            "Each cell holds the mean difference; n is the number of queries.",
            f"Difference to {BASE} by system and group; each cell holds its number.",
            plots.heat([one.name for one in systems], labels, deltas, counts, FEWEST),
            height=150 + 34 * len(systems),
            min_width=240 + 76 * len(columns),
        )
    ]
    if small:
        blocks.append(
            Note(
                f"Grey: fewer than {FEWEST} queries, too few to tell: {', '.join(small)}.", "quiet"
            )
        )
    return blocks
