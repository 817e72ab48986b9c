"""Single queries: how much each gained or lost, and the worst and best ones in full."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from eval.records.record import System
from eval.records.tables import Judgement, Row
from eval.report import plots
from eval.report.blocks import (
    Case,
    Cell,
    Choice,
    Figure,
    Grid,
    Heading,
    Note,
    NotMeasured,
    Panel,
    Prompt,
    Section,
    Tone,
    figure,
    head,
    table,
    words,
)
from eval.report.board import SHUFFLED
from eval.report.changes import unchanged, word_changes
from eval.report.numbers import MISSING, number, signed, whole
from eval.report.shown import BASE, ShownRun
from eval.report.verdict import metric_name
from prompts.prompt import Turn

EACH = 5
BIN = 0.05
_MARK = re.compile(r"^</?data\b[^>\n]*>\n?", re.MULTILINE)  # of prompts.untrusted
_IDEOGRAPH = re.compile(r"[㐀-鿿]")


def gains_section(run: ShownRun) -> Section:
    """A histogram a variant."""
    metric = metric_name(run.record.primary)
    panels = [Panel(one.name, _histogram(run, one, metric)) for one in run.variants]
    return Section(
        "gains",
        "Query by query",
        f"One query's {metric} minus what {BASE} reaches for it: how many gain, how many pay.",
        [Choice("Variant", panels, all_in_print=True)] if panels else [_nothing()],
    )


def cases_section(run: ShownRun) -> Section:
    """The worst and the best queries of each variant."""
    panels = [Panel(one.name, _cases(run, one)) for one in run.variants]
    return Section(
        "cases",
        "Worst and best queries",
        "Open one to see what the model read and answered. Marked words stand in only one of the "
        "two prompts. On paper only the chosen variant appears.",
        [Choice("Variant", panels)] if panels else [_nothing()],
    )


def _nothing() -> NotMeasured:
    return NotMeasured("No variant was run.", "[[variants]]")


def _histogram(run: ShownRun, system: System, metric: str) -> list[Figure | Note | NotMeasured]:
    deltas = np.array([row.delta for row in run.rows_of.get(system.name, ())], dtype=np.float64)
    told = deltas[np.isfinite(deltas)]
    if not told.size:
        return [NotMeasured(f"No query of {system.name} could be compared.", "primary")]
    at = np.round(told / BIN).astype(int)
    places = np.arange(at.min(), at.max() + 1)
    counts = [int((at == place).sum()) for place in places]
    lost = deltas.size - told.size
    tally = (
        f"{int((told > 0).sum())} queries gain, {int((told < 0).sum())} lose, "
        f"{int((told == 0).sum())} stay as they are; mean {signed(float(told.mean()))}, "
        f"median {signed(float(np.median(told)))}. Grey: within ±{BIN / 2:g}."
    )
    return [
        Figure(
            f"{system.name}: {tally}" + (f" {lost} had nothing to measure." if lost else ""),
            f"Histogram of Δ {metric} of {system.name}. {tally}",
            plots.gains([(place - 0.5) * BIN for place in places.tolist()], counts, BIN, metric),
            height=280,
        )
    ]


def _cases(run: ShownRun, system: System) -> list[Heading | Case | Note | NotMeasured]:
    told = sorted(
        (row for row in run.rows_of.get(system.name, ()) if math.isfinite(row.delta)),
        key=lambda row: (row.delta, row.query_id),
    )
    worst = [row for row in told if row.delta < 0][:EACH]
    best = [row for row in reversed(told) if row.delta > 0][:EACH]
    partner = _partner(run, system)
    shown: list[Heading | Case | Note | NotMeasured] = []
    for title, rows, none in (
        ("Worst", worst, f"No query is worse than under {BASE}."),
        ("Best", best, f"No query is better than under {BASE}."),
    ):
        shown.append(Heading(f"{title} of {system.name}"))
        shown += [_case(run, system, partner, row) for row in rows] or [Note(none)]
    return shown


def _partner(run: ShownRun, system: System) -> System | None:
    """Whose prompt stands beside: the next variant on the same model, or the shuffled one."""
    same = [
        one
        for one in run.variants
        if (one.model, one.seed) == (system.model, system.seed) and one.name != system.name
    ]
    after = [one for one in same if run.variants.index(one) > run.variants.index(system)]
    shuffled = [one for one in run.record.systems if one.name == system.name + SHUFFLED]
    return next(iter([*after, *same, *shuffled]), None)


def _case(run: ShownRun, system: System, partner: System | None, row: Row) -> Case:
    judged = sorted(run.judged.get((system.name, row.query_id), ()), key=lambda one: one.final_rank)
    found = [one for one in judged if one.relevant]
    # The prompt of the item that should have been found; of the first one where it was not judged.
    item = next(iter(found or judged), None)
    theirs = [
        one
        for one in run.judged.get((partner.name, row.query_id), ())
        if partner and item and one.item_id == item.item_id
    ] if partner else []  # fmt: skip
    other = next(iter(theirs), None)
    on_file = run.conversations({one.conversation for one in (item, other) if one})
    mine = on_file.get(item.conversation, []) if item else []
    beside = on_file.get(other.conversation, []) if other else []
    asked = _MARK.sub("", mine[-1]["content"]) if mine else MISSING
    blocks: list[Grid | Note] = [_found(run, system, row, found)]
    if item is not None and not item.relevant:
        blocks.append(Note("No relevant item was judged; the prompt is that of the first one."))
    return Case(
        row.query_id,
        signed(row.delta),
        "good" if row.delta > 0 else "bad",
        "; ".join(f"{one.item_id}: {one.base_rank} → {one.final_rank}" for one in found)
        or "no relevant item was judged",
        asked,
        _lang(asked),
        blocks,
        _prompts(system, partner, item, mine, beside),
    )


def _found(run: ShownRun, system: System, row: Row, found: Sequence[Judgement]) -> Grid:
    rows = [
        [
            words(one.item_id),
            figure(whole(one.base_rank)),
            figure(whole(one.final_rank), tone=_moved(one)),
            figure(number(one.base_score)),
            figure(signed(one.log_odds)),
            _pairs({name: number(value) for name, value in one.logprobs.items()}),
            _pairs({name: signed(value) for name, value in one.parts.items()}),
        ]
        for one in found
    ]
    told = {one.item_id for one in found}
    rows += [
        [words(item_id), *(figure(MISSING) for _ in range(4)), words(""), words("")]
        for item_id in sorted(run.relevant.get(row.query_id, frozenset()) - told)
    ]
    return table(
        f"Relevant items of {row.query_id} under {system.name}; those with – were not judged",
        [*head("item", f"rank by {BASE}", "final rank", f"score {BASE}", "log-odds"),
         Cell("log-probability of each label"), Cell("parts of the final score")],
        rows,
    )  # fmt: skip


def _moved(one: Judgement) -> Tone:
    return "good" if one.final_rank < one.base_rank else (
        "bad" if one.final_rank > one.base_rank else ""
    )  # fmt: skip


def _pairs(values: dict[str, str]) -> Cell:
    return words(", ".join(f"{name} {value}" for name, value in values.items()))


def _prompts(
    system: System,
    partner: System | None,
    item: Judgement | None,
    mine: Sequence[Turn],
    beside: Sequence[Turn],
) -> list[Prompt]:
    if item is None or not mine:
        return []
    title = f"{system.name}, {item.item_id}"
    if partner is None or not beside:
        return [Prompt(title, unchanged(mine), "ins", _lang(mine[-1]["content"]))]
    theirs, ours = word_changes(beside, mine)
    return [
        Prompt(title, ours, "ins", _lang(mine[-1]["content"])),
        Prompt(f"{partner.name}, {item.item_id}", theirs, "del", _lang(beside[-1]["content"])),
    ]


def _lang(text: str) -> str:
    return "zh" if _IDEOGRAPH.search(text) else ""
