"""Vectors of a data set's items, kept in the folder of the benchmark."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agent.captioner import open_tagger
from agent.fitting.vector_files import kept_vectors
from agent.settings import read_settings
from eval.bench.quality.datasets import BenchData
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.lexical import document
from retrieval.embedding.load import BUNDLED, load_embedder
from retrieval.errors import PalateError
from retrieval.ports import Embedder, Progress, Vectors
from retrieval.sources.images import open_picture, picture_hash
from retrieval.sources.tagger import DIMENSION
from retrieval.types import content_hash


def item_vectors(
    data: BenchData, folder: Path, progress: Progress, embedder: Embedder | None = None
) -> ItemFeatures:
    """Text vectors of title and attributes, and picture vectors where there are pictures.

    Items that say no more than their id have no text: a data set without any attribute and
    with titles made of ids gets none.

    Args:
        data: its items are the rows.
        folder: keeps the vectors.
        progress: hears of what is computed and of what is left out.
        embedder: of texts; ``None`` = the bundled one.

    Raises:
        ModelUnavailable: the embedder cannot be loaded.
        StoreError: the folder cannot be written.
    """
    return ItemFeatures(
        text=_texts(data, folder / "vectors-text.npz", progress, embedder),
        pictures=_pictures(data, folder / "vectors-picture.npz", progress),
    )


def _texts(
    data: BenchData, path: Path, progress: Progress, embedder: Embedder | None
) -> Vectors | None:
    documents = {
        item.item_id: document(item)
        for item in data.items
        if item.attributes or item.item_id not in item.title
    }
    if not documents:
        progress.note(f"{data.name}: items have no words, so text takes no part")
        return None
    embedder = embedder or load_embedder(BUNDLED)
    model = embedder.embedder_id
    vectors, _ = kept_vectors(
        path,
        {
            one: content_hash(model, documents[one]) if one in documents else ""
            for one in data.catalogue
        },
        lambda ids: embedder.embed([documents[item_id] for item_id in ids]),
        dimension=embedder.dimension,
        stage=f"{data.name}: reading the items' words",
        progress=progress,
    )
    return vectors


def _pictures(data: BenchData, path: Path, progress: Progress) -> Vectors | None:
    if not data.pictures:
        return None
    try:
        digests = {
            one: picture_hash(data.pictures[one]) if one in data.pictures else ""
            for one in data.catalogue
        }
    except PalateError as error:
        progress.note(f"{data.name}: pictures take no part: {error.message}")
        return None
    tagger = open_tagger(read_settings(), progress)
    if tagger is None:
        return None
    seen = tagger
    vectors, _ = kept_vectors(
        path,
        digests,
        lambda ids: np.stack([seen.vector(open_picture(data.pictures[one])) for one in ids]),
        dimension=DIMENSION,
        stage=f"{data.name}: looking at the items' pictures",
        progress=progress,
    )
    return vectors
