"""Everything that lives under ``settings.store.home``, opened once and closed once.

The SQL side opens at once; the embedder and the vector index open when first used, so
that a command that only reads tables loads no model and holds no lock on the index.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from agent.settings import Settings
from retrieval.errors import InvalidInput
from retrieval.ports import (
    Catalog,
    Embedder,
    EventLog,
    ProfileStore,
    RequestLog,
    VectorIndex,
)

if TYPE_CHECKING:
    from retrieval.store.chroma_index import ChromaIndex
    from retrieval.store.database import Database


@dataclass
class Stores:
    """The open stores of one home. A context manager; ``close`` may be called twice."""

    settings: Settings
    database: Database
    catalog: Catalog
    event_log: EventLog
    profiles: ProfileStore
    _opened: list[ChromaIndex] = field(default_factory=list, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @cached_property
    def embedder(self) -> Embedder:
        """Loaded on first use (seconds)."""
        from retrieval.embedding.load import load_embedder

        with self._lock:
            return load_embedder(self.settings.embed.model)

    @cached_property
    def request_log(self) -> RequestLog:
        """Requests that were kept for evaluation."""
        from retrieval.store.request_log import SqlRequestLog

        return SqlRequestLog(self.database)

    @property
    def has_vectors(self) -> bool:
        """Whether anything was ever indexed here; answers without loading the embedder."""
        return self._index_folder.is_dir()

    @property
    def _index_folder(self) -> Path:
        return self.settings.store.home / "chroma"

    @cached_property
    def item_index(self) -> VectorIndex:
        """Vectors of item profiles. Raises StoreError when another process holds the index."""
        return self._open_index("items")

    @cached_property
    def user_index(self) -> VectorIndex:
        """Vectors of user profiles. Raises StoreError when another process holds the index."""
        return self._open_index("users")

    def _open_index(self, collection: str) -> VectorIndex:
        from retrieval.store.chroma_index import ChromaIndex

        with self._lock:
            index = ChromaIndex(
                self._index_folder,
                collection=collection,
                embedder_id=self.embedder.embedder_id,
                dimension=self.embedder.dimension,
            )
            self._opened.append(index)
            return index

    def close(self) -> None:
        """Close what was opened."""
        with self._lock:
            while self._opened:
                self._opened.pop().close()
            self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_stores(settings: Settings) -> Stores:
    """Open (and create, when new) the database and prepare the rest for first use.

    Raises:
        InvalidInput: the home folder cannot be made or written.
        StoreError: the database cannot be opened or migrated.
    """
    from retrieval.store.catalog import SqlCatalog
    from retrieval.store.database import open_database
    from retrieval.store.event_log import SqlEventLog
    from retrieval.store.profile_store import SqlProfileStore

    home = settings.store.home
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"the home folder {home} cannot be made: {error.strerror}",
            "give a folder that you may write to with --home or PALATE_STORE_HOME",
        ) from error
    database = open_database(settings.database_url)
    return Stores(
        settings=settings,
        database=database,
        catalog=SqlCatalog(database),
        event_log=SqlEventLog(database),
        profiles=SqlProfileStore(database),
    )
