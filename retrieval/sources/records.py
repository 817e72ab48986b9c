"""The four kinds of rows as pydantic models, and ``parse_row`` for whoever has one row.

A row is a mapping of column to cell. Known columns are checked; every other column of
items and users is an attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from retrieval.errors import InvalidInput
from retrieval.sources.clean import clean_text, detect_lang
from retrieval.sources.values import read_attribute, read_id, read_number, read_time, shown
from retrieval.types import (
    AttributeValue,
    Interaction,
    InteractionKind,
    Item,
    Review,
    User,
    content_hash,
)

Table: TypeAlias = Literal["items", "users", "interactions", "reviews"]
Record: TypeAlias = Item | User | Interaction | Review
TABLES: Final[tuple[Table, ...]] = ("items", "users", "interactions", "reviews")
MAX_TITLE_LENGTH = 1000
MAX_ATTRIBUTES = 200
MAX_ATTRIBUTE_NAME = 200
_KINDS = get_args(InteractionKind)

Id = Annotated[str, BeforeValidator(read_id)]
Time = Annotated[datetime, BeforeValidator(read_time)]


class RowError(InvalidInput):
    """One row is unusable: ``column`` ("" when it is the whole row) and ``reason`` say why."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column} {reason}".strip(), "see docs/dataset.md for every column")
        self.column = column
        self.reason = reason


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _WithAttributes(_Row):
    attributes: dict[str, AttributeValue] = {}


class ItemRow(_WithAttributes):
    """A row of ``items``."""

    item_id: Id
    title: str
    image: tuple[str, ...] = ()

    @field_validator("title", mode="before")
    @classmethod
    def _title(cls, value: object) -> str:
        return _text(value, MAX_TITLE_LENGTH)

    @field_validator("image", mode="before")
    @classmethod
    def _image(cls, value: object) -> tuple[str, ...]:
        paths = value.split("|") if isinstance(value, str) else value or ()
        if not isinstance(paths, list | tuple):
            raise ValueError(f"{shown(value)} is not a path or a list of paths")
        return tuple(_picture_path(path) for path in paths if path)

    def to_item(self) -> Item:
        """The item; its media are the pictures that the row names."""
        return Item(self.item_id, self.title, dict(self.attributes), self.image)


class UserRow(_WithAttributes):
    """A row of ``users``."""

    user_id: Id

    def to_user(self) -> User:
        """The user."""
        return User(self.user_id, dict(self.attributes))


class InteractionRow(_Row):
    """A row of ``interactions``; no kind means "rating" with a value and "view" without."""

    user_id: Id
    item_id: Id
    kind: InteractionKind
    value: float
    at: Time

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, raw: Any) -> Any:
        value, kind = _blank(raw.get("value")), _blank(raw.get("kind"))
        if kind is None:
            kind = "view" if value is None else "rating"
        if value is None:
            value = "" if kind == "rating" else 1.0
        return {**raw, "kind": kind, "value": value}

    @field_validator("kind", mode="before")
    @classmethod
    def _kind(cls, value: object) -> str:
        kind = value.strip().lower() if isinstance(value, str) else value
        if kind not in _KINDS:
            raise ValueError(f"{shown(value)} is not one of {', '.join(_KINDS)}")
        return str(kind)

    @field_validator("value", mode="before")
    @classmethod
    def _value(cls, value: object, info: ValidationInfo) -> float:
        if value == "":
            raise ValueError("is missing: a rating needs one")
        number = read_number(value)
        kind = info.data.get("kind", "rating")
        if kind != "rating" and number <= 0:
            raise ValueError(f"{shown(value)} is no weight of a {kind}: it must be above 0")
        return number

    def to_interaction(self) -> Interaction:
        """The interaction."""
        return Interaction(self.user_id, self.item_id, self.kind, self.value, self.at)


