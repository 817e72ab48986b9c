"""``VectorIndex`` in an embedded Chroma; the only importer of chromadb.

Chroma never embeds by itself here: vectors are always passed, and the id and dimension of the
embedder that made them are stored with the collection and checked when it is opened. Chroma is
imported on first use, because that takes a second.

Search without ``allowed`` asks Chroma's HNSW graph. Search within ``allowed`` is exact, over
vectors kept in memory: Chroma's own filters scan its SQL tables, and one matrix product is
many times faster at the sizes where one process is enough. Above ``MAX_CACHED_BYTES`` only the
allowed vectors are read, for that search alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import InvalidInput, PalateError, StoreError
from retrieval.ports import Vectors
from retrieval.store.chroma_folder import FolderLock
from retrieval.store.exact import ExactVectors, best
from retrieval.store.values import checked_id, in_batches, is_storable, storable_text
from retrieval.types import ScoredItem

if TYPE_CHECKING:
    from chromadb.api import ClientAPI

MAX_CACHED_BYTES = 512 * 2**20
_PAGE = 2_000  # below Chroma's largest batch
_SQLITE_MAGIC = b"SQLite format 3\0"
_HNSW: Any = {"space": "cosine", "ef_construction": 128, "max_neighbors": 24, "ef_search": 256}
_REBUILD = "set embed.model back, or delete the folder and run: palate profiles build"


class ChromaIndex:
    """One collection of profile texts and their vectors; safe to share between threads.

    Several collections of one folder may be open in one process; a second process gets a
    ``StoreError`` that names the first.
    """

    def __init__(self, folder: Path, *, collection: str, embedder_id: str, dimension: int) -> None:
        """Open or make the collection.

        Raises:
            StoreError: another process has the folder, it cannot be opened, or the vectors in
                it were made by another embedder.
        """
        self._dimension = dimension
        self._where = f"collection {collection!r} in {folder}"
        self._lock = RLock()
        self._cache: ExactVectors | None = None
        self._folder: _OpenFolder | None = _OpenFolder.share(folder.expanduser().absolute())
        try:
            with _chroma_errors(self._where):
                self._collection = self._folder.client.get_or_create_collection(
                    collection,
                    embedding_function=None,
                    configuration={"hnsw": _HNSW},
                    metadata={"embedder_id": embedder_id, "dimension": dimension},
                )
            self._check_embedder(embedder_id)
        except PalateError:
            self.close()
            raise

    def upsert(
        self,
        ids: Sequence[str],
        vectors: Vectors,
        texts: Sequence[str],
        versions: Sequence[str],
    ) -> None:
        """Insert or update in place; of one id given twice the last stands.

        Raises:
            InvalidInput: lengths or dimensions disagree, an id cannot be kept, or a vector is
                zero or not finite; nothing is written.
            StoreError: Chroma failed.
        """
        if not len(ids) == len(vectors) == len(texts) == len(versions):
            raise InvalidInput(
                f"{len(ids)} ids, {len(vectors)} vectors, {len(texts)} texts, "
                f"{len(versions)} versions",
                "give one of each for every id",
            )
        if not ids:
            return
        unit = self._unit(np.asarray(vectors, dtype=np.float32), ids)
        last = {checked_id(identifier, "id"): row for row, identifier in enumerate(ids)}
        with self._lock, _chroma_errors(self._where):
            for rows in in_batches(last.values(), _PAGE):
                names = [ids[row] for row in rows]
                try:
                    self._collection.upsert(
                        ids=names,
                        embeddings=unit[rows],
                        documents=[storable_text(texts[row]) for row in rows],
                        metadatas=[{"version": versions[row]} for row in rows],
                    )
                except BaseException:
                    self._cache = None  # how much of it was written is unknown
                    raise
                if self._cache is not None:
                    self._cache.put(names, unit[rows])

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: frozenset[str] | None = None
    ) -> list[ScoredItem]:
        """The ``k`` nearest by cosine (score in [-1, 1]) among ``allowed``, best first.

        Equal scores stand in id order. Exact within ``allowed``, approximate without.

        Raises:
            InvalidInput: the vector has another dimension, is zero or not finite.
            StoreError: Chroma failed.
        """
        unit = self._unit(np.asarray(vector, dtype=np.float32)[np.newaxis], ["the query"])[0]
        if k <= 0 or (allowed is not None and not allowed):
            return []
        with self._lock, _chroma_errors(self._where):
            if allowed is None:
                return self._nearest(unit, k)
            if self._collection.count() * self._dimension * 4 > MAX_CACHED_BYTES:
                self._cache = None
                found = self.vectors(sorted(allowed))
                if not found:
                    return []
                return best(list(found), np.stack(list(found.values())) @ unit, k)
            if self._cache is None:
                self._cache = self._load_all()
            return self._cache.search(unit, k, allowed)

    def vectors(self, ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Stored vectors of the known ids, of norm 1."""
        found: dict[str, NDArray[np.float32]] = {}
        with self._lock, _chroma_errors(self._where):
            for page in in_batches(dict.fromkeys(filter(is_storable, ids)), _PAGE):
                got = self._collection.get(ids=page, include=["embeddings"])
                found.update(zip(got["ids"], _matrix(got["embeddings"]), strict=True))
        return found

    def versions(self) -> dict[str, str]:
        """Version of every stored id."""
        found: dict[str, str] = {}
        with self._lock, _chroma_errors(self._where):
            for got in self._pages("metadatas"):
                pairs = zip(got["ids"], got["metadatas"], strict=True)
                found.update((identifier, str(data["version"])) for identifier, data in pairs)
        return found

    def delete(self, ids: Sequence[str]) -> None:
        """Forget; unknown ids are ignored."""
        with self._lock, _chroma_errors(self._where):
            for page in in_batches(dict.fromkeys(filter(is_storable, ids)), _PAGE):
                self._collection.delete(ids=page)
                if self._cache is not None:
                    self._cache.remove(page)

    def count(self) -> int:
        """How many vectors are stored."""
        with self._lock, _chroma_errors(self._where):
            return int(self._collection.count())

    def close(self) -> None:
        """Let go of the folder; with the last index of a folder its lock is freed."""
        folder, self._folder = self._folder, None
        self._cache = None
        if folder is not None:
            folder.release()

    def _check_embedder(self, embedder_id: str) -> None:
        stored = self._collection.metadata or {}
        made_by = (stored.get("embedder_id"), stored.get("dimension"))
        if made_by != (embedder_id, self._dimension):
            raise StoreError(
                f"{self._where} was made by embedder {made_by[0]} with {made_by[1]} dimensions; "
                f"configured is {embedder_id} with {self._dimension}",
                _REBUILD,
            )

    def _unit(self, vectors: Vectors, names: Sequence[str]) -> Vectors:
        if vectors.ndim != 2 or vectors.shape[1] != self._dimension:
            raise InvalidInput(
                f"vectors of shape {vectors.shape} for {self._where}",
                f"it holds vectors of {self._dimension} dimensions",
            )
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
        if bad.size:
            raise InvalidInput(
                f"the vector of {names[bad[0]][:60]!r} is zero or not finite", "embed it again"
            )
        unit: Vectors = vectors / norms
        return unit

    def _nearest(self, unit: NDArray[np.float32], k: int) -> list[ScoredItem]:
        count = self._collection.count()
        if count == 0:
            return []
        got: Any = self._collection.query(
            query_embeddings=unit[np.newaxis], n_results=min(k, count), include=["distances"]
        )
        scores = 1.0 - np.asarray(got["distances"][0], dtype=np.float32)
        return best(got["ids"][0], scores, k) if len(scores) else []

    def _load_all(self) -> ExactVectors:
        everything = ExactVectors(self._dimension)
        for got in self._pages("embeddings"):
            everything.put(got["ids"], _matrix(got["embeddings"]))
        return everything

    def _pages(self, what: str) -> Iterator[Any]:
        included: Any = [what]
        offset = 0
        while True:
            got = self._collection.get(include=included, limit=_PAGE, offset=offset)
            if got["ids"]:
                yield got
            if len(got["ids"]) < _PAGE:
                return
            offset += _PAGE


