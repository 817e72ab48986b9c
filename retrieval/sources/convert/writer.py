"""Writes a data-set folder that appears whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import IO, Any

from retrieval.errors import InvalidInput
from retrieval.sources.values import read_attribute


class DataSetWriter:
    """A data-set folder under construction; leaving the ``with`` block puts it in place.

    It grows beside its target under a hidden name. On an error it is removed, and what
    stood at the target before stays.
    """

    def __init__(self, target: Path, *, force: bool) -> None:
        """Nothing is made yet.

        Args:
            target: the folder to make.
            force: replace what is there.

        Raises:
            InvalidInput: something is there and ``force`` is not given, or it is no folder.
        """
        if os.path.lexists(target):
            if not target.is_dir():
                raise InvalidInput(f"{target} is a file", "name a folder that does not exist yet")
            if not force and any(target.iterdir()):
                raise InvalidInput(f"{target} exists already", "give --force to replace it")
        self._target = target
        self.rows: Counter[str] = Counter()
        self.notes: list[str] = []
        self._open = ExitStack()
        self._streams: dict[str, tuple[IO[str], Any, Sequence[str]]] = {}

    def __enter__(self) -> DataSetWriter:
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            made = mkdtemp(prefix=f".{self._target.name}.", dir=self._target.parent)
        except OSError as error:
            raise InvalidInput(
                f"cannot write beside {self._target}: {error.strerror}", "name another place"
            ) from error
        self.folder = Path(made)
        self.folder.chmod(0o755)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._open.close()
            if kind is None:
                self._put_in_place()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def columns(self, table: str, names: Sequence[str]) -> None:
        """Begin ``<table>.csv`` with these columns."""
        path = self.folder / f"{table}.csv"
        stream = self._open.enter_context(path.open("w", encoding="utf-8", newline=""))
        writer = csv.writer(stream)
        writer.writerow(names)
        self._streams[table] = (stream, writer, names)
        self.rows[table] += 0

    def row(self, table: str, values: Mapping[str, object]) -> None:
        """One row of a CSV table; lists become JSON, absent columns empty cells."""
        _, writer, names = self._streams[table]
        writer.writerow([_cell(values.get(name)) for name in names])
        self.rows[table] += 1

    def line(self, table: str, values: Mapping[str, object]) -> None:
        """One row of ``<table>.jsonl``; ``None`` values are left out."""
        if table not in self._streams:
            path = self.folder / f"{table}.jsonl"
            stream = self._open.enter_context(path.open("w", encoding="utf-8"))
            self._streams[table] = (stream, None, ())
        kept = {name: value for name, value in values.items() if value is not None}
        self._streams[table][0].write(f"{json.dumps(kept, ensure_ascii=False)}\n")
        self.rows[table] += 1

    def picture(self, source: Path, name: str) -> bool:
        """Link (else copy) a picture to ``images/<name>``; False when there is none."""
        if not source.is_file():
            return False
        images = self.folder / "images"
        images.mkdir(exist_ok=True)
        try:
            os.link(source, images / name)
        except OSError:  # another file system, or links are not allowed there
            shutil.copyfile(source, images / name)
        self.rows["pictures"] += 1
        return True

    def _put_in_place(self) -> None:
        if not os.path.lexists(self._target):
            os.rename(self.folder, self._target)
            return
        old = Path(mkdtemp(prefix=f".{self._target.name}.old.", dir=self._target.parent))
        os.rename(self._target, old / "data")
        try:
            os.rename(self.folder, self._target)
        except BaseException:
            os.rename(old / "data", self._target)
            raise
        finally:
            shutil.rmtree(old, ignore_errors=True)


def _cell(value: object) -> str:
    """A cell that reads back as the value: text that would read as another type is quoted."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return json.dumps(list(value), ensure_ascii=False)
    if isinstance(value, str):
        return value
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def as_text(value: str) -> str:
    """An attribute cell that stays text: quoted as JSON where it would read as a number or list."""
    if isinstance(read_attribute(value, typed=False), str) or not value.strip():
        return value
    return json.dumps(value, ensure_ascii=False)
