"""How ids, texts, instants and attributes look inside the store.

Ids are kept as they are or refused; free text is repaired instead, because one broken
character in a review is no reason to lose the review.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from retrieval.errors import InvalidInput
from retrieval.types import MAX_ID_LENGTH, AttributeValue

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BATCH = 5_000
"""Rows in one transaction of a bulk write, and in one page of a bulk read."""

MAX_DERIVED_ID_LENGTH = 2 * MAX_ID_LENGTH + 200
"""Evidence ids are made from other ids, so they may be longer."""

_MICROSECOND = timedelta(microseconds=1)
_OLDEST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_NEWEST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_NAME_LENGTH = 200

_T = TypeVar("_T")


def in_batches(rows: Iterable[_T], size: int = BATCH) -> Iterator[list[_T]]:
    """Lists of at most ``size`` rows; nothing for no rows."""
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def is_storable(identifier: str) -> bool:
    """Whether the id can be in the store at all; what cannot is simply unknown."""
    return 0 < len(identifier) <= MAX_DERIVED_ID_LENGTH and _UNSTORABLE.search(identifier) is None


def checked_id(identifier: str, what: str, longest: int = MAX_ID_LENGTH) -> str:
    """The id itself.

    Raises:
        InvalidInput: empty, too long, or with a NUL or lone surrogate in it.
    """
    if not isinstance(identifier, str) or not identifier:
        raise InvalidInput(f"{what} is {identifier!r}", f"every {what} is a non-empty text")
    if len(identifier) > longest:
        raise InvalidInput(
            f"{what} {identifier[:40]!r}… has {len(identifier)} characters",
            f"the longest {what} is {longest} characters",
        )
    if _UNSTORABLE.search(identifier):
        raise InvalidInput(
            f"{what} {identifier[:40]!r} holds a NUL or half a surrogate pair",
            "use valid Unicode text without NUL",
        )
    return identifier


def storable_text(text: str) -> str:
    """The text without NUL, half surrogate pairs replaced by U+FFFD; usually the text itself."""
    if _UNSTORABLE.search(text) is None:
        return text
    return _SURROGATE.sub("\ufffd", text.replace("\x00", ""))


def fold(text: str) -> str:
    """The form in which texts are compared: compatibility characters unified, no case, trimmed."""
    folded = unicodedata.normalize("NFKC", storable_text(text)).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


def to_micros(at: datetime, what: str) -> int:
    """Microseconds since 1970-01-01 UTC.

    Raises:
        InvalidInput: the instant has no time zone, or lies outside years 1 to 9999 in UTC.
    """
    if at.tzinfo is None:
        raise InvalidInput(f"{what} has the time {at.isoformat()} without a zone", "give it in UTC")
    micros = (at - EPOCH) // _MICROSECOND
    if not _OLDEST <= micros <= _NEWEST:
        raise InvalidInput(f"{what} has the time {at.isoformat()}", "years 1 to 9999 in UTC work")
    return micros


def from_micros(micros: int) -> datetime:
    """The instant, timezone-aware in UTC."""
    return EPOCH + timedelta(microseconds=micros)


def finite(value: float, what: str) -> float:
    """The value itself.

    Raises:
        InvalidInput: NaN, infinite, or an integer too large for a float.
    """
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidInput(f"{what} is {value}", "give a finite number")
    return number


def checked_attributes(
    attributes: Mapping[str, AttributeValue], what: str
) -> dict[str, AttributeValue]:
    """A copy with storable texts and finite numbers, in the order given.

    Raises:
        InvalidInput: names the attribute that cannot be kept.
    """
    kept: dict[str, AttributeValue] = {}
    for name, value in attributes.items():
        checked_id(name, f"attribute name of {what}", _MAX_NAME_LENGTH)
        kept[name] = _checked_value(value, f"attribute {name!r} of {what}")
    return kept


def _checked_value(value: Any, what: str) -> Any:
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        finite(value, what)
        return value
    if isinstance(value, tuple | list) and not any(isinstance(v, tuple | list) for v in value):
        return tuple(_checked_value(element, what) for element in value)
    raise InvalidInput(
        f"{what} is {value!r}", "a value is text, a finite number, true, false or a list of texts"
    )


def dump(value: Any) -> str:
    """JSON text; key order is kept."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def canonical(value: Any) -> str:
    """JSON text that is equal for equal values."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def load_attributes(text: str) -> dict[str, AttributeValue]:
    """What ``dump`` wrote; lists come back as tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in json.loads(text).items()
    }


def checksum(digest: str) -> int:
    """31 bits of a hex digest; sums of 2**32 of them still fit into 64 bits."""
    return int(digest[:8], 16) >> 1
