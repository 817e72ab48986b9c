"""Which ids a data set has named so far, on disk, so that memory does not grow with the data."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b
from types import TracebackType

_CACHE_KIB = 16_384


class SeenIds:
    """Keys by table with the line and content they came with; gone when closed.

    The file is SQLite's private temporary database: it has no name, spills to disk
    beyond 16 MiB and cannot be left behind by a crash.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        self._db.execute(
            "CREATE TABLE seen (tab TEXT, key BLOB, content BLOB, line INTEGER,"
            " PRIMARY KEY (tab, key)) WITHOUT ROWID"
        )
        self._db.execute("BEGIN")

    def __enter__(self) -> SeenIds:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def add(self, table: str, key: str, content: str, line: int) -> tuple[int, bool] | None:
        """Remember a key, or say what came first.

        Returns:
            ``None`` when the key is new, else (line of the first, its content is the same).
        """
        digest, body = _digest(key), _digest(content)
        added = self._db.execute(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?)", (table, digest, body, line)
        )
        if added.rowcount == 1:
            return None
        before = self._db.execute(
            "SELECT line, content FROM seen WHERE tab = ? AND key = ?", (table, digest)
        ).fetchone()
        return int(before[0]), before[1] == body

    def has(self, table: str, key: str) -> bool:
        """The key was added."""
        query = "SELECT 1 FROM seen WHERE tab = ? AND key = ?"
        return self._db.execute(query, (table, _digest(key))).fetchone() is not None


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
