"""TREC files of a run: ``qrels.txt`` and ``trec/SYSTEM.trec``, for ranx, trec_eval and others.

Their columns stand between white space, so an id is percent-encoded where it holds white
space, a percent sign or a character that cannot be printed. The scores are not S: they
count down by one from rank to rank, so that every reader keeps the order, ties included.
A query for which a system ranked nothing has no line, which a reader may take for a query
that was not asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from eval.records.whole import whole
from retrieval.errors import InvalidInput, NotFound

QRELS, RUNS = "qrels.txt", "trec"
_UNSAFE_IN_NAME = re.compile(r"[^A-Za-z0-9@._~-]")


def encode_id(text: str) -> str:
    """An id as one TREC column.

    Raises:
        InvalidInput: the id is empty, which no column can hold.
    """
    if not text:
        raise InvalidInput("an empty id cannot stand in a TREC file", "give every row an id")
    return "".join(
        quote(one, safe="") if one == "%" or one.isspace() or not one.isprintable() else one
        for one in text
    )


def decode_id(text: str) -> str:
    """The id behind a TREC column."""
    return unquote(text)


def trec_file_name(system: str) -> str:
    """``v2|qwen|0`` to ``v2_qwen_0.trec``."""
    return _UNSAFE_IN_NAME.sub("_", system) + ".trec"


def write_qrels(folder: Path, relevant: Mapping[str, Collection[str]]) -> Path:
    """Write ``qrels.txt``.

    Args:
        folder: of the run.
        relevant: items to find by query id; a query without any is left out.

    Raises:
        InvalidInput: no query has a relevant item.
    """
    lines = [
        f"{encode_id(query_id)} 0 {encode_id(item_id)} 1\n"
        for query_id, items in relevant.items()
        for item_id in sorted(items)
    ]
    if not lines:
        raise InvalidInput(
            f"empty qrels: none of {len(relevant)} queries has a relevant item",
            "give questions with relevant items",
        )
    return _write(folder / QRELS, lines)


def read_qrels(folder: Path) -> dict[str, frozenset[str]]:
    """Items to find by query id; lines with a relevance of 0 or less say "not relevant".

    Raises:
        NotFound: the run has no such file.
        InvalidInput: a bad line (named), or no relevant item at all.
    """
    path = folder / QRELS
    found: dict[str, set[str]] = {}
    for where, (query_id, _, item_id, gain) in _lines(path, 4):
        if _float(where, gain) > 0:
            found.setdefault(decode_id(query_id), set()).add(decode_id(item_id))
    if not found:
        raise InvalidInput(f"{path} is an empty qrels", "run the evaluation again")
    return {query_id: frozenset(items) for query_id, items in found.items()}


def write_trec_runs(folder: Path, orders: Mapping[str, Mapping[str, Sequence[str]]]) -> list[Path]:
    """Write ``trec/SYSTEM.trec`` of every system.

    Args:
        folder: of the run.
        orders: item ids by query id by system, best first.

    Raises:
        InvalidInput: two systems would share a file, or an item stands twice in an order.
    """
    owners: dict[str, str] = {}
    for system in orders:
        other = owners.setdefault(trec_file_name(system), system)
        if other != system:
            raise InvalidInput(
                f"systems {other!r} and {system!r} would both write {trec_file_name(system)}",
                "let their names differ in letters or digits",
            )
    (folder / RUNS).mkdir(exist_ok=True)
    return [
        _write(folder / RUNS / name, _run_lines(system, orders[system]))
        for name, system in owners.items()
    ]


def read_trec_run(folder: Path, system: str) -> dict[str, list[str]]:
    """Item ids by query id, best first.

    Raises:
        NotFound: the run has no such system.
        InvalidInput: a bad line (named).
    """
    scored: dict[str, list[tuple[float, str]]] = {}
    for where, (query_id, _, item_id, _, score, _) in _lines(
        folder / RUNS / trec_file_name(system), 6
    ):
        one = (_float(where, score), decode_id(item_id))
        scored.setdefault(decode_id(query_id), []).append(one)
    return {
        query_id: [item_id for _, item_id in sorted(pairs, key=lambda pair: -pair[0])]
        for query_id, pairs in scored.items()
    }


def _run_lines(system: str, orders: Mapping[str, Sequence[str]]) -> list[str]:
    tag = encode_id(system)
    lines = []
    for query_id, order in orders.items():
        if len(set(order)) != len(order):
            raise InvalidInput(
                f"{system} ranked an item twice for query {query_id!r}", "rank each item once"
            )
        for at, item_id in enumerate(order):
            score = len(order) - at
            lines.append(f"{encode_id(query_id)} Q0 {encode_id(item_id)} {at + 1} {score} {tag}\n")
    return lines


def _write(path: Path, lines: Sequence[str]) -> Path:
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)
    return path


def _lines(path: Path, columns: int) -> list[tuple[str, list[str]]]:
    """(``file:line``, columns) of every line that is not blank."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"there is no {path}", "only a finished run of prompts has it") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8", "run the evaluation again") from error
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        cells = line.split()
        if cells and len(cells) != columns:
            raise InvalidInput(
                f"{path}:{number}: {len(cells)} columns, expected {columns}",
                "percent-encode white space in ids",
            )
        if cells:
            found.append((f"{path}:{number}", cells))
    return found


def _float(where: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InvalidInput(f"{where}: {text!r} is no number", "mend the line") from error
