"""One process, one Chroma folder: Chroma's files break when two processes write them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from retrieval.errors import StoreError

_WAIT_SECONDS = 3.0


class FolderLock:
    """Held for as long as this process has the folder open; the system frees it when we die."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            StoreError: another process has it (its number is named), or the folder cannot
                be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._owner = folder / "owner.pid"
            lock = folder / "owner.lock"
            lock.touch()  # fails at once where FileLock would keep trying
            self._lock = FileLock(lock)
            self._lock.acquire(timeout=_WAIT_SECONDS)
            self._owner.write_text(f"{os.getpid()}\n", encoding="ascii")
        except Timeout as error:
            raise StoreError(
                f"{folder} is in use by process {self._read_owner()}",
                "only one process can have it open: ask that one over HTTP, stop it, "
                "or use another --home",
            ) from error
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be opened: {error.strerror or error}",
                "check that the folder may be written, or choose another --home",
            ) from error

    def release(self) -> None:
        """Let others in."""
        with suppress(OSError):
            self._owner.unlink(missing_ok=True)
        self._lock.release()

    def _read_owner(self) -> str:
        try:
            return self._owner.read_text(encoding="ascii").strip() or "unknown"
        except (OSError, UnicodeDecodeError):
            return "unknown"
