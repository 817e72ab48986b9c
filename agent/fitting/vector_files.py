"""Vectors of items kept between fits: only what is new or has changed is computed again."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.whole_file import whole_file
from retrieval.errors import InvalidInput
from retrieval.ports import Progress, Vectors

_BATCH = 64
_SAVE_EVERY = 8192
"""Vectors after which a long run is put on disk, so that a killed one goes on from there."""


def kept_vectors(
    path: Path,
    digests: Mapping[str, str],
    compute: Callable[[Sequence[str]], Vectors],
    *,
    dimension: int,
    stage: str,
    progress: Progress,
) -> tuple[Vectors, int]:
    """Vectors of all items, from the file where it holds them for the same content.

    Args:
        path: the file; afterwards it holds these items and no other.
        digests: SHA-256 (hex) of an item's content by id, in the order of the rows; "" for an
            item without content, whose row is 0.
        compute: vectors of some of the ids, shape (ids, dimension).
        dimension: length of a vector.
        stage: how the progress calls it.
        progress: told of what is computed.

    Returns:
        float32 of shape (len(digests), dimension), and how many were computed.

    Raises:
        StoreError: the file cannot be written. What ``compute`` raises leaves through here,
            after what it has computed was saved.
    """
    ids = list(digests)
    table = np.zeros((len(ids), dimension), dtype=np.float32)
    done = np.array([not digests[item_id] for item_id in ids], dtype=np.bool_)
    held = _held(path, dimension, progress)
    for at, item_id in enumerate(ids):
        found = held.get(item_id)
        if found is not None and found[0] == digests[item_id]:
            table[at], done[at] = found[1], True
    missing = np.flatnonzero(~done)
    if not missing.size:
        return table, 0
    progress.start(stage, len(missing))
    unsaved = 0
    try:
        for start in range(0, len(missing), _BATCH):
            rows = missing[start : start + _BATCH]
            table[rows] = compute([ids[row] for row in rows])
            done[rows] = True
            unsaved += len(rows)
            progress.advance(len(rows))
            if unsaved >= _SAVE_EVERY:
                _save(path, ids, digests, table, done)
                unsaved = 0
    finally:
        if unsaved:
            _save(path, ids, digests, table, done)
    return table, len(missing)


def read_vectors(path: Path, item_ids: Sequence[str]) -> Vectors:
    """Rows of the file in the order of the ids; 0 for an item that it does not know.

    Raises:
        InvalidInput: the file is missing or damaged; names it.
    """
    ids, _, vectors = _read(path)
    place = {item_id: at for at, item_id in enumerate(ids)}
    rows = np.array([place.get(item_id, -1) for item_id in item_ids], dtype=np.int64)
    table = np.zeros((len(item_ids), vectors.shape[1]), dtype=np.float32)
    table[rows >= 0] = vectors[rows[rows >= 0]]
    return table


def _held(
    path: Path, dimension: int, progress: Progress
) -> dict[str, tuple[str, NDArray[np.float32]]]:
    if not path.exists():
        return {}
    try:
        ids, digests, vectors = _read(path)
    except InvalidInput as error:
        progress.note(f"{error.message}; all vectors are computed again.")
        return {}
    if vectors.shape[1] != dimension:
        return {}
    return {
        item_id: (bytes(digest).hex(), vector)
        for item_id, digest, vector in zip(ids, digests, vectors, strict=True)
    }


def _read(path: Path) -> tuple[list[str], NDArray[np.uint8], Vectors]:
    try:
        # Opened here: np.load leaves the file open when it is no whole archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as loaded:
            ids = json.loads(loaded["ids"].tobytes())
            digests, vectors = loaded["digests"], loaded["vectors"]
        if not (len(ids) == len(digests) == len(vectors)) or vectors.ndim != 2:
            raise ValueError(f"{len(ids)} ids for vectors of the shape {vectors.shape}")
        return ids, digests, vectors.astype(np.float32, copy=False)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInput(
            f"the vectors in {path} cannot be read: {error}", "run palate fit again"
        ) from error


def _save(
    path: Path,
    ids: Sequence[str],
    digests: Mapping[str, str],
    table: Vectors,
    done: NDArray[np.bool_],
) -> None:
    rows = [at for at in np.flatnonzero(done) if digests[ids[at]]]
    names = json.dumps([ids[at] for at in rows]).encode()
    marks = b"".join(bytes.fromhex(digests[ids[at]]) for at in rows)
    with whole_file(path) as file:
        np.savez(
            file,
            allow_pickle=False,
            ids=np.frombuffer(names, dtype=np.uint8),
            digests=np.frombuffer(marks, dtype=np.uint8).reshape(len(rows), 32),
            vectors=table[rows],
        )
