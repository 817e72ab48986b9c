"""The top of the page: what came out, what was wanted, what was asked, was it enough."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from eval.records.record import RunRecord, Threshold
from eval.report.blocks import (
    Block,
    Cell,
    Facts,
    Heading,
    Note,
    NotMeasured,
    Section,
    figure,
    table,
    words,
)
from eval.report.numbers import MISSING, interval, number, plain, share, signed, whole
from eval.report.shown import BASE, ShownRun

TITLES = {"passed": "Passed", "failed": "Failed", "incomplete": "Incomplete"}
SIGNS = {"passed": "✓", "failed": "✗", "incomplete": "…"}
_BAR = re.compile(r"^(?P<what>.*\S)\s+(?P<bar>(?:<=|>=|==|<|>|=|≤|≥)\s*\S+)$", re.DOTALL)


def verdict_section(run: ShownRun) -> Section:
    """Thresholds, what was asked, and whether the queries were enough."""
    record = run.record
    return Section(
        "verdict",
        "Measured and wanted",
        "A run passes when every one of its thresholds holds.",
        [_thresholds(record), Heading("What was asked"), _asked(record), *_enough(record)],
    )


def gist(run: ShownRun) -> str:
    """What became of each variant, in a sentence for somebody who reads no further."""
    parts = []
    for system in run.variants:
        found = run.against(system, BASE)
        if found is None or found.mean is None:
            parts.append(f"{system.name} was not compared with {BASE}.")
            continue
        clear = "better than" if (found.low or 0) > 0 else (
            "worse than" if (found.high or 0) < 0 else "not clearly different from"
        )  # fmt: skip
        parts.append(
            f"{system.name} is {clear} {BASE}: Δ {record_metric(run)} {signed(found.mean)} "
            f"{interval(found.low, found.high, sign=True)}."
        )
    return " ".join(parts)


def record_metric(run: ShownRun) -> str:
    """The primary metric as people write it."""
    return metric_name(run.record.primary)


def metric_name(name: str) -> str:
    """``ndcg@10`` to ``NDCG@10``; ``pool_recall`` to ``pool recall``."""
    kind, at, cut = name.partition("@")
    short = {"ndcg": "NDCG", "hr": "hit rate", "recall": "recall"}
    return short.get(kind, kind.replace("_", " ")) + at + cut


def _thresholds(record: RunRecord) -> Block:
    if not record.thresholds:
        return NotMeasured("No threshold was set, so nothing could fail.", "[[thresholds]]")
    return table(
        "Thresholds of this run",
        [Cell("threshold"), Cell("wanted", number=True), Cell("measured", number=True),
         Cell("held")],
        [_threshold(one) for one in record.thresholds],
    )  # fmt: skip


def _threshold(one: Threshold) -> list[Cell]:
    parts = _BAR.match(one.text)
    what, bar = (parts["what"], parts["bar"]) if parts else (one.text, MISSING)
    held = Cell("✓ yes", tone="good") if one.passed else Cell("✗ no", tone="bad")
    for plain_sign, sign in (("<=", "≤"), (">=", "≥"), ("==", "=")):
        bar = bar.replace(plain_sign, sign)
    return [words(what), figure(bar), figure(_short(one.measured)), held]


def _short(value: float | None) -> str:
    return plain(value) if value is None or abs(value) >= 100 else number(value, 4)


def _asked(record: RunRecord) -> Facts:
    data = record.config.get("data")
    where = data.get("path") if isinstance(data, Mapping) else data
    models = [
        f"{one.name}: {one.model_id}, {one.tier}"
        + (", every answer replayed from a recording" if one.replayed else ", asked live")
        for one in record.models
    ]
    prompts = [
        f"{one.variant}: {one.reference}, {one.lang}, {one.sha256[:12]}" for one in record.prompts
    ]
    return Facts(
        [
            ("Data", [f"{where or MISSING}, {whole(record.catalogue)} items in the catalogue",
                      f"SHA-256 {record.data_sha256[:16]}"]),
            ("Split", _split(record.split)),
            ("Queries", [f"{whole(record.queries)} measured, {whole(record.asked_for)} asked for"]),
            ("Models", models or [MISSING]),
            ("Prompts", prompts or [MISSING]),
            ("Seeds", [", ".join(map(str, record.seeds)) or MISSING]),
            ("Decided by", [metric_name(record.primary)]),
            ("Commit", [_commit(record.commit)]),
        ]
    )  # fmt: skip


def _split(split: Mapping[str, Any]) -> list[str]:
    cuts = split.get("cuts") or ()
    lines = [str(split.get("kind") or MISSING)]
    lines += [
        f"cut {at}: {str(cut)[:16].replace('T', ' ')}" for at, cut in enumerate(cuts, start=1)
    ]
    lines += [f"{key}: {value}" for key, value in split.items() if key not in ("kind", "cuts")]
    return lines


def _commit(text: str) -> str:
    """Twelve digits tell commits apart; ``-dirty`` stays."""
    sha, dash, rest = text.partition("-")
    return sha[:12] + dash + rest or MISSING


def _enough(record: RunRecord) -> list[Block]:
    need = record.required_n
    title = Heading("Were these queries enough?")
    if need is None:
        return [title, NotMeasured("The number of queries needed was not estimated.", "[stats]")]
    short = need.needed is not None and need.have < need.needed
    return [
        title,
        Note(
            f"To see a difference of {plain(need.detect)} (two-sided α {plain(need.alpha)}, "
            f"power {share(need.power)}, paired standard deviation {plain(need.sd)}) takes "
            f"{whole(need.needed)} queries; this run has {whole(need.have)}. With "
            f"{whole(need.have)} it can see a difference of about {number(need.detectable)}"
            + (
                ": a smaller one would look like none."
                if short
                else ", so it was large enough."
                if need.needed is not None
                else "."
            ),
            tone="warn" if short else "",
        ),
    ]
