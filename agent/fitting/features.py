"""What items are, as vectors: of their words and of their pictures, kept between fits.

Words are the title and the attributes only. Reviews and profiles may be younger than the cut
that a fit is measured at, and a source that saw the answers looks better than it is.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.captioner import open_tagger
from agent.fitting.model_files import FOLDER
from agent.fitting.vector_files import kept_vectors, read_vectors
from agent.stores import Stores
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.lexical import document
from retrieval.errors import InvalidInput, NotFound, PalateError
from retrieval.ports import Embedder, Progress, Vectors
from retrieval.sources.images import open_picture, picture_hash
from retrieval.sources.tagger import DIMENSION, Tagger
from retrieval.types import Item, content_hash


@dataclass(frozen=True, eq=False)
class FittedFeatures:
    """Vectors of all items.

    Attributes:
        features: rows in the order of the items that were given.
        features_id: names the models and finds the files again; "" without any vectors.
        computed: how many vectors were not on disk yet.
    """

    features: ItemFeatures
    features_id: str
    computed: int


def item_features(
    stores: Stores, items: Sequence[Item], *, pictures: Path | None, progress: Progress
) -> FittedFeatures:
    """Vectors of texts and, where there are any, of pictures; only what is new is computed.

    What cannot be had (no embedder, no pictures, the ``media`` extra is missing) is noted and
    left out: the sources that need it are then missing, and the others are fitted all the same.

    Args:
        stores: give the embedder, the settings and the home folder.
        items: the catalogue, in the order of the columns.
        pictures: the data-set folder that the items' media are relative to; ``None`` = no
            pictures.
        progress: hears of stages, with how many there are, and of what is left out.

    Raises:
        StoreError: the home folder cannot be written.
    """
    names: list[str] = []
    text = _texts(stores, items, progress, names)
    seen = None if pictures is None else _pictures(stores, items, pictures, progress, names)
    return FittedFeatures(
        ItemFeatures(
            text=None if text is None else text[0], pictures=None if seen is None else seen[0]
        ),
        " ".join(names),
        sum(one[1] for one in (text, seen) if one is not None),
    )


def features_from(home: Path, features_id: str, item_ids: Sequence[str]) -> ItemFeatures:
    """The vectors that a fit left behind; loads no model and computes nothing.

    An item that they do not know gets a row of zeros.

    Args:
        home: the home folder.
        features_id: of ``FittedFeatures``.
        item_ids: the rows.

    Raises:
        InvalidInput: a file is missing or damaged; names it.
    """
    found: dict[str, Vectors] = {
        name.partition("-")[0]: read_vectors(_file(home, name), item_ids)
        for name in features_id.split()
    }
    return ItemFeatures(text=found.get("text"), pictures=found.get("picture"))


def _texts(
    stores: Stores, items: Sequence[Item], progress: Progress, names: list[str]
) -> tuple[Vectors, int] | None:
    documents = {item.item_id: document(item) for item in items}
    if not any(text.strip() for text in documents.values()):
        return None
    try:
        embedder: Embedder = stores.embedder
    except PalateError as error:
        progress.note(f"The words of items do not take part: {error.message}.")
        return None
    name = _named("text", embedder.embedder_id)
    table = kept_vectors(
        _file(stores.settings.store.home, name),
        {
            item_id: content_hash(text) if text.strip() else ""
            for item_id, text in documents.items()
        },
        lambda ids: embedder.embed([documents[item_id] for item_id in ids]),
        dimension=embedder.dimension,
        stage="reading the items' words",
        progress=progress,
    )
    names.append(name)
    return table


def _pictures(
    stores: Stores, items: Sequence[Item], folder: Path, progress: Progress, names: list[str]
) -> tuple[Vectors, int] | None:
    paths = {item.item_id: [folder / name for name in item.media] for item in items}
    if not any(paths.values()):
        progress.note("Pictures do not take part: no item of the catalogue names one.")
        return None
    progress.start("looking for changed pictures", len(items))
    digests: dict[str, str] = {}
    for item_id, its in paths.items():
        usable = [(path, digest) for path in its if (digest := _digest(path, folder))]
        paths[item_id] = [path for path, _ in usable]
        digests[item_id] = content_hash(*(digest for _, digest in usable)) if usable else ""
        progress.advance()
    if not any(digests.values()):
        progress.note(f"Pictures do not take part: none of those named is under {folder}.")
        return None
    tagger = open_tagger(stores.settings, progress)
    if tagger is None:
        return None
    name = _named("picture", tagger.digest)
    table = kept_vectors(
        _file(stores.settings.store.home, name),
        digests,
        lambda ids: np.stack([_of_item(paths[item_id], tagger) for item_id in ids]),
        dimension=DIMENSION,
        stage="looking at the items' pictures",
        progress=progress,
    )
    names.append(name)
    return table


def _of_item(paths: Sequence[Path], tagger: Tagger) -> Vectors:
    """Mean of an item's pictures; 0 where none can be opened."""
    total = np.zeros(DIMENSION, dtype=np.float32)
    for path in paths:
        try:
            total += tagger.vector(open_picture(path))
        except (InvalidInput, NotFound):
            continue  # Ingest has named it; an item may have other pictures.
    norm = math.sqrt(float(total @ total))
    return total / norm if norm > 0 else total


def _digest(path: Path, folder: Path) -> str:
    """Of the picture's file; "" where there is none, or it lies outside the folder."""
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
        return picture_hash(path) if inside else ""
    except (InvalidInput, NotFound, OSError, ValueError):
        return ""


def _named(kind: str, model_id: str) -> str:
    return f"{kind}-{hashlib.sha256(model_id.encode()).hexdigest()[:16]}"


def _file(home: Path, name: str) -> Path:
    return home / FOLDER / f"{name}.npz"
