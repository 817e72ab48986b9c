"""Reading request bodies strictly: UTF-8, JSON as the standard has it, finite numbers."""

from __future__ import annotations

import math
from typing import Any

from flask import Request
from pydantic_core import from_json
from werkzeug.exceptions import UnsupportedMediaType

from retrieval.errors import InvalidInput

JSON_TYPES = ("application/json",)
NDJSON_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")


class StrictRequest(Request):
    """A request whose JSON is never guessed at."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The JSON object in the body.

        flask-openapi3 asks with ``silent=True`` and would take ``None`` for an unreadable
        body; here the reason reaches the caller instead.

        Raises:
            InvalidInput: not UTF-8, not JSON, a number that is not finite, or not an object.
            UnsupportedMediaType: the content type is not JSON.
        """
        if self.mimetype not in JSON_TYPES:
            raise UnsupportedMediaType(unsupported(self.mimetype, JSON_TYPES))
        value = read_json(self.get_data(cache=cache))
        if not isinstance(value, dict):
            raise InvalidInput(f"the body must be a JSON object, not {json_kind(value)}")
        return value


def read_json(data: bytes, *, finite: bool = True) -> Any:
    """Parse one JSON text.

    Refuses what a store or a browser would choke on later: NaN and Infinity, numbers
    beyond a float's range, lone surrogates, and nesting beyond a few hundred levels.

    Args:
        data: the text, UTF-8, with or without a byte order mark.
        finite: False leaves numbers like 1e999 to whoever checks the values one by one.

    Raises:
        InvalidInput: says where and why.
    """
    if not data.strip():
        raise InvalidInput("the body is empty", "send JSON")
    try:
        value = from_json(data.removeprefix(b"\xef\xbb\xbf"), allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInput(f"the body is not valid JSON: {error}", "send UTF-8 JSON") from error
    if finite:
        _require_finite(value)
    return value


def json_kind(value: object) -> str:
    """What JSON calls the type of ``value``."""
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    return kinds.get(type(value), "null" if value is None else "a number")


def unsupported(given: str, accepted: tuple[str, ...]) -> str:
    """The sentence for a content type that is not accepted."""
    return f"content type {given or 'missing'!r} is not accepted; send {' or '.join(accepted)}"


def _require_finite(value: Any) -> None:
    if isinstance(value, dict):
        for inner in value.values():
            _require_finite(inner)
    elif isinstance(value, list):
        for inner in value:
            _require_finite(inner)
    elif isinstance(value, int | float):
        try:
            finite = math.isfinite(value)
        except OverflowError:  # an integer that no float holds
            finite = False
        if not finite:
            raise InvalidInput("the body has a number that is too large", "at most about 1.8e308")
