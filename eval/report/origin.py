"""The end of the page: what was left out, and what it takes to run this again."""

from __future__ import annotations

import json

from eval.report.blocks import Block, Cell, Note, Section, Source, figure, head, table, words
from eval.report.numbers import MISSING, whole
from eval.report.shown import ShownRun
from eval.report.verdict import metric_name


def left_out_section(run: ShownRun) -> Section:
    """Every exclusion with its count."""
    record = run.record
    blocks: list[Block] = []
    told = {reason: n for reason, n in record.left_out.items() if n}
    if told:
        blocks.append(
            table(
                "Queries that were not asked",
                [Cell("reason"), Cell("queries", number=True)],
                [[words(reason), figure(whole(n))] for reason, n in told.items()],
            )
        )
    else:
        blocks.append(Note("Nothing was left out."))
    empty = [
        [words(one.name), words(metric_name(metric)), figure(whole(found.empty))]
        for one in record.systems
        for metric, found in one.figures.items()
        if found.empty
    ]
    if empty:
        blocks.append(
            table(
                "Queries that had nothing to measure; they are in no mean",
                head("system", "metric", "queries", numbers_from=2),
                empty,
            )
        )
    return Section("left-out", "What was left out", "Nothing is dropped without a count.", blocks)


def origin_section(run: ShownRun) -> Section:
    """Versions, hashes and the config."""
    record = run.record
    facts = {
        "run": record.id,
        "at": record.at,
        "commit": record.commit or MISSING,
        "data SHA-256": record.data_sha256,
        **{f"prompt {one.variant}, {one.lang}": f"{one.reference}, {one.sha256}"
           for one in record.prompts},
        **{f"version of {name}": value for name, value in record.versions.items()},
    }  # fmt: skip
    return Section(
        "origin",
        "To run it again",
        "The folder of this run also holds record.json, the rows as Parquet and TREC files.",
        [
            table(
                "Where this run came from",
                head("what", "which", numbers_from=2),
                [[words(name), words(value)] for name, value in facts.items()],
            ),
            Source("Config", json.dumps(record.config, indent=2, ensure_ascii=False)),
        ],
    )
