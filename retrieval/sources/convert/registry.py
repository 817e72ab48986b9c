"""Which published data can be converted, and the one function that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import InvalidInput
from retrieval.ports import Progress
from retrieval.sources.convert.amazon import convert_amazon
from retrieval.sources.convert.movielens import convert_movielens
from retrieval.sources.convert.writer import DataSetWriter
from retrieval.sources.convert.xwines import convert_xwines

CONVERTERS: Mapping[str, Callable[[Path, DataSetWriter, Progress], None]] = {
    "xwines": convert_xwines,
    "amazon": convert_amazon,
    "movielens": convert_movielens,
}


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """Rows written by table (and pictures), and what the reader should know."""

    rows: Mapping[str, int]
    notes: tuple[str, ...]


def convert(
    kind: str, source: Path, target: Path, *, force: bool, progress: Progress
) -> ConvertReport:
    """Make a data-set folder from published files; it appears whole or not at all.

    Args:
        kind: a key of ``CONVERTERS``.
        source: the folder (Amazon: or the file) as published.
        target: the folder to make.
        force: replace what stands there.
        progress: told about every file.

    Raises:
        NotFound: a published file is missing.
        InvalidInput: unknown kind, ``target`` exists, or a file is not what it should be.
    """
    if kind not in CONVERTERS:
        raise InvalidInput(
            f"{kind!r} is no kind of published data", f"the kinds are {', '.join(CONVERTERS)}"
        )
    if target.exists() and source.exists() and target.resolve() == source.resolve():
        raise InvalidInput(f"{target} is the source itself", "name another folder for the result")
    with DataSetWriter(target, force=force) as writer:
        CONVERTERS[kind](source, writer, progress)
    return ConvertReport(dict(writer.rows), tuple(writer.notes))
