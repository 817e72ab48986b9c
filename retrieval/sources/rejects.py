"""The file of rows that did not go in: one JSON object a line, so that they can be mended."""

from __future__ import annotations

import glob
import json
import os
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

import psutil

from retrieval.errors import InvalidInput

_RAW_LIMIT = 1000
_SHOWN = 5


class Reject(NamedTuple):
    """One bad row: where it is, what is wrong. ``column`` is "" when it is the whole row."""

    file: str
    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{where}: {self.column} {self.reason}".replace(":  ", ": ")


class RejectsFile:
    """Collects rejects while reading; ``close`` puts the finished file in place.

    Nothing is written before the first reject. The file grows under ``<name>.<pid>.part``
    and is renamed at the end, so what stands at ``path`` is always whole; a run without
    rejects removes the one that an earlier run left.
    """

    def __init__(self, path: Path | None) -> None:
        """Nothing is opened yet.

        Args:
            path: where the file goes; ``None`` only counts.
        """
        self.path = path
        self.counts: Counter[str] = Counter()
        self.first: list[Reject] = []
        self.warnings: list[str] = []
        self._stream: IO[str] | None = None

    def __enter__(self) -> RejectsFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def total(self) -> int:
        """How many rows were rejected."""
        return sum(self.counts.values())

    def add(
        self, table: str, file: str, line: int, column: str, reason: str, raw: str = ""
    ) -> None:
        """One bad row; ``raw`` is cut to 1,000 characters."""
        reject = Reject(file, line, column, reason)
        self.counts[table] += 1
        if len(self.first) < _SHOWN:
            self.first.append(reject)
        if self.path is not None:
            cut = raw if len(raw) <= _RAW_LIMIT else f"{raw[:_RAW_LIMIT]}…"
            record = {**reject._asdict(), "raw": cut}
            self._open(self.path).write(f"{json.dumps(record, ensure_ascii=True)}\n")

    def warn(self, text: str) -> None:
        """Something that the reader should know and that cost no row."""
        if text not in self.warnings:
            self.warnings.append(text)

    def close(self) -> None:
        """Put the file in place, or remove an old one when there is nothing to report."""
        if self.path is None:
            return
        if self._stream is None:
            self.path.unlink(missing_ok=True)
            return
        if not self._stream.closed:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            os.replace(self._stream.name, self.path)

    def _open(self, path: Path) -> IO[str]:
        if self._stream is None:
            # Two runs at once must not write into one file; a killed one leaves its own.
            part = Path(f"{path}.{os.getpid()}.part")
            try:
                part.parent.mkdir(parents=True, exist_ok=True)
                _remove_parts_of_dead_runs(path)
                self._stream = part.open("w", encoding="utf-8")
            except OSError as error:
                raise InvalidInput(
                    f"cannot write the rejects file {path}: {error.strerror}",
                    "name another place for it",
                ) from error
        return self._stream


def _remove_parts_of_dead_runs(path: Path) -> None:
    for part in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        pid = part.name.removeprefix(f"{path.name}.").removesuffix(".part")
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            part.unlink(missing_ok=True)