class ReviewRow(_Row):
    """A row of ``reviews``; id and language are derived where they are absent."""

    review_id: Id | None = None
    user_id: Id
    item_id: Id
    text: str
    rating: float | None = None
    at: Time
    lang: Literal["en", "zh"] | None = None

    @field_validator("review_id", mode="before")
    @classmethod
    def _review_id(cls, value: object) -> object:
        return _blank(value)

    @field_validator("text", mode="before")
    @classmethod
    def _review_text(cls, value: object) -> str:
        return _text(value, None)

    @field_validator("rating", mode="before")
    @classmethod
    def _rating(cls, value: object) -> float | None:
        return None if _blank(value) is None else read_number(value)

    @field_validator("lang", mode="before")
    @classmethod
    def _lang(cls, value: object) -> str | None:
        if _blank(value) is None:
            return None
        code = str(value).strip().lower().replace("_", "-").split("-")[0]
        if code not in {"en", "zh"}:
            raise ValueError(f"{shown(value)} is not en or zh; leave it empty to have it detected")
        return code

    def to_review(self) -> Review:
        """The review; a derived id is a hash of author, item, time and text."""
        review_id = self.review_id or content_hash(
            "review", self.user_id, self.item_id, self.at.isoformat(), self.text
        )
        return Review(
            review_id,
            self.user_id,
            self.item_id,
            self.text,
            self.rating,
            self.at,
            self.lang or detect_lang(self.text),
        )


COLUMNS: Final[Mapping[Table, tuple[str, ...]]] = {
    "items": ("item_id", "title", "image"),
    "users": ("user_id",),
    "interactions": ("user_id", "item_id", "kind", "value", "at"),
    "reviews": ("review_id", "user_id", "item_id", "text", "rating", "at", "lang"),
}
REQUIRED: Final[Mapping[Table, tuple[str, ...]]] = {
    "items": ("item_id", "title"),
    "users": ("user_id",),
    "interactions": ("user_id", "item_id", "at"),
    "reviews": ("user_id", "item_id", "text", "at"),
}


def parse_row(table: Table, raw: Mapping[str, Any], *, typed: bool = True) -> Record:
    """One checked row.

    Args:
        table: which kind of row.
        raw: column to cell.
        typed: cells have types of their own (JSON, Parquet); False for CSV.

    Raises:
        RowError: an ``InvalidInput`` with the column and the reason.
    """
    known = {name: raw[name] for name in COLUMNS[table] if name in raw}
    try:
        if table == "items":
            return ItemRow(attributes=_attributes(table, raw, typed), **known).to_item()
        if table == "users":
            return UserRow(attributes=_attributes(table, raw, typed), **known).to_user()
        if table == "interactions":
            return InteractionRow(**known).to_interaction()
        return ReviewRow(**known).to_review()
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        column = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "missing":
            raise RowError(column, "is missing") from None
        raise RowError(column, first["msg"].removeprefix("Value error, ")) from None


def _attributes(table: Table, raw: Mapping[str, Any], typed: bool) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {}
    for name, cell in raw.items():
        if name in COLUMNS[table]:
            continue
        key = clean_text(name)
        if not key or len(key) > MAX_ATTRIBUTE_NAME:
            raise RowError(shown(name, 20), "is not a name for an attribute")
        try:
            value = read_attribute(cell, typed=typed)
        except ValueError as error:
            raise RowError(key, str(error)) from None
        if value is not None:
            attributes[key] = value
    if len(attributes) > MAX_ATTRIBUTES:
        raise RowError("", f"has {len(attributes)} attributes, at most {MAX_ATTRIBUTES} are kept")
    return attributes


def _blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _text(value: object, limit: int | None) -> str:
    if value is None:
        raise ValueError("is missing")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{shown(value)} is not text")
    text = clean_text(str(value))
    if not text:
        raise ValueError("is empty")
    if limit is not None and len(text) > limit:
        raise ValueError(f"has {len(text):,} characters, at most {limit:,} are allowed")
    return text


def _picture_path(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not a path")
    text = value.strip().replace("\\", "/")
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or ":" in text or "\x00" in text or not path.parts:
        raise ValueError(f"{shown(value)} is not a path inside images/")
    return str(path if path.parts[0] == "images" else "images" / path)
