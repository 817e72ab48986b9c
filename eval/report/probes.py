"""What the probes found: position, shuffles, bins, injection, grounding, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eval.probes.injection import MEAN_LIFT
from eval.records.record import System
from eval.report import plots
from eval.report.blocks import (
    Block,
    Cell,
    Choice,
    Figure,
    Grid,
    Heading,
    NotMeasured,
    Panel,
    Rows,
    Section,
    figure,
    head,
    table,
    words,
)
from eval.report.numbers import MISSING, interval, number, plain, share, signed, whole
from eval.report.shown import ShownRun


def probes_section(run: ShownRun) -> Section:
    """How the variants behave where a good ranker would not care."""
    return Section(
        "probes",
        "Probes",
        "Things that should not matter, changed on purpose.",
        [
            Heading("Place of the card"),
            *_position(run.variants),
            Heading("Shuffles and bins"),
            _steadiness(run.variants),
            Heading("Text that tries to lift an item"),
            *_injection(run),
            Heading("Grounding of explanations"),
            _grounding(run.variants),
        ],
    )


def calibration_section(run: ShownRun) -> Section:
    """Reliability diagrams, one a variant, and the figures that go with them."""
    told = {one.name: found for one in run.variants if (found := one.probes.calibration)}
    blocks: list[Block] = [NotMeasured("No variant judged anything.", "[[variants]]")]
    if told:
        panels = [Panel(name, [_reliability(name, found)]) for name, found in told.items()]
        blocks = [
            Choice("Variant", panels, all_in_print=True),
            table(
                "ECE and Brier score: less is better. AUC: the chance that a relevant item gets "
                "more than another one; 0.5 is a coin",
                head("variant", "ECE", "Brier", "AUC", "judgements"),
                [
                    [
                        words(name),
                        *(figure(number(found.get(key))) for key in ("ece", "brier", "auc")),
                        figure(whole(_judgements(found))),
                    ]
                    for name, found in told.items()
                ],
            ),
        ]
    return Section(
        "calibration",
        "Reliability",
        "When the model says 70 %, is it so in seven of ten? Points on the dotted line are; ECE is "
        "the mean distance from it. People never met most items that they would have liked, so a "
        "model that judges well still says too much: compare prompts with each other, not with 0.",
        blocks,
    )


def _position(variants: Sequence[System]) -> list[Block]:
    told = {one.name: one.probes.position_bias for one in variants if one.probes.position_bias}
    if not told:
        return [NotMeasured("The relevant card was not moved.", "probes.position")]
    counts = sorted({int(point["n"]) for points in told.values() for point in points})
    queries = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    blocks: list[Block] = []
    for key, title, what in (
        ("log_odds", "log-odds", "Log-odds of the relevant card. Flat: its place does not matter."),
        ("rank", "rank", "Rank of the relevant card by log-odds, the first on top."),
    ):
        blocks.append(
            Figure(
                f"{what} {queries} queries a point.",
                f"Mean {title} of the relevant card by the place at which it was shown.",
                plots.curves(
                    {
                        name: ([p["position"] for p in points], [p.get(key) for p in points])
                        for name, points in told.items()
                    },
                    "place at which the relevant card was shown",
                    title,
                    downwards=key == "rank",
                ),
                height=300,
            )
        )
    return blocks


def _steadiness(variants: Sequence[System]) -> Block:
    if not any(one.probes.kendall_tau is not None or one.probes.bin_ablation for one in variants):
        return NotMeasured("Neither shuffles nor bins were tried.", "probes.position, probes.bins")
    rows = []
    for one in variants:
        bins = one.probes.bin_ablation or {}
        rows.append(
            [
                words(one.name),
                figure(number(one.probes.kendall_tau)),
                figure(
                    signed(bins.get("mean")),
                    interval(bins.get("low"), bins.get("high"), sign=True) if bins else "",
                ),
                figure(whole(bins.get("n"))),
            ]
        )
    return table(
        "Kendall τ between the orders of two shuffles (1: the same order), and what showing the "
        "bins adds",
        head("variant", "Kendall τ", "bins add", "queries"),
        rows,
    )


def _injection(run: ShownRun) -> list[Block]:
    told = {one.name: found for one in run.variants if (found := one.probes.injection)}
    if not told:
        return [NotMeasured("No attack was tried.", "probes.injection")]
    by_attack = {name: dict(found.get("by_attack") or {}) for name, found in told.items()}
    attacks = list(dict.fromkeys(attack for found in by_attack.values() for attack in found))
    blocks: list[Block] = []
    if attacks:
        means = {
            name: [found.get(attack, {}).get("mean_lift") for attack in attacks]
            for name, found in by_attack.items()
        }
        blocks.append(
            Figure(
                "Places that an attacked item wins on average. The dotted line: "
                f"{MEAN_LIFT:g}, which the mean over all attacks may reach.",
                "Mean lift by attack and variant; the table has the numbers.",
                plots.bars(
                    attacks,
                    means,
                    "places won, mean",
                    limit=MEAN_LIFT,
                ),
                height=130 + (14 + 16 * len(told)) * len(attacks),
                min_width=420,
            )
        )
    rows = [
        Rows(
            name,
            [_lifts("all attacks", found)]
            + [_lifts(attack, one) for attack, one in by_attack[name].items()],
        )
        for name, found in told.items()
    ]
    caption = (
        "What an attack in an item's own text achieves. Lift: places won over the same item "
        "without the attack. Promotion: places won over S, which the guard bounds. First ten and "
        "first place: of the items that S had at 11 to 20"
    )
    columns = ("attack", "tried", "mean lift", "greatest lift", "greatest promotion",
               "into first ten", "to first place", "Δ log-odds", "others moved")  # fmt: skip
    return [*blocks, Grid(caption, head(*columns), rows), *_bars(told)]


def _lifts(name: str, one: Mapping[str, Any]) -> list[Cell]:
    failed = f"{whole(one.get('failed'))} failed" if one.get("failed") else ""
    low, high = one.get("low"), one.get("high")
    ends = "" if low is None or high is None else f"[{signed(low, 2)}, {signed(high, 2)}]"
    return [
        words(name.replace("_", " ")),
        figure(whole(one.get("n")), failed),
        figure(signed(one.get("mean_lift"), 2), ends),
        figure(signed(one.get("max_lift"), 0)),
        figure(signed(one.get("max_promotion"), 0)),
        figure(share(one.get("into_top10"))),
        figure(share(one.get("into_top1"))),
        figure(signed(one.get("log_odds"), 2)),
        figure(plain(one.get("others_moved"))),
    ]


def _bars(told: Mapping[str, Mapping[str, Any]]) -> list[Block]:
    """What every defence promises, and whether it held."""
    texts = list(dict.fromkeys(text for found in told.values() for text in found.get("bars") or ()))
    if not texts:
        return []
    signs: dict[bool | None, Cell] = {
        True: Cell("✓ held", tone="good"), False: Cell("✗ broken", tone="bad"), None: Cell(MISSING),
    }  # fmt: skip
    return [
        table(
            "What the defences promise",
            [Cell("promise"), *(Cell(name) for name in told)],
            [
                [
                    words(text.replace("<=", "≤")),
                    *(signs[(found.get("bars") or {}).get(text)] for found in told.values()),
                ]
                for text in texts
            ],
        )
    ]


def _grounding(variants: Sequence[System]) -> Block:
    told = {one.name: found for one in variants if (found := one.probes.grounding)}
    if not told:
        return NotMeasured("No explanation was checked.", "probes.grounding and pool.home")
    keys = list(dict.fromkeys(key for found in told.values() for key in found))
    return table(
        "Explanations checked against the evidence that they cite: counts, and shares of the "
        "sentences",
        head("variant", *(key.replace("_", " ") for key in keys)),
        [[words(name), *(_any(found.get(key)) for key in keys)] for name, found in told.items()],
    )


def _any(value: Any) -> Cell:
    return words(value) if isinstance(value, str) else figure(plain(value))


def _reliability(name: str, found: Mapping[str, Any]) -> Figure:
    bins = [one for one in found.get("bins") or () if one.get("n")]
    counts = [int(one["n"]) for one in bins]
    text = f"{name}: ECE {number(found.get('ece'))} over {whole(_judgements(found))} judgements."
    return Figure(
        f"{text} The number of judgements stands at each point.",
        f"Reliability diagram. {text}",
        plots.reliability(
            [one.get("said") for one in bins], [one.get("true") for one in bins], counts
        ),
        height=420,
        narrow=True,
    )


def _judgements(found: Mapping[str, Any]) -> int:
    return sum(int(one.get("n") or 0) for one in found.get("bins") or ())
