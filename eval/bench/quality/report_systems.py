"""The page's sections on how the systems compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eval.bench.quality.measures import BASE, PRIMARY
from eval.report import plots
from eval.report.blocks import (
    Block,
    Cell,
    Choice,
    Figure,
    Panel,
    Section,
    figure,
    head,
    table,
    words,
)
from eval.report.numbers import interval, number, p_value, plain, signed

Part = Mapping[str, Any]
_NDCG = "NDCG@10"
_FEWEST = 50
"""Users below which a stratum is grey."""


def by_part(parts: Sequence[Part], blocks: Callable[[Part], Sequence[Any]]) -> list[Block]:
    """One panel a data set and protocol; none where a part has nothing to show."""
    panels = [
        Panel(f"{part['data']}, {part['protocol']}", own) for part in parts if (own := blocks(part))
    ]
    return [Choice("Data and protocol", panels, all_in_print=True)] if panels else []


def ordered(part: Part) -> list[Mapping[str, Any]]:
    """Systems, the best first."""
    return sorted(part["systems"], key=lambda one: -(one["figures"][PRIMARY]["mean"] or 0.0))


def systems_section(parts: Sequence[Part]) -> Section:
    """Every system in NDCG@10 with its interval, and against S."""
    return Section(
        "systems",
        "Systems",
        "Full ranking of the catalogue; what a user had is left out. Differences to S are paired "
        "by user, p is adjusted for all of them together (Holm).",
        by_part(parts, _systems),
    )


def _systems(part: Part) -> list[Block]:
    own = ordered(part)
    main = [one["figures"][PRIMARY] for one in own]
    against = {one["system"]: one for one in part["against_S"]}
    rows = []
    for one in own:
        found, pair = one["figures"], against.get(one["name"])
        rows.append(
            [
                words(one["name"]),
                figure(
                    number(found[PRIMARY]["mean"], 4),
                    interval(found[PRIMARY]["low"], found[PRIMARY]["high"]),
                ),
                *(figure(number(found[name]["mean"], 4))
                  for name in ("hr@10", "recall@10", "recall@50")),
                figure("" if pair is None else signed(pair["mean"], 4),
                       "" if pair is None else interval(pair["low"], pair["high"], sign=True)),
                figure("" if pair is None else p_value(pair["p_holm"])),
            ]
        )  # fmt: skip
    columns = head("system", _NDCG, "HR@10", "recall@10", "recall@50", "over S", "p (Holm)")
    return [
        Figure(
            f"{part['users']} users, {part['items']} items",
            "Every system with its mean and interval; the table below holds the numbers.",
            plots.dots(
                [one["name"] for one in own],
                [one["kind"] for one in own],
                [one["mean"] for one in main],
                [one["low"] for one in main],
                [one["high"] for one in main],
                _NDCG,
            ),
            height=120 + 26 * len(own),
        ),
        table("Systems", columns, rows),
    ]


def strata_section(parts: Sequence[Part]) -> Section:
    """Difference to S by length of the history."""
    return Section(
        "strata",
        "By length of the history",
        "Mean difference to S in NDCG@10. Blue is better than S, brown is worse.",
        by_part(parts, _strata),
    )


def _strata(part: Part) -> list[Block]:
    base = next(one for one in part["systems"] if one["name"] == BASE)["strata"]
    own = [one for one in ordered(part) if one["name"] != BASE]
    columns = [("history", name, int(one["n"])) for name, one in base.items()]
    deltas = [
        [
            None if one["strata"][name]["mean"] is None or base[name]["mean"] is None
            else one["strata"][name]["mean"] - base[name]["mean"]
            for name in base
        ]
        for one in own
    ]  # fmt: skip
    counts = [[int(found["n"]) for found in one["strata"].values()] for one in own]
    return [
        Figure(
            "Each cell holds the mean difference; n is the number of users.",
            "Difference to S by system and length of the history.",
            plots.heat([one["name"] for one in own], columns, deltas, counts, _FEWEST),
            height=150 + 30 * len(own),
            min_width=240 + 76 * len(columns),
        ),
        table(
            "S itself",
            head("history", "users", _NDCG, "95 % interval"),
            [
                [words(name), figure(plain(one["n"])), figure(number(one["mean"], 4)),
                 figure(interval(one["low"], one["high"]))]
                for name, one in base.items()
            ],
        ),
    ]  # fmt: skip


def tuning_section(parts: Sequence[Part]) -> Section:
    """Settings that were chosen, and what they cost."""

    def blocks(part: Part) -> list[Block]:
        rows: list[list[Cell]] = []
        for one in part["systems"]:
            meta = one["meta"]
            tuned = meta.get("tuned")
            if tuned is not None:
                rows.append(_tuned(one["name"], {**tuned, "fit_seconds": meta["fit_seconds"]}))
            elif one["kind"] == "peer":
                names = {"settings": "params", "default": "default_valid_ndcg",
                         "value": "valid_ndcg"}  # fmt: skip
                rows.append(
                    _tuned(one["name"], meta | {key: meta.get(it) for key, it in names.items()})
                )
        columns = head("system", "settings", "T2 by default", "T2 tuned", "trials", "fit, s",
                       numbers_from=2)  # fmt: skip
        return [table("Chosen on T2 under one budget", columns, rows)]

    return Section(
        "tuning",
        "Settings and cost",
        "NDCG@10 on T2 under the first settings and under the best ones.",
        by_part(parts, blocks),
    )


def _tuned(name: str, found: Mapping[str, Any]) -> list[Cell]:
    said = ", ".join(f"{key} {_short(one)}" for key, one in (found["settings"] or {}).items())
    return [
        words(name),
        words(said),
        figure(number(found["default"], 4)),
        figure(number(found["value"], 4)),
        figure(plain(found.get("trials"))),
        figure(number(found.get("fit_seconds"), 1)),
    ]


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
