"""The folder of one run, ``runs/ID/``: made by one writer at a time, found by id or name."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from retrieval.errors import InvalidInput, NotFound

RECORD = "record.json"
_LOCK, _WRITER = "writer.lock", "writer.txt"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHOWN = 10


class RunFolder:
    """One run's folder. ``create`` gives one to write, which is locked; ``open`` one to read.

    Attributes:
        path: the folder.
        run_id: its name.
    """

    def __init__(self, path: Path, lock: FileLock | None = None) -> None:
        self.path = path
        self.run_id = path.name
        self._lock = lock

    @classmethod
    def create(cls, runs: Path, name: str, *, run_id: str | None, at: datetime) -> Self:
        """Make the folder, or enter one that an earlier try left unfinished, and lock it.

        Args:
            runs: folder of all runs; made when it is missing.
            name: of the run; ends a new id: ``YYYYmmddTHHMMSSffffff-NAME``.
            run_id: the id to use; ``None`` for a new one.
            at: when the run began; any time zone.

        Raises:
            InvalidInput: a bad id; a finished run has it; another process is writing it; the
                folder cannot be made.
        """
        chosen = run_id if run_id is not None else f"{at.astimezone(UTC):%Y%m%dT%H%M%S%f}-{name}"
        if not _ID.fullmatch(chosen):
            raise InvalidInput(
                f"{chosen!r} cannot name a run",
                "start with a letter or digit, then letters, digits, dot, dash and underscore",
            )
        path = runs / chosen
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / _LOCK).touch()  # fails at once where FileLock would keep trying
            lock = FileLock(path / _LOCK)
            lock.acquire(timeout=0)
        except Timeout as error:
            raise InvalidInput(
                f"another run is writing {path} ({_writer(path)})",
                "wait for it, stop it, or give this run an id of its own",
            ) from error
        except OSError as error:
            raise InvalidInput(
                f"{path} cannot be written: {error.strerror or error}",
                "choose another folder with --runs",
            ) from error
        folder = cls(path, lock)
        # Asked for under the lock, or the run before us could finish in between.
        if (path / RECORD).exists():
            folder.close()
            raise InvalidInput(
                f"run {chosen} in {runs} is finished already",
                "leave out the id to make a new run, or delete that folder first",
            )
        (path / _WRITER).write_text(
            f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}\n", "utf-8"
        )
        return folder

    @classmethod
    def open(cls, runs: Path, reference: str) -> Self:
        """Find a run to read; nothing is locked.

        Args:
            runs: folder of all runs.
            reference: a path, an id, the beginning of exactly one id, or a run's name, which
                means the latest run of that name.

        Raises:
            NotFound: no such run; the latest ones are listed.
            InvalidInput: several ids begin like this; they are listed.
        """
        ids = run_ids(runs)
        if reference in ids:
            return cls(runs / reference)
        if reference and _is_run(Path(reference)):
            return cls(Path(reference).resolve())
        begin = [one for one in ids if reference and one.startswith(reference)]
        named = [one for one in ids if one.partition("-")[2] == reference]
        if len(begin) == 1 or (named and not begin):
            return cls(runs / (begin or named)[0])
        if begin:
            raise InvalidInput(
                f"{len(begin)} runs in {runs} begin with {reference!r}: {_listed(begin)}",
                "write more of the id",
            )
        raise NotFound(
            f"no run {reference!r} in {runs}",
            f"there are: {_listed(ids)}" if ids else "make one: palate eval run CONFIG",
        )

    def close(self) -> None:
        """Let others write; a folder that was only opened has nothing to give back."""
        if self._lock is not None:
            with suppress(OSError):
                (self.path / _WRITER).unlink(missing_ok=True)
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def run_ids(runs: Path) -> list[str]:
    """Ids of the runs in the folder, backwards: those that begin with their time newest first.

    Unfinished runs count too; a folder that is missing has none.
    """
    if not runs.is_dir():
        return []
    found = (path for path in runs.iterdir() if path.is_dir() and _ID.fullmatch(path.name))
    return sorted((one.name for one in found if _is_run(one)), reverse=True)


def _is_run(path: Path) -> bool:
    return (path / RECORD).is_file() or (path / _LOCK).is_file()


def _writer(path: Path) -> str:
    try:
        return (path / _WRITER).read_text(encoding="utf-8").strip() or "writer unknown"
    except OSError:
        return "writer unknown"


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - _SHOWN} older" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more
