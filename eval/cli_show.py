"""What ``palate eval show`` prints: one query with all that led to its ranks, or which to look at.

S is additive, and so is the final score: its reasons are its parts, the largest first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.records.asked import QUESTIONS, read_asked
from eval.records.record import RunRecord, read_record
from eval.records.tables import Judgement, Row, read_judgements, read_prompts, read_rows
from eval.records.trec import read_qrels
from retrieval.errors import InvalidInput, NotFound

_EXTREMES = 5
_REASONS = 3
_SMALL = 5e-4  # shown with three digits it would be a zero


def print_extremes(out: Console, folder: Path, system: str | None) -> None:
    """The queries that gained and lost most under one system, with their groups.

    Raises:
        NotFound: the run is unfinished, or has no such system.
        InvalidInput: it has no variant, and no system was named.
    """
    record = read_record(folder)
    name = _system(record, system)
    rows = [row for row in read_rows(folder) if row.system == name and math.isfinite(row.delta)]
    gains = sorted((row for row in rows if row.delta > 0), key=lambda row: -row.delta)
    losses = sorted((row for row in rows if row.delta < 0), key=lambda row: row.delta)
    for verb, its in (("gain", gains), ("lose", losses)):
        _line(out, f"{name}: {len(its)} of {len(rows)} queries {verb} {record.primary} against S")
        if its:
            out.print(_extremes(record.primary, its[:_EXTREMES]))
    _line(out, f"one of them: palate eval show {record.id} --query ID")


def print_query(
    out: Console, folder: Path, query_id: str, system: str | None, item_id: str | None
) -> None:
    """One query under one system: who asked, candidates, reasons, and the prompt of one item.

    Args:
        out: where to print.
        folder: of the run.
        query_id: which query.
        system: default: the variant with the best primary metric.
        item_id: whose prompt and reasons; default: the first ranked.

    Raises:
        NotFound: the run is unfinished; it has no such system, query or judged item.
        InvalidInput: no model judged anything for that system.
    """
    record = read_record(folder)
    name = _system(record, system)
    qrels = read_qrels(folder)
    if query_id not in qrels:
        raise NotFound(
            f"run {record.id} has no query {query_id!r}",
            f"it has {len(qrels)}, for example {', '.join(list(qrels)[:_EXTREMES])}",
        )
    judged = sorted(
        read_judgements(folder, query_id=query_id, system=name), key=lambda one: one.final_rank
    )
    if not judged:
        having = [one.name for one in record.systems if one.judged]
        raise InvalidInput(
            f"no model judged query {query_id!r} for {name}",
            f"--system one of: {', '.join(having)}" if having else "this run asked no model",
        )
    row = next(
        (row for row in read_rows(folder) if row.system == name and row.query_id == query_id), None
    )
    _print_head(out, record, name, folder, query_id, row)
    relevant = qrels[query_id]
    unjudged = sorted(relevant - {one.item_id for one in judged})
    _line(out, f"relevant: {', '.join(sorted(relevant))}")
    if unjudged:
        _line(out, f"of these no model saw: {', '.join(unjudged)}")
    out.print(_candidates(judged))
    chosen = judged[0] if item_id is None else _item(judged, item_id)
    for sentence in reasons(chosen):
        _line(out, sentence)
    _print_prompt(out, folder, chosen)


def reasons(one: Judgement) -> list[str]:
    """Why the item stands where it stands, in words: its place, what spoke for and against it."""
    moved = one.base_rank - one.final_rank
    how = f"up from {one.base_rank}" if moved > 0 else f"down from {one.base_rank}"
    place = how if moved else "where S had put it"
    said = [f"{one.item_id} stands at {one.final_rank}, {place}."]
    if math.isnan(one.log_odds):
        said.append("The model's judgement failed, so only S speaks.")
    parts = sorted(one.parts.items(), key=lambda part: -abs(part[1]))
    for word, sign in (("For", 1), ("Against", -1)):
        its = [f"{name} {value:+.3f}" for name, value in parts if sign * value >= _SMALL]
        more = f" and {len(its) - _REASONS} smaller" if len(its) > _REASONS else ""
        if its:
            said.append(f"{word} it: {', '.join(its[:_REASONS])}{more}.")
    return said


def _system(record: RunRecord, name: str | None) -> str:
    if name is not None:
        return record.system(name).name
    variants = [one for one in record.systems if one.kind == "variant"]
    if not variants:
        raise InvalidInput(
            f"run {record.id} has no variant",
            f"--system one of: {', '.join(one.name for one in record.systems)}",
        )

    def primary(at: int) -> float:
        figure = variants[at].figures.get(record.primary)
        return -math.inf if figure is None or figure.mean is None else figure.mean

    return variants[max(range(len(variants)), key=primary)].name


def _item(judged: Sequence[Judgement], item_id: str) -> Judgement:
    for one in judged:
        if one.item_id == item_id:
            return one
    raise NotFound(
        f"no model judged item {item_id!r} for this query",
        f"it judged: {', '.join(one.item_id for one in judged)}",
    )


def _print_head(
    out: Console, record: RunRecord, system: str, folder: Path, query_id: str, row: Row | None
) -> None:
    strata = ", ".join(f"{name} {group}" for name, group in row.strata.items()) if row else ""
    _line(out, f"{record.id}  {system}")
    _line(out, f"query {query_id}" + (f" ({strata})" if strata else ""))
    if (folder / QUESTIONS).is_file():  # runs of others' questions may keep none
        for asked in read_asked(folder, query_id).values():
            _line(out, f"user: {asked.user_id or 'a stranger'}")
            _line(out, f"person: {asked.person_text or 'nothing is known'}")
            _line(out, f"wish: {asked.query_text or 'none'}")
    if row:
        value = row.metrics.get(record.primary, math.nan)
        _line(out, f"{record.primary}: {value:.4f}, {row.delta:+.4f} over S")


def _print_prompt(out: Console, folder: Path, one: Judgement) -> None:
    turns = read_prompts(folder, [one.conversation]).get(one.conversation)
    if turns is None:
        _line(out, f"the prompt of {one.item_id} ({one.conversation[:12]}) is not on file")
        return
    out.rule(Text(f"prompt of {one.item_id}"), align="left")
    for turn in turns:
        out.print(Text(turn["role"], style="bold"))
        _line(out, turn["content"])
    out.rule()


def _extremes(primary: str, rows: Sequence[Row]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("query", overflow="fold")
    table.add_column(primary, justify="right")
    table.add_column("over S", justify="right")
    table.add_column("groups", overflow="fold")
    for row in rows:
        table.add_row(
            Text(row.query_id),
            f"{row.metrics.get(primary, math.nan):.4f}",
            f"{row.delta:+.4f}",
            Text(", ".join(f"{name} {group}" for name, group in row.strata.items())),
        )
    return table


def _candidates(judged: Sequence[Judgement]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("item", overflow="fold")
    table.add_column("")
    table.add_column("S", justify="right", no_wrap=True)
    table.add_column("parts", overflow="fold")
    table.add_column("log p of labels", overflow="fold")
    table.add_column("log-odds", justify="right", no_wrap=True)
    for one in judged:
        table.add_row(
            f"{one.base_rank} → {one.final_rank}",
            Text(one.item_id),
            Text("relevant", style="green") if one.relevant else "",
            f"{one.base_score:+.3f}",
            Text(_pairs(one.parts)),
            Text(_pairs(one.logprobs)),
            "failed" if math.isnan(one.log_odds) else f"{one.log_odds:+.2f}",
        )
    return table


def _pairs(values: Mapping[str, float]) -> str:
    return "\n".join(f"{name} {value:+.3f}" for name, value in values.items())


def _line(out: Console, text: str) -> None:
    out.print(Text(text), soft_wrap=True)
