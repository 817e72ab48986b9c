"""Amazon reviews, 5-core files (McAuley et al., SIGIR 2015): JSON lines, gzipped or not.

``reviews*.json.gz`` and, where it was published too, ``meta*.json.gz`` with titles. In the
older metadata every line is a Python literal.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from retrieval.errors import InvalidInput
from retrieval.ports import Progress
from retrieval.sources.convert.published import find_file
from retrieval.sources.convert.writer import DataSetWriter
from retrieval.sources.lines import look_at, read_lines

_REVIEWS = ("reviews*.json.gz", "reviews*.json", "*_5.json.gz", "*_5.json")
_META = ("meta*.json.gz", "meta*.json")
_REQUIRED = ("reviewerID", "asin", "overall", "unixReviewTime")
_NOTHING_TO_SAY = ("Amazon files without metadata have no titles: items are called by their id",)


def convert_amazon(source: Path, writer: DataSetWriter, progress: Progress) -> None:
    """Write items and reviews; a rating without words becomes an interaction.

    A review's text is its summary and its body. Without metadata an item's title is
    ``item B000…``.
    """
    path = find_file(source, _REVIEWS, what="reviews")
    asins: dict[str, None] = {}
    for values in _objects(path, writer, progress, _REQUIRED):
        asins.setdefault(str(values["asin"]))
        _write_review(values, writer)
    meta = next((p for one in _META for p in sorted(path.parent.glob(one))), None)
    described = _describe(meta, asins, writer, progress) if meta is not None else set()
    if not described:
        writer.notes.extend(_NOTHING_TO_SAY)
    for asin in asins:
        if asin not in described:
            writer.line("items", {"item_id": asin, "title": f"item {asin}"})


def _write_review(values: Mapping[str, Any], writer: DataSetWriter) -> None:
    parts = [str(values.get(name) or "").strip() for name in ("summary", "reviewText")]
    text = "\n".join(part for part in parts if part)
    row = {
        "user_id": values["reviewerID"],
        "item_id": values["asin"],
        "at": values["unixReviewTime"],
    }
    if text:
        writer.line("reviews", {**row, "text": text, "rating": values["overall"]})
    else:
        writer.line("interactions", {**row, "kind": "rating", "value": values["overall"]})


def _describe(
    path: Path, asins: Mapping[str, None], writer: DataSetWriter, progress: Progress
) -> set[str]:
    described: set[str] = set()
    for values in _objects(path, writer, progress, ("asin",)):
        asin = str(values["asin"])
        if asin not in asins or asin in described:
            continue
        described.add(asin)
        categories = dict.fromkeys(_flat(values.get("categories") or values.get("category") or ()))
        writer.line(
            "items",
            {
                "item_id": asin,
                "title": values.get("title") or f"item {asin}",
                "brand": values.get("brand") or None,
                "price": values.get("price") or None,
                "categories": list(categories) or None,
                "description": " ".join(_flat(values.get("description") or ())) or None,
            },
        )
    return described


def _flat(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Iterable):
        for one in value:
            yield from _flat(one)


def _objects(
    path: Path, writer: DataSetWriter, progress: Progress, required: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    facts = look_at(path)
    if facts.empty:
        raise InvalidInput(f"{path} is empty", "get the file again")
    progress.start(path.name, facts.lines)
    good = bad = 0
    first = ""
    for line in read_lines(path, facts):
        progress.advance()
        values = _parse(line.text) if not line.problem else None
        if isinstance(values, dict) and all(values.get(name) is not None for name in required):
            good += 1
            yield values
        elif line.text.strip() or line.problem:
            bad += 1
            reason = line.problem or f"no object with {', '.join(required)}"
            first = first or f"line {line.number}: {reason}"
    if bad and not good:
        raise InvalidInput(
            f"{path} is not an Amazon file: {first}",
            "expected JSON lines as published, e.g. reviews_Musical_Instruments_5.json.gz",
        )
    if bad:
        writer.notes.append(f"{path.name}: {bad:,} unreadable lines left out; the first: {first}")


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
