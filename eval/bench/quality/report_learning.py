"""The page's sections on what S learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.bench.quality.report_systems import Part, by_part
from eval.report import plots
from eval.report.blocks import Block, Figure, Heading, Note, Section, figure, head, table, words
from eval.report.numbers import interval, number, plain, share, signed

_SMALLEST = 0.005
"""Share below which a source is not drawn."""


def curve_section(parts: Sequence[Part]) -> Section:
    """NDCG@10 by number of labelled users."""
    return Section(
        "curve",
        "Few labels",
        "S learned from several random subsets of the labelled users: their mean, the worst and "
        "the best. The straight line is the best single source, chosen with hindsight.",
        by_part(parts, _curve),
    )


def _curve(part: Part) -> list[Block]:
    rows = part["curve"]["rows"]
    x = [f"{row['n']:,} users" for row in rows]
    lines = {
        "S, mean": (x, [row["mean"] for row in rows]),
        "S, worst subset": (x, [row["low"] for row in rows]),
        "S, best subset": (x, [row["high"] for row in rows]),
    }
    single = part["single"]
    if single is not None:
        lines[f"{single['best']} alone"] = (x, [single["ndcg"]] * len(rows))
    return [
        Figure(
            "NDCG@10 on T3",
            "A line each for the mean, the worst and the best subset, and the best source.",
            plots.curves(lines, "labelled users", "NDCG@10"),
            height=340,
        ),
        table(
            "The same in numbers",
            head("labelled users", "subsets", "mean", "worst", "best"),
            [
                [words(plain(row["n"])), figure(plain(row["subsets"])),
                 *(figure(number(row[name], 4)) for name in ("mean", "low", "high"))]
                for row in rows
            ],
        ),
    ]  # fmt: skip


def ablation_section(parts: Sequence[Part]) -> Section:
    """What S loses without a source or a modality."""
    return Section(
        "ablation",
        "What each source is worth",
        "S without a source, its weights learned again. The pool keeps its items, so what only "
        "the missing source had found can still be ranked; next_item reads words itself.",
        by_part(parts, _ablation),
    )


def _ablation(part: Part) -> list[Block]:
    rows = sorted(part["ablation"]["rows"], key=lambda row: row["delta"])
    return [
        Figure(
            "Change of NDCG@10 without it",
            "A bar for each source and group; left of 0 means that S misses it.",
            plots.bars(
                [row["without"] for row in rows],
                {"change": [row["delta"] for row in rows]},
                "change of NDCG@10 on T3",
            ),
            height=110 + 26 * len(rows),
        ),
        table(
            "The same in numbers",
            head("without", "NDCG@10", "change", "95 % interval"),
            [
                [words(row["without"]), figure(number(row["mean"], 4)),
                 figure(signed(row["delta"], 4)),
                 figure(interval(row["low"], row["high"], sign=True))]
                for row in rows
            ],
        ),
    ]  # fmt: skip


def weights_section(parts: Sequence[Part]) -> Section:
    """How much each source counts, and how that moves."""
    return Section(
        "weights",
        "Weights",
        "Shares of the sources in S: by length of the history, by how far the sources agree, and "
        "in five scenes.",
        by_part(parts, _weights),
    )


def _weights(part: Part) -> list[Block]:
    moved = part["movement"]
    blocks: list[Block] = []
    for title, key in (("By length of the history", "history"), ("By agreement", "agreement")):
        names = _counting(moved[key])
        series = {
            f"{row['name']} (n = {row['n']})": [row["weights"].get(one, 0.0) for one in names]
            for row in moved[key]
        }
        blocks += [
            Heading(title),
            Figure(
                "Mean share on T3",
                "Bars of the share of each source, side by side for each group.",
                plots.bars(names, series, "share of S"),
                height=130 + 18 * len(names) * max(1, len(series)),
            ),
        ]
    scenes = moved["scenes"]
    names = _counting(scenes)
    blocks += [
        Heading("Scenes"),
        table(
            "Shares of the sources that speak",
            head("scene", *names),
            [
                [words(row["name"]),
                 *(figure(share(round(row["weights"].get(one, 0.0), 3))) for one in names)]
                for row in scenes
            ],
        ),
    ]  # fmt: skip
    gate = next((one["meta"] for one in part["systems"] if one["name"] == "F-random"), None)
    if gate is not None and "weight" in gate:
        overall = gate["gate"]["overall"]
        blocks.append(
            Note(
                f"The gate on the random scorer is {'open' if gate['weight'] else 'closed'}: "
                f"{overall['because']}; lower bound {signed(overall['bound'], 4)} on "
                f"{plain(overall['n'])} users.",
                "" if gate["weight"] else "good",
            )
        )
    return blocks


def _counting(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(one for row in rows for one in row["weights"])
    return [one for one in names if any(row["weights"].get(one, 0.0) >= _SMALLEST for row in rows)]
