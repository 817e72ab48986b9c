"""One cell of a table to one value: ids, numbers, times, attributes.

Every function raises ``ValueError`` with a reason that reads on after the column's name.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from retrieval.sources.clean import clean_text
from retrieval.types import MAX_ID_LENGTH, AttributeValue

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_LATEST_SECONDS = _LATEST.timestamp()
_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_SECONDS = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_DAY_IN_DIGITS = re.compile(r"(?:19[7-9]\d|20\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def shown(value: object, limit: int = 60) -> str:
    """The value as an error message shows it: text in quotes, escaped, cut."""
    try:
        text = value if isinstance(value, str) else str(value)
    except ValueError:  # an integer with thousands of digits
        return "a number of thousands of digits"
    cut = text[:limit]
    if _CONTROL.search(cut):
        cut = ascii(cut)
    elif isinstance(value, str):
        cut = repr(cut)
    return f"{cut}…" if len(text) > limit else cut


def read_id(value: object) -> str:
    """An id, exactly as written but for blanks around it; whole numbers become text."""
    if value is None or value == "":
        raise ValueError("is missing")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # pandas turns a column of whole numbers with a gap into floats
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{shown(value)} is not an id: write text or a whole number")
    text = (value if isinstance(value, str) else shown(value, MAX_ID_LENGTH + 1)).strip()
    if not text:
        raise ValueError("is missing")
    if len(text) > MAX_ID_LENGTH:
        raise ValueError(
            f"{shown(text, 20)} has {len(text):,} characters, an id has at most {MAX_ID_LENGTH:,}"
        )
    if _CONTROL.search(text):
        raise ValueError(f"{shown(text)} contains a control or unencodable character")
    return text


def read_number(value: object) -> float:
    """A finite number, or text that holds one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise ValueError(f"{shown(value)} is not a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{shown(value)} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{shown(value)} is not a finite number")
    return number


def read_time(value: object) -> datetime:
    """ISO-8601 (without a zone: UTC) or seconds since 1970, in [1970, 2100), as UTC.

    Earlier times are refused: no log or review is that old, so it is a broken export
    (a zero date, a sign error), and a wrong time silently moves profile cut-offs.
    """
    if value is None or value == "":
        raise ValueError("is missing")
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    elif isinstance(value, str) and not _SECONDS.fullmatch(value.strip()):
        moment = _iso(value.strip())
    else:
        return _from_seconds(value)
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{shown(value)} is out of range") from None
    if moment < EPOCH:
        raise ValueError(f"{shown(value)} is before 1970")
    if moment >= _LATEST:
        raise ValueError(f"{shown(value)} is after 2099")
    return moment


def read_attribute(value: object, *, typed: bool) -> AttributeValue | None:
    """One attribute value; ``None`` for nothing (absent, "", an empty list).

    Args:
        value: the cell.
        typed: the format has types of its own (JSONL, Parquet), so text stays text.
            Otherwise (CSV): a JSON list or ``a|b`` is a list, a JSON string in quotes is
            that text, a plain number is a number, true/false is a truth value.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None  # data frames write a gap as NaN
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return read_number(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return _read_list(value)
    if isinstance(value, Mapping) or not isinstance(value, str):
        raise ValueError(f"{shown(value)} is a {type(value).__name__}: write text, number or list")
    return (clean_text(value) or None) if typed else _read_csv_attribute(value.strip())


def _read_csv_attribute(text: str) -> AttributeValue | None:
    if text[:1] in {"[", '"'}:
        try:
            parsed: Any = json.loads(text)
        except (ValueError, RecursionError):
            parsed = None  # text that merely begins like JSON
        if isinstance(parsed, list):
            return _read_list(parsed)
        if isinstance(parsed, str):
            return clean_text(parsed) or None
    if _NUMBER.fullmatch(text):
        return read_number(text)
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if "|" in text:
        return _read_list(text.split("|"))
    return clean_text(text) or None


def _read_list(values: list[Any] | tuple[Any, ...]) -> tuple[str, ...] | None:
    parts: dict[str, None] = {}
    for value in values:
        if isinstance(value, list | tuple | Mapping):
            raise ValueError(f"{shown(value)} is nested: a list holds text or numbers only")
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        parts.setdefault(clean_text(str(value)))
    parts.pop("", None)
    return tuple(parts) or None


def _iso(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{shown(text)} is no time: write ISO-8601 (2024-05-31T18:00:00Z) or epoch seconds"
        ) from None


def _from_seconds(value: object) -> datetime:
    seconds = read_number(value)
    if isinstance(value, str) and _DAY_IN_DIGITS.fullmatch(value.strip()):
        day = value.strip()
        raise ValueError(
            f"{shown(value)} could be a day or epoch seconds: write {day[:4]}-{day[4:6]}-{day[6:]}"
        )
    if seconds < 0:
        raise ValueError(f"{shown(value)} is before 1970")
    if seconds >= _LATEST_SECONDS:
        raise ValueError(f"{shown(value)} is after 2099; epoch times are in seconds, not ms")
    return datetime.fromtimestamp(seconds, UTC)
