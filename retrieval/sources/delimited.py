"""CSV records with the physical line they begin on, and recovery after a stray quote.

An opened quote that never closes would swallow the rest of the file. Here only the line
with the quote is lost: the lines after it are read again as lines of their own.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from retrieval.errors import InvalidInput
from retrieval.sources.lines import MAX_LINE_BYTES, Line, TextFacts, read_lines
from retrieval.sources.values import shown

_DELIMITERS = ",;\t"


class Record(NamedTuple):
    """One record: ``cells`` when ``problem`` is "", which begins on ``line``, over ``lines``."""

    line: int
    lines: int
    cells: list[str]
    raw: str
    problem: str


class _Overflow(Exception):
    """A quoted field runs past the limit of one record."""


class _Feed:
    """Hands lines to the csv module and remembers which ones the current record took."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._again: deque[Line] = deque()
        self.taken: list[Line] = []
        self._size = 0
        self.ended_inside = False

    def begin(self) -> None:
        """A new record begins; the lines of the one before are done with."""
        self.taken, self._size, self.ended_inside = [], 0, False

    def again(self) -> None:
        """The lines after the first are to be read once more, as records of their own."""
        self._again.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

    def next_line(self) -> Line | None:
        """The next line, ``None`` at the end."""
        return self._again.popleft() if self._again else next(self._lines, None)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.next_line()
        if line is None:
            self.ended_inside = bool(self.taken)
            raise StopIteration
        self.taken.append(line)
        self._size += len(line.text) + 1
        if line.problem or (self._size > MAX_LINE_BYTES and len(self.taken) > 1):
            raise _Overflow
        return f"{line.text}\n"


def read_records(
    path: Path, facts: TextFacts, delimiter: str, width: int, *, skip_header: bool = True
) -> Iterator[Record]:
    """Records after the header; blank lines are skipped.

    Args:
        path: the file.
        facts: what ``look_at`` found.
        delimiter: one character.
        width: number of cells that a record must have.
        skip_header: drop the first record.
    """
    csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_LINE_BYTES))
    feed = _Feed(read_lines(path, facts))
    reader = csv.reader(feed, delimiter=delimiter, strict=True, skipinitialspace=True)
    header = skip_header
    while True:
        feed.begin()
        cells: list[str] = []
        problem = ""
        try:
            cells = next(reader)
        except StopIteration:
            if not feed.taken:
                return
        except _Overflow:
            first, last = feed.taken[0], feed.taken[-1]
            problem = first.problem or "a quote opens here and does not close"
            if last.problem and last is not first:
                problem += f"; line {last.number}: {last.problem}"
        except csv.Error as error:
            problem = (
                "a quote opens here and does not close"
                if feed.ended_inside
                else f"not valid CSV: {error}"
            )
        if not problem and cells and len(cells) != width and not header:
            problem = f"has {len(cells)} cells where the header has {width}"
            if len(feed.taken) > 1:
                problem += "; is a quote left open on this line?"
        if problem:
            feed.again()
            reader = csv.reader(feed, delimiter=delimiter, strict=True, skipinitialspace=True)
        if header:
            header = False
        elif cells or problem:
            raw = "\n".join(line.text for line in feed.taken)
            yield Record(feed.taken[0].number, len(feed.taken), cells, raw, problem)


def read_header(
    path: Path, facts: TextFacts, known: tuple[str, ...]
) -> tuple[str, tuple[str, ...]]:
    """Delimiter and column names.

    Raises:
        InvalidInput: no readable header, an unnamed column or the same name twice.
    """
    line = next(iter(read_lines(path, facts)))
    if line.problem:
        raise InvalidInput(f"{path}, line 1: {line.problem}", "the first line names the columns")
    try:
        rows = {mark: next(csv.reader([line.text], delimiter=mark), []) for mark in _DELIMITERS}
    except csv.Error as error:
        raise InvalidInput(f"{path}, line 1: not valid CSV: {error}") from error
    delimiter = max(rows, key=lambda mark: len({_name(x).lower() for x in rows[mark]} & {*known}))
    return delimiter, column_names(path, rows[delimiter], known)


def column_names(path: Path, cells: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """Names of columns; known ones match in any case: ``User_ID`` is ``user_id``.

    Raises:
        InvalidInput: a column without a name, or two with the same.
    """
    names: list[str] = []
    for position, cell in enumerate(cells, 1):
        name = _name(cell)
        if not name:
            raise InvalidInput(f"{path}: column {position} has no name", "name it or remove it")
        names.append(name.lower() if name.lower() in known else name)
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"{path}: two columns are named {shown(name)}", "rename one")
    return tuple(names)


def _name(cell: str) -> str:
    return cell.strip().strip("\ufeff").strip()
