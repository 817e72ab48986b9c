"""The page's sections on cold items, given candidates, and lists as lists."""

from __future__ import annotations

from collections.abc import Sequence

from eval.bench.quality.measures import BASE, LISTS, PRIMARY
from eval.bench.quality.report_systems import Part, by_part, ordered
from eval.report.blocks import Block, Note, Section, figure, head, table, words
from eval.report.numbers import interval, number, plain


def items_section(parts: Sequence[Part]) -> Section:
    """Cold and warm items apart."""
    return Section(
        "items",
        "Cold and warm items",
        "NDCG@10 of the relevant items that had at most five users, and of the others. Among "
        "cold: only the cold items are ranked, since a few warm ones stand before all of them.",
        by_part(parts, _items),
    )


def _items(part: Part) -> list[Block]:
    rows = []
    for one in ordered(part):
        found = one["figures"]
        cells = [
            figure(
                number(found[name]["mean"], 4), interval(found[name]["low"], found[name]["high"])
            )
            for name in ("cold", "among_cold", "warm")
        ]
        rows.append([words(one["name"]), *cells])
    if all(one["figures"]["cold"]["n"] == 0 for one in part["systems"]):
        return [Note("Nobody took a cold item in T3.", "quiet")]
    asked = next(one["figures"] for one in part["systems"] if one["name"] == BASE)
    return [
        table(
            f"{plain(part['cold_items'])} cold items; {plain(asked['cold']['n'])} users took one, "
            f"{plain(asked['warm']['n'])} a warm one",
            head("system", "cold", "among cold", "warm"),
            rows,
        )
    ]


def twenty_section(parts: Sequence[Part]) -> Section:
    """The published protocol with given candidates."""

    def blocks(part: Part) -> list[Block]:
        found = part["twenty"]
        if not found:
            return []
        cuts = ("ndcg@1", "ndcg@5", "ndcg@10", "ndcg@20")
        best_first = sorted(found.items(), key=lambda one: -one[1][PRIMARY]["mean"])
        rows = [
            [words(name), *(
                figure(number(100 * one[cut]["mean"], 2),
                       interval(100 * one[cut]["low"], 100 * one[cut]["high"]))
                for cut in cuts
            )]
            for name, one in best_first
        ]  # fmt: skip
        return [
            table("NDCG in %", head("system", "NDCG@1", "NDCG@5", "NDCG@10", "NDCG@20"), rows),
            Note(
                "Published (Hou et al., ECIR 2024, table 2): "
                "popular 28.35 / 47.42 / 52.96 / 57.45, "
                "BPRMF 44.92 / 62.33 / 66.27 / 68.94, SASRec 56.90 / 73.19 / 75.92 / 77.14."
            ),
        ]

    return Section(
        "twenty",
        "Twenty given candidates",
        "The published protocol: 19 random items and the right one. Easier than a full ranking, "
        "and comparable with published tables. Weights are learned on other people.",
        by_part(parts, blocks),
    )


def beyond_section(parts: Sequence[Part]) -> Section:
    """Coverage, novelty, diversity, calibration."""

    def blocks(part: Part) -> list[Block]:
        shown = [one for one in LISTS if one in part["systems"][0]["figures"]]
        rows = [
            [
                words(one["name"]),
                figure(number(one["figures"]["coverage@10"]["mean"])),
                *(figure(number(one["figures"][name]["mean"])) for name in shown),
            ]
            for one in ordered(part)
        ]
        genre = f"; genres are “{part['genre']}”" if part["genre"] else ""
        return [
            table(
                f"Lists of ten; items are alike by {part['alike_by']}{genre}",
                head("system", "coverage", *shown),
                rows,
            )
        ]

    return Section(
        "beyond",
        "Beyond accuracy",
        "Coverage: share of the catalogue in anybody's list. Novelty: bits of surprise, "
        "-log2 of the share of users who have an item. Diversity: 1 - mean likeness of two items. "
        "Miscalibration: how far the list's genres are from the history's, 0 = the same.",
        by_part(parts, blocks),
    )
