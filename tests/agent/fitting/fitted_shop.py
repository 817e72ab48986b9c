"""The shop of the recommending tests with every model of the line-up fitted and saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.fitting.features import item_features
from agent.fitting.model_files import ModelSet, save_models
from agent.fusion_file import save_fit
from agent.stores import Stores
from retrieval.candidates.history import history_matrix
from retrieval.candidates.line_up import line_up
from retrieval.fusion.weights import FusionWeights
from tests.agent.fitting.certified import certificate_of

TINY: Mapping[str, Mapping[str, Any]] = {
    "behaviour": {"l2": 1.0},
    "item_knn": {"k": 5},
    "ials": {"factors": 4, "iterations": 3},
    "bpr": {"factors": 4, "iterations": 3},
    "next_item": {"factors": 4, "epochs": 1},
}


class Quiet:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stages: list[tuple[str, int | None]] = []

    def start(self, stage: str, total: int | None) -> None:
        self.stages.append((stage, total))

    def advance(self, n: int = 1) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


def fit_shop(
    stores: Stores,
    weights: Mapping[str, float],
    settings: Mapping[str, Mapping[str, Any]] = TINY,
    without: tuple[str, ...] = ("next_item",),
) -> ModelSet:
    """What `palate fit` does at its end: models, then the weights that put them to use."""
    items = list(stores.catalog.items())
    ids = [item.item_id for item in items]
    features = item_features(stores, items, pictures=None, progress=Quiet())
    matrix = history_matrix(stores.event_log.interactions(), ids)
    made = line_up(features.features, items=len(ids), settings=settings, without=without)
    data_hash = stores.database.data_hash()
    saved = save_models(
        stores.settings.store.home,
        {name: one.fit(matrix) for name, one in made.items()},
        item_ids=ids,
        data_hash=data_hash,
        features_id=features.features_id,
        fit_seconds=dict.fromkeys(made, 0.25),
    )
    total = sum(weights.values())
    shares = {name: weight / total for name, weight in weights.items()}
    with_text = {"lexical": 0.5, **{name: weight / 2 for name, weight in shares.items()}}
    put_weights(
        FusionWeights(shares, with_text, kind="learned", n_labelled=500, data_hash=data_hash),
        stores.settings.store.home,
    )
    return saved


def put_weights(weights: FusionWeights, home: Path) -> None:
    """Weights with a certificate that says nothing else."""
    save_fit(certificate_of(weights), home)
