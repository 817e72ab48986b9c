"""Fitted models on disk: sets under ``models/`` in the home folder, one of them in use.

    models/current              id of the set in use
    models/<id>/manifest.json   what was fitted, when, on which data, how long it took
    models/<id>/items.json      ids of the columns
    models/<id>/<source>.npz    what its estimator learned; plain arrays, no pickle

A set is written in a folder of its own and renamed when it is whole; replacing ``current`` puts
it to use. The set before stays, for whoever is reading it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from filelock import FileLock, Timeout

from agent.fitting.rebuild import settings_of
from agent.whole_file import whole_file
from retrieval.candidates.estimator import Arrays, Estimator
from retrieval.errors import InvalidInput, StoreError

FOLDER = "models"
CURRENT = f"{FOLDER}/current"
FORMAT = 1

_AGAIN = "run palate fit again"
_LOCK_SECONDS = 60
_PARTIAL = ".partial-set-"


@dataclass(frozen=True, slots=True)
class SavedSource:
    """One estimator of a set: what it takes to make it again, and what it cost.

    Attributes:
        kind: name of its class.
        settings: arguments that make the same estimator.
        bytes: size of its file.
        seconds: that its fit took.
        sha256: of its file.
    """

    kind: str
    settings: Mapping[str, Any]
    bytes: int
    seconds: float
    sha256: str


@dataclass(frozen=True, eq=False)
class ModelSet:
    """What one fit learned.

    Attributes:
        set_id: name of its folder.
        at: when it was saved, ISO 8601.
        data_hash: state of the stores at the fit.
        features_id: of the item vectors that it saw, see ``agent.fitting.features``.
        item_ids: columns of every estimator.
        sources: by name, in the order in which they were given.
        arrays: what was learned, of the sources that were read.
        damaged: why a source could not be read, by name.
    """

    set_id: str
    at: str
    data_hash: str
    features_id: str
    item_ids: tuple[str, ...]
    sources: Mapping[str, SavedSource]
    arrays: Mapping[str, Arrays] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)


def save_models(
    home: Path,
    estimators: Mapping[str, Estimator],
    *,
    item_ids: Sequence[str],
    data_hash: str,
    features_id: str,
    fit_seconds: Mapping[str, float],
) -> ModelSet:
    """Write a set and put it to use; sets before the previous one are removed.

    Whatever happens before ``current`` is replaced leaves the former set in use.

    Args:
        home: the home folder.
        estimators: fitted, by source name.
        item_ids: the columns that they were fitted on.
        data_hash: state of the stores at the fit.
        features_id: of the item vectors that they saw.
        fit_seconds: by source name; 0 where it lacks one.

    Raises:
        StoreError: the folder cannot be written, or another fit has been saving for a minute.
    """
    now = datetime.now(UTC)
    set_id = f"{now:%Y%m%dT%H%M%SZ}-{uuid4().hex[:8]}"
    folder = home / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=_LOCK_SECONDS):
            try:
                before = _current_id(home)
            except InvalidInput:
                before = ""  # Damaged: this set takes its place.
            # Under the lock every unfinished folder is one that a killed fit has left.
            _remove(folder.glob(f"{_PARTIAL}*"))
            partial = folder / f"{_PARTIAL}{set_id}"
            partial.mkdir()
            sources = {
                name: _save_source(partial, name, one, fit_seconds.get(name, 0.0))
                for name, one in estimators.items()
            }
            saved = ModelSet(
                set_id, now.isoformat(), data_hash, features_id, tuple(item_ids), sources
            )
            _write(partial / "items.json", list(item_ids))
            _write(partial / "manifest.json", _record(saved, partial / "items.json"))
            os.replace(partial, folder / set_id)
            with whole_file(home / CURRENT) as file:
                file.write(f"{set_id}\n".encode())
            kept = {set_id, before}
            _remove(one for one in folder.iterdir() if one.is_dir() and one.name not in kept)
    except Timeout as error:
        raise StoreError(
            f"{folder}: another fit has been saving for {_LOCK_SECONDS} seconds",
            "wait for it or stop it, then run palate fit again",
        ) from error
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written: {error.strerror or error}",
            "check the home folder's rights and the space on its disk",
        ) from error
    return saved


def read_models(home: Path, only: Collection[str] | None = None) -> ModelSet | None:
    """The set in use; ``None`` when none was saved yet.

    Args:
        home: the home folder.
        only: sources whose arrays are read; ``None`` = all. Others cost no memory.

    A source whose file is damaged or missing is named in ``damaged``, and the others are read.

    Raises:
        InvalidInput: the set as a whole cannot be read; names the file.
    """
    set_id = _current_id(home)
    if not set_id:
        return None
    folder = home / FOLDER / set_id
    manifest = folder / "manifest.json"
    try:
        record = json.loads(_content(manifest))
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']!r}, expected {FORMAT}")
        items = _content(folder / "items.json", record["items_sha256"])
        sources = {name: SavedSource(**one) for name, one in record["sources"].items()}
        arrays: dict[str, Arrays] = {}
        damaged: dict[str, str] = {}
        for name, source in sources.items():
            if only is None or name in only:
                try:
                    arrays[name] = _arrays(folder / f"{name}.npz", source.sha256)
                except InvalidInput as error:
                    damaged[name] = error.message
        return ModelSet(
            set_id=str(record["id"]),
            at=str(record["at"]),
            data_hash=str(record["data_hash"]),
            features_id=str(record["features_id"]),
            item_ids=tuple(json.loads(items)),
            sources=sources,
            arrays=arrays,
            damaged=damaged,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{manifest} cannot be used: {error}", _AGAIN) from error


def _current_id(home: Path) -> str:
    """Of the set in use; "" when there never was one."""
    path = home / CURRENT
    try:
        set_id = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}", _AGAIN) from error
    if not set_id:
        raise InvalidInput(f"{path} is empty", _AGAIN)
    return set_id


def _save_source(folder: Path, name: str, estimator: Estimator, seconds: float) -> SavedSource:
    path = folder / f"{name}.npz"
    with whole_file(path) as file:
        np.savez(file, allow_pickle=False, **estimator.arrays())
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return SavedSource(
        type(estimator).__name__,
        settings_of(estimator),
        path.stat().st_size,
        round(seconds, 3),
        digest,
    )


def _record(saved: ModelSet, items: Path) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "id": saved.set_id,
        "at": saved.at,
        "data_hash": saved.data_hash,
        "features_id": saved.features_id,
        "items": len(saved.item_ids),
        "items_sha256": hashlib.sha256(items.read_bytes()).hexdigest(),
        "sources": {name: asdict(one) for name, one in saved.sources.items()},
    }


def _write(path: Path, value: Any) -> None:
    text = json.dumps(value, ensure_ascii=True, indent=1, allow_nan=False)
    with whole_file(path) as file:
        file.write(f"{text}\n".encode())


def _content(path: Path, sha256: str = "") -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}", _AGAIN) from error
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise InvalidInput(f"{path} is damaged: its sha256 is another", _AGAIN)
    return data


def _arrays(path: Path, sha256: str) -> Arrays:
    try:
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != sha256:
                raise InvalidInput(f"{path} is damaged: its sha256 is another", _AGAIN)
        # Opened here: np.load leaves the file open when it is no whole archive.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as loaded:
            return dict(loaded)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise InvalidInput(f"{path} cannot be read: {error}", _AGAIN) from error


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
