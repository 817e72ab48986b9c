"""What a page is made of: sections of blocks, which the template knows how to draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from eval.report.numbers import MISSING

Tone = Literal["", "good", "bad", "warn", "quiet"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: the text, a smaller line under it, and whether it is a number."""

    text: str
    under: str = ""
    tone: Tone = ""
    number: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows under a heading of their own; "" for none."""

    heading: str
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. The first cell of each row names the row."""

    kind: ClassVar[str] = "grid"
    caption: str
    head: Sequence[Cell]
    groups: Sequence[Rows]


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot: Plotly's JSON, and in words what there is to see.

    ``height`` and ``min_width`` in CSS pixels; a ``narrow`` one stays about as wide as high.
    """

    kind: ClassVar[str] = "figure"
    caption: str
    alt: str
    json: str
    height: int
    min_width: int = 300
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence or two."""

    kind: ClassVar[str] = "note"
    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A gap, and the config key that would fill it."""

    kind: ClassVar[str] = "not_measured"
    what: str
    key: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading inside a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a prompt; ``changed`` where the prompt beside it reads otherwise."""

    text: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """One turn of a conversation."""

    role: str
    spans: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One whole conversation. ``change`` says how its changed words are marked."""

    title: str
    turns: Sequence[ShownTurn]
    change: Literal["ins", "del"]
    lang: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One query, folded until somebody wants to see it."""

    kind: ClassVar[str] = "case"
    query_id: str
    delta: str
    tone: Tone
    moves: str
    asked: str
    lang: str
    blocks: Sequence[Grid | Note]
    prompts: Sequence[Prompt]


@dataclass(frozen=True, slots=True)
class Panel:
    """One choice of a selector."""

    name: str
    blocks: Sequence[Figure | Grid | Note | NotMeasured | Heading | Case]


@dataclass(frozen=True, slots=True)
class Choice:
    """Panels of which one is seen at a time. ``all_in_print``: on paper every one is."""

    kind: ClassVar[str] = "choice"
    name: str
    panels: Sequence[Panel]
    all_in_print: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """Text to look up, folded."""

    kind: ClassVar[str] = "source"
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Terms with what they are here."""

    kind: ClassVar[str] = "facts"
    pairs: Sequence[tuple[str, Sequence[str]]]


Block = Figure | Grid | Note | NotMeasured | Heading | Case | Choice | Source | Facts


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. ``lead`` tells a newcomer how to read it."""

    anchor: str
    title: str
    lead: str
    blocks: Sequence[Block] = field(default_factory=tuple)


def words(text: object, tone: Tone = "") -> Cell:
    """A cell of text; "–" for ``None`` and ""."""
    return Cell(MISSING if text is None or text == "" else str(text), tone=tone)


def figure(text: str, under: str = "", tone: Tone = "") -> Cell:
    """A cell of a number that is formatted already."""
    return Cell(text, under, tone, number=True)


def head(*names: str, numbers_from: int = 1) -> list[Cell]:
    """A table's head; those from ``numbers_from`` on stand over numbers."""
    return [Cell(name, number=at >= numbers_from) for at, name in enumerate(names)]


def table(caption: str, columns: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> Grid:
    """A table without groups."""
    return Grid(caption, columns, [Rows("", rows)])
