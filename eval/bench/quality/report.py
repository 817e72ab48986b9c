"""``report.html`` and ``table.md`` from the results; the page needs nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.bench.quality.markdown import markdown
from eval.bench.quality.report_learning import (
    ablation_section,
    curve_section,
    weights_section,
)
from eval.bench.quality.report_lists import beyond_section, items_section, twenty_section
from eval.bench.quality.report_systems import strata_section, systems_section, tuning_section
from eval.records.whole import whole
from eval.report.blocks import Cell, Facts, Section, figure, head, table, words
from eval.report.numbers import number, signed
from eval.report.write import REPORT, page

TABLE = "table.md"
_WORDS = (
    ("source", "a recommender that knows one thing: behaviour, order, words, pictures, what sells"),
    ("S", "the learned mixture of all sources"),
    ("S-prior", "the same mixture with the weights that need no labels"),
    ("rrf, comb_sum", "mixtures of the same sources that learn nothing"),
    ("F-random", "S with one more scorer that knows nothing, behind the gate"),
    ("peer", "a system of another library, tuned under the same budget on the same split"),
    ("T1, T2, T3", "periods: sources are fitted on T1, tuned and mixed on T2, tested once on T3"),
    ("NDCG@10", "1 when the relevant items stand first, 0 when none is among the first ten"),
    ("cold item", "one with at most five users before the test"),
    ("–", "nothing was measured; this is never a zero"),
)


def write_report(out: Path, results: Mapping[str, Any]) -> Path:
    """Write the page and the Markdown table, each whole or not at all; returns the page's path.

    Args:
        out: the folder of the benchmark.
        results: as ``results.json`` holds them.
    """
    for name, text in ((REPORT, render(results)), (TABLE, markdown(results["parts"]))):
        with whole(out / name) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    return out / REPORT


def render(results: Mapping[str, Any]) -> str:
    """The page as text."""
    parts: Sequence[Mapping[str, Any]] = results["parts"]
    bars = results["bars"]
    failed = [one for one in bars if one["state"] == "failed"]
    open_ = [one for one in bars if one["state"] == "not measured"]
    verdict = "Failed" if failed else "Passed" if not open_ else "Passed as far as measured"
    sections = (
        systems_section(parts),
        strata_section(parts),
        items_section(parts),
        curve_section(parts),
        ablation_section(parts),
        weights_section(parts),
        twenty_section(parts),
        beyond_section(parts),
        tuning_section(parts),
    )
    return page(
        [
            _bars(bars),
            *(one for one in sections if one.blocks),
            _references(parts),
            _origin(results),
        ],
        over="Benchmark of recommendation quality",
        name="S against its sources and its peers",
        run_id=results["commit"][:12] or "outside a checkout",
        at=results["at"],
        verdict=verdict,
        sign="✗" if failed else "✓",
        tone="bad" if failed else "good",
        because=f"{len(bars) - len(failed) - len(open_)} of {len(bars)} bars hold, "
        f"{len(failed)} do not, {len(open_)} were not measured.",
        gist=" ".join(filter(None, map(_gist, parts))),
        words=_WORDS,
    )


def _gist(part: Mapping[str, Any]) -> str:
    single = part["single"]
    if single is None:
        return ""
    found = single["overall"]
    clear = "better than" if (found["low"] or 0) > 0 else (
        "worse than" if (found["high"] or 0) < 0 else "not clearly different from"
    )  # fmt: skip
    chosen = part["chosen"]
    over = chosen["overall"]
    return (
        f"{part['data']}, {part['protocol']}: S is {clear} the source that turned out best, "
        f"{single['best']} ({_spread(found)}); over {chosen['best']}, which T2 calls best: "
        f"{_spread(over)}."
    )


def _spread(found: Mapping[str, Any]) -> str:
    return f"{signed(found['mean'], 4)} [{signed(found['low'], 4)}, {signed(found['high'], 4)}]"


def _bars(bars: Sequence[Mapping[str, Any]]) -> Section:
    states = {
        "held": Cell("✓ yes", tone="good"),
        "failed": Cell("✗ no", tone="bad"),
        "not measured": Cell("not measured", tone="quiet"),
    }
    rows = [[words(one["text"]), words(one["measured"]), states[one["state"]]] for one in bars]
    return Section(
        "bars",
        "Measured and wanted",
        "What the benchmark must show. The command ends with 1 when one of these is missed.",
        [table("Bars", head("bar", "measured", "held", numbers_from=9), rows)],
    )


def _references(parts: Sequence[Mapping[str, Any]]) -> Section:
    rows = []
    seen: set[str] = set()
    for part in parts:
        if part["data"] in seen:
            continue
        seen.add(part["data"])
        rows += [
            [
                words(f"{part['data']}: {one['system']} {one['metric']}"),
                figure(number(one["expected"], 4)),
                figure(number(one["measured"], 4)),
                Cell("✓ yes", tone="good") if one["held"] else Cell("✗ no", tone="bad"),
            ]
            for one in part["references"]["rows"]
        ]
    return Section(
        "references",
        "Reference rows",
        "Popular, ItemKNN (k = 200) and EASE (λ = 300), untuned and leave-last-out, have to "
        "reproduce the published rows to the third decimal before anything here is believed.",
        [table("Reference rows", head("row", "expected", "measured", "held"), rows)],
    )


def _origin(results: Mapping[str, Any]) -> Section:
    settings = results["settings"]
    return Section(
        "origin",
        "Where this comes from",
        "The same command on the same folder computes nothing again.",
        [
            Facts(
                [
                    ("Commit", [results["commit"] or "–"]),
                    ("Versions", [f"{k} {v}" for k, v in results["versions"].items()]),
                    (
                        "Budget",
                        [
                            f"{settings['trials']} trials or {settings['seconds']:g} s for each "
                            f"source, {settings['labels']} labelled users at most",
                            f"EASE up to {settings['ease_items']} items",
                        ],
                    ),
                    ("Seeds", [", ".join(map(str, settings["seeds"]))]),
                    (
                        "Sets",
                        [
                            f"{one['data']}, {one['protocol']}: {one['users']} users asked, "
                            f"{one['items']} items, {one['train']} interactions before, "
                            f"{one['labelled']} labelled; left out: "
                            f"{', '.join(one['left_out']) or 'nothing'}"
                            for one in results["parts"]
                        ],
                    ),
                ]
            )
        ],
    )
