"""Published files: found under their usual names, read with the same care as a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from retrieval.errors import InvalidInput, NotFound
from retrieval.ports import Progress
from retrieval.sources.convert.writer import DataSetWriter
from retrieval.sources.tables import RawRow, TableFile
from retrieval.sources.values import shown


def find_file(folder: Path, patterns: Sequence[str], *, what: str) -> Path:
    """The one file that matches the first pattern that anything matches.

    Args:
        folder: where to look, or the file itself.
        patterns: glob patterns, the best first.
        what: how an error names it.

    Raises:
        NotFound: nothing matches, or no such folder.
        InvalidInput: several files match one pattern.
    """
    if not folder.exists():
        raise NotFound(f"there is no {folder}", "check the path")
    if folder.is_file():
        return folder
    for pattern in patterns:
        found = sorted(path for path in folder.glob(pattern) if path.is_file())
        if len(found) > 1:
            names = ", ".join(path.name for path in found[:5])
            raise InvalidInput(f"{folder} has several files with {what}: {names}", "name one file")
        if found:
            return found[0]
    raise NotFound(f"{folder} has no {what}", f"expected {' or '.join(patterns)}")


def find_optional(folder: Path, names: Sequence[str]) -> Path | None:
    """The first of the files that exists."""
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_published(
    path: Path, required: Sequence[str], writer: DataSetWriter, progress: Progress
) -> Iterator[RawRow]:
    """Readable rows with all required columns; unreadable ones are counted in a note.

    Raises:
        InvalidInput: not such a file: unreadable, or a required column is missing.
    """
    table = TableFile(path)
    if table.columns is not None:
        _require(path, required, table.columns)
    progress.start(path.name, table.total)
    bad, first = 0, ""
    for row in table.rows():
        progress.advance(row.lines)
        missing = [] if row.problem else [name for name in required if name not in row.values]
        if not row.problem and not missing:
            yield row
            continue
        bad += 1
        first = first or f"line {row.line}: {row.problem or f'lacks {missing[0]}'}"
        if bad == 1 and table.columns is None and row.line == 1 and missing:
            _require(path, required, tuple(row.values))
    if bad:
        writer.notes.append(f"{path.name}: {bad:,} unreadable rows left out; the first: {first}")


def _require(path: Path, required: Sequence[str], present: Sequence[str]) -> None:
    if missing := [name for name in required if name not in present]:
        raise InvalidInput(
            f"{path} lacks {', '.join(missing)}; it has "
            f"{', '.join(shown(name, 30) for name in present[:20])}",
            "is this the file as published, and the right kind of data?",
        )