class _OpenFolder:
    """The client and lock of a folder, shared by this process's collections in it."""

    _open: ClassVar[dict[Path, _OpenFolder]] = {}
    _guard = RLock()

    def __init__(self, folder: Path) -> None:
        self._path = folder
        self._users = 0
        self._lock = FolderLock(folder)
        try:
            with _chroma_errors(str(folder)):
                self.client = _client(folder)
        except PalateError:
            self._lock.release()
            raise

    @classmethod
    def share(cls, folder: Path) -> _OpenFolder:
        with cls._guard:
            opened = cls._open.get(folder)
            if opened is None:
                opened = cls._open[folder] = cls(folder)
            opened._users += 1
            return opened

    def release(self) -> None:
        with self._guard:
            self._users -= 1
            if self._users > 0:
                return
            del self._open[self._path]
            with _chroma_errors(str(self._path)):
                self.client.close()  # type: ignore[attr-defined]  # on every real client
            self._lock.release()


def _client(folder: Path) -> ClientAPI:
    import chromadb
    from chromadb.config import Settings

    # Chroma remembers a folder that failed once, and then fails with another, useless message.
    file = folder / "chroma.sqlite3"
    if file.is_file() and _start_of(file) not in (b"", _SQLITE_MAGIC):
        raise ValueError(f"{file.name} is not a database")
    # Chroma would also read a .env file of whatever folder the command runs in.
    settings = Settings(_env_file=None, anonymized_telemetry=False)
    return chromadb.PersistentClient(str(folder), settings=settings)


def _start_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(len(_SQLITE_MAGIC))


def _matrix(embeddings: Any) -> Vectors:
    return np.asarray(embeddings, dtype=np.float32)


@contextmanager
def _chroma_errors(where: str) -> Iterator[None]:
    """Turn whatever Chroma raises into ``StoreError``.

    Chroma raises its own errors, but also ValueError and TypeError from its validation, OSError
    and RuntimeError from below, and its Rust part panics with a BaseException of its own.
    """
    try:
        yield
    except PalateError:
        raise
    except Exception as error:
        raise _store_error(where, error) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise _store_error(where, error) from error
        raise


def _store_error(where: str, error: BaseException) -> StoreError:
    reason = (str(error).strip().splitlines() or [""])[0] or type(error).__name__
    return StoreError(
        f"{where}: {reason}",
        "if it stays so, delete the folder and run: palate profiles build",
    )
