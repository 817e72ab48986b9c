"""A data-set folder, read as a stream of checked rows. The format is docs/dataset.md."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar, cast

from retrieval.errors import InvalidInput, NotFound
from retrieval.sources.records import (
    COLUMNS,
    REQUIRED,
    TABLES,
    Record,
    RowError,
    Table,
    parse_row,
)
from retrieval.sources.rejects import RejectsFile
from retrieval.sources.seen import SeenIds
from retrieval.sources.tables import FORMATS, RawRow, TableFile
from retrieval.sources.values import shown
from retrieval.types import Interaction, Item, Review, User

PICTURE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
R = TypeVar("R", bound=Record, covariant=True)


class Row(NamedTuple, Generic[R]):
    """One checked row and where it stands; ``lines`` physical lines were read for it."""

    line: int
    record: R
    raw: RawRow


class DataSet:
    """The tables of one folder. Every method that yields reads its file anew, as a stream."""

    def __init__(self, folder: Path, files: dict[Table, TableFile], rejects: RejectsFile) -> None:
        self.folder = folder
        self.files = files
        self.rejects = rejects
        self.images = folder / "images"
        self.read: Counter[Table] = Counter()
        """Rows read by the latest pass over each table, good and bad."""

    def items(self) -> Iterator[Item]:
        """Items in file order, each id once."""
        return (cast("Item", row.record) for row in self.rows("items"))

    def users(self) -> Iterator[User]:
        """Users in file order, each id once; nothing without a users file."""
        return (cast("User", row.record) for row in self.rows("users"))

    def interactions(self) -> Iterator[Interaction]:
        """Interactions in file order; references are not checked."""
        return (cast("Interaction", row.record) for row in self.rows("interactions"))

    def reviews(self) -> Iterator[Review]:
        """Reviews in file order; references are not checked."""
        return (cast("Review", row.record) for row in self.rows("reviews"))

    def total(self, table: Table) -> int:
        """Units that ``rows`` will report through ``advance`` (about)."""
        return self.files[table].total if table in self.files else 0

    def rows(
        self,
        table: Table,
        *,
        advance: Callable[[int], None] | None = None,
        seen: SeenIds | None = None,
        rejects: RejectsFile | None = None,
    ) -> Iterator[Row[Record]]:
        """Checked rows of one table; the bad ones go to the rejects.

        Of several rows with one id the first counts: the same again is skipped, another
        one is rejected, naming the line of the first.

        Args:
            table: which one; a table without a file has no rows.
            advance: told how many units were read since the last call.
            seen: remembers the ids that went by; a private one when absent.
            rejects: takes the bad rows in place of ``self.rejects``.
        """
        if table not in self.files:
            return
        rejects = self.rejects if rejects is None else rejects
        with closing(SeenIds()) as own:
            yield from self._rows(self.files[table], table, advance, seen or own, rejects)

    def reject(self, table: Table, row: Row[Record], column: str, reason: str) -> None:
        """Reject a row for a reason that only the caller knows, such as an unknown reference."""
        self._reject(self.rejects, table, row.raw, column, reason)

    def _rows(
        self,
        file: TableFile,
        table: Table,
        advance: Callable[[int], None] | None,
        seen: SeenIds,
        rejects: RejectsFile,
    ) -> Iterator[Row[Record]]:
        self.read[table] = 0
        for raw in file.rows():
            self.read[table] += 1
            if advance is not None:
                advance(raw.lines)
            if raw.problem:
                self._reject(rejects, table, raw, "", raw.problem)
                continue
            try:
                record = parse_row(table, raw.values, typed=file.typed)
            except RowError as error:
                self._reject(rejects, table, raw, error.column, error.reason)
                continue
            if isinstance(record, Item):
                record = self._with_pictures(record, raw, rejects)
            key = _key(record)
            before = seen.add(table, key, repr(record), raw.line)
            if before is None:
                yield Row(raw.line, record, raw)
            elif not before[1]:
                column = REQUIRED[table][0] if table != "reviews" else "review_id"
                reason = f"{shown(key)} stands on line {before[0]} already, with other content"
                self._reject(rejects, table, raw, column, reason)

    def _reject(
        self, rejects: RejectsFile, table: Table, raw: RawRow, column: str, reason: str
    ) -> None:
        text = raw.raw or (json.dumps(raw.values, default=str) if raw.values else "")
        rejects.add(table, self.files[table].path.name, raw.line, column, reason, text)

    def _with_pictures(self, item: Item, raw: RawRow, rejects: RejectsFile) -> Item:
        """Keep the named pictures that exist; without any named, look for images/{item_id}."""
        if not item.media:
            found = self._picture_of(item.item_id)
            return Item(item.item_id, item.title, item.attributes, (found,)) if found else item
        kept = tuple(path for path in item.media if self._is_inside(self.folder / path))
        for path in item.media:
            if path not in kept:
                rejects.warn(
                    f"{self.files['items'].path.name}, line {raw.line}: no picture {shown(path)}"
                )
        return Item(item.item_id, item.title, item.attributes, kept)

    def _picture_of(self, item_id: str) -> str:
        if "/" in item_id or "\\" in item_id or item_id.startswith("."):
            return ""
        for ending in PICTURE_ENDINGS:
            if self._is_inside(self.images / f"{item_id}{ending}"):
                return f"images/{item_id}{ending}"
        return ""

    def _is_inside(self, path: Path) -> bool:
        """A file that is really under images/: a link may not lead out of it."""
        try:
            return path.is_file() and path.resolve().is_relative_to(self.images.resolve())
        except OSError:  # a name longer than the file system allows
            return False


def read_dataset(folder: Path, *, rejects: RejectsFile) -> DataSet:
    """Look at a data-set folder: which tables it has, in which format, with which columns.

    Args:
        folder: see docs/dataset.md.
        rejects: takes the bad rows of everything that is read from the result.

    Raises:
        NotFound: no such folder.
        InvalidInput: not a folder, no table in it, a table in two formats, an empty or
            unreadable file, a required column missing.
    """
    try:
        names = {path.name: path for path in sorted(folder.iterdir())}
    except FileNotFoundError:
        raise NotFound(f"there is no folder {folder}", "check the path") from None
    except NotADirectoryError:
        raise InvalidInput(
            f"{folder} is a file, not a data-set folder",
            "name the folder that holds items.csv and the other tables",
        ) from None
    except OSError as error:
        raise InvalidInput(
            f"{folder} cannot be read: {error.strerror}", "check its rights"
        ) from None
    files: dict[Table, TableFile] = {}
    for table in TABLES:
        present = [f"{table}{ending}" for ending in FORMATS if f"{table}{ending}" in names]
        if len(present) > 1:
            raise InvalidInput(
                f"{folder} has {' and '.join(present)}: one table, one file", "keep one of them"
            )
        if present:
            files[table] = _open_table(names[present[0]], table, rejects)
    if not files:
        raise InvalidInput(
            f"{folder} holds no table: {_listing(names)}",
            "a data set has items, users, interactions or reviews as .csv, .jsonl or .parquet;"
            " `palate convert` makes one from published data",
        )
    return DataSet(folder, files, rejects)


def _open_table(path: Path, table: Table, rejects: RejectsFile) -> TableFile:
    file = TableFile(path, COLUMNS[table])
    if file.columns is not None:
        missing = [name for name in REQUIRED[table] if name not in file.columns]
        if missing:
            raise InvalidInput(
                f"{path} lacks the column {', '.join(missing)}; it has "
                f"{', '.join(shown(name, 30) for name in file.columns[:20])}",
                "the first line names the columns; see docs/dataset.md",
            )
        unused = [name for name in file.columns if name not in COLUMNS[table]]
        if unused and table in ("interactions", "reviews"):
            rejects.warn(f"{path.name}: ignored column {', '.join(unused[:20])}")
    if file.facts.encoding not in ("utf-8", "parquet"):
        rejects.warn(f"{path.name}: not UTF-8, read as {file.facts.encoding}")
    return file


def _listing(names: dict[str, Path]) -> str:
    shown_names = ", ".join(list(names)[:8])
    return f"it has {shown_names}{', …' if len(names) > 8 else ''}" if names else "it is empty"


def _key(record: Record) -> str:
    if isinstance(record, Item):
        return record.item_id
    if isinstance(record, User):
        return record.user_id
    if isinstance(record, Review):
        return record.review_id
    at = record.at.isoformat()
    return "\n".join((record.user_id, record.item_id, record.kind, at))
