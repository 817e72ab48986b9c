"""What is particular to Chroma: who made the vectors, one process, and every error mapped."""

import inspect
import os
import subprocess
import sys
import threading
from pathlib import Path

import chromadb.errors
import numpy as np
import pytest

from retrieval.errors import StoreError
from retrieval.store import chroma_index
from retrieval.store.chroma_index import ChromaIndex

OPEN = """
import sys
from pathlib import Path
from retrieval.errors import StoreError
from retrieval.store.chroma_index import ChromaIndex
try:
    ChromaIndex(Path(sys.argv[1]), collection="items", embedder_id="e@1", dimension=4)
except StoreError as error:
    sys.exit(f"{error.message} | {error.hint}")
"""
CHROMA_ERRORS = [
    kind
    for _, kind in inspect.getmembers(chromadb.errors, inspect.isclass)
    if issubclass(kind, chromadb.errors.ChromaError) and not inspect.isabstract(kind)
]


def open_index(folder: Path, name: str = "items", embedder: str = "e@1") -> ChromaIndex:
    return ChromaIndex(folder, collection=name, embedder_id=embedder, dimension=4)


def one_hot(index: ChromaIndex, *ids: str) -> None:
    given = np.eye(4, dtype=np.float32)[: len(ids)]
    index.upsert(ids, given, ["text"] * len(ids), ["v1"] * len(ids))


def test_vectors_outlive_the_process_that_wrote_them(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    one_hot(index, "a", "b")
    index.close()
    index.close()
    index = open_index(tmp_path)
    assert index.search(np.eye(4, dtype=np.float32)[1], 1)[0].item_id == "b"
    index.close()


def test_two_collections_share_a_folder_without_sharing_vectors(tmp_path: Path) -> None:
    items, users = open_index(tmp_path), open_index(tmp_path, "users")
    one_hot(items, "a")
    assert (items.count(), users.count()) == (1, 0)
    items.close()
    one_hot(users, "u")
    assert users.count() == 1
    users.close()


def test_another_embedder_is_refused_by_name(tmp_path: Path) -> None:
    open_index(tmp_path).close()
    with pytest.raises(StoreError, match=r"e@1 with 4 dimensions.*e@2 with 4") as refused:
        open_index(tmp_path, embedder="e@2")
    assert "palate profiles build" in refused.value.hint
    index = open_index(tmp_path)  # the refusal let go of the folder and changed nothing
    one_hot(index, "a")
    index.close()


def test_a_second_process_is_told_who_has_the_folder(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    run = [sys.executable, "-W", "ignore", "-c", OPEN, str(tmp_path)]
    refused = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert refused.returncode == 1
    assert f"in use by process {os.getpid()}" in refused.stderr
    assert "--home" in refused.stderr
    assert "Traceback" not in refused.stderr
    index.close()
    assert subprocess.run(run, capture_output=True, timeout=120).returncode == 0


def test_rubbish_in_the_folder_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "chroma.sqlite3").write_bytes(b"rubbish" * 1000)
    for _ in range(2):
        with pytest.raises(StoreError, match="not a database"):
            open_index(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_index(tmp_path / "file" / "chroma")


@pytest.mark.parametrize("kind", [*CHROMA_ERRORS, ValueError, TypeError, RuntimeError, OSError])
def test_every_chroma_error_becomes_a_store_error(
    kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(CHROMA_ERRORS) > 10

    class Broken:
        def __getattr__(self, _: str) -> object:
            raise kind("it broke")

    index = object.__new__(ChromaIndex)
    index._dimension, index._where, index._lock = 4, "here", threading.RLock()
    index._cache, index._collection = None, Broken()  # type: ignore[assignment]
    vector = np.ones(4, np.float32)
    calls = [
        index.count,
        index.versions,
        lambda: index.vectors(["a"]),
        lambda: index.delete(["a"]),
        lambda: index.search(vector, 1),
        lambda: index.search(vector, 1, frozenset({"a"})),
        lambda: index.upsert(["a"], vector[np.newaxis], ["t"], ["v"]),
    ]
    for call in calls:
        with pytest.raises(StoreError, match=r"here: .*it broke") as refused:
            call()
        assert refused.value.__cause__ is not None


def test_above_the_cache_bound_search_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = open_index(tmp_path)
    one_hot(index, "a", "b", "c", "d")
    query, allowed = np.array([3, 2, 1, 0], np.float32), frozenset({"b", "c", "unknown"})
    cached = index.search(query, 5, allowed)
    monkeypatch.setattr(chroma_index, "MAX_CACHED_BYTES", 0)
    assert index.search(query, 5, allowed) == cached
    assert index.search(query, 5, frozenset({"unknown"})) == []
    index.close()


def test_threads_may_write_and_search_at_once(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(5):
                vector = np.random.default_rng(number * 10 + step).random((1, 4), np.float32)
                index.upsert([f"{number}-{step}"], vector, ["t"], ["v"])
                index.search(vector[0], 3, frozenset({f"{number}-{step}"}))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert index.count() == 20
    index.close()
