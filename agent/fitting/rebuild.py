"""From an estimator to the settings that make it again, and from a saved set to estimators."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.candidates.estimator import Estimator
from retrieval.candidates.ials import Ials
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.line_up import HISTORY_SOURCES, line_up
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.errors import InvalidInput

if TYPE_CHECKING:
    from agent.fitting.model_files import ModelSet

_VECTORS_OF = {"content": "text", "picture": "pictures"}


def settings_of(estimator: object) -> dict[str, Any]:
    """The arguments of its constructor that are numbers, words or switches, as they are now.

    An iALS inside another model becomes its own settings. Data (features, vectors, validation
    pairs) is left out: a restored model has learned from it already.
    """
    settings: dict[str, Any] = {}
    for name in inspect.signature(type(estimator)).parameters:
        value = getattr(estimator, name, NotImplemented)
        if isinstance(value, Ials):
            settings[name] = settings_of(value)
        elif isinstance(value, np.generic):
            settings[name] = value.item()
        elif value is None or isinstance(value, bool | int | float | str):
            settings[name] = value
    return settings


def restore_models(
    saved: ModelSet,
    matrix: InteractionMatrix,
    features: ItemFeatures,
    names: Collection[str],
) -> tuple[dict[str, Estimator], dict[str, str]]:
    """Estimators of a set over the histories of now; nothing is trained.

    Args:
        saved: read with the arrays of ``names``.
        matrix: columns are ``saved.item_ids``; any rows.
        features: vectors of the columns; needed by ``content`` and ``picture`` only.
        names: the wanted sources; those that the set lacks are passed over.

    Returns:
        Estimators in the order of ``HISTORY_SOURCES``, and why others are left out, by name.
    """
    left_out = {name: why for name, why in saved.damaged.items() if name in names}
    made: dict[str, Estimator] = {}
    for name in HISTORY_SOURCES:
        if name not in names or name not in saved.arrays:
            continue
        vectors = _VECTORS_OF.get(name)
        if vectors is not None and getattr(features, vectors) is None:
            left_out[name] = "the vectors of the items are missing"
            continue
        try:
            made[name] = _one(saved, name, features).restore(matrix, saved.arrays[name])
        except InvalidInput as error:
            left_out[name] = error.message
    return made, left_out


def _one(saved: ModelSet, name: str, features: ItemFeatures) -> Estimator:
    source = saved.sources[name]
    items = len(saved.item_ids)
    if name not in _VECTORS_OF:
        # Learned already: they need no vectors any more, only to be asked for with some.
        features = ItemFeatures(np.zeros((items, 1), dtype=np.float32))
    try:
        made = line_up(
            features,
            items=items,
            ease_max_items=items if source.kind == "Ease" else -1,
            settings={name: _with_ials(source.settings)},
            without=[other for other in HISTORY_SOURCES if other != name],
        )[name]
    except (TypeError, KeyError) as error:
        raise InvalidInput(
            f"the saved settings of {name} are of another Palate: {error}", "run palate fit again"
        ) from error
    if type(made).__name__ != source.kind:
        raise InvalidInput(
            f"the saved {name} is {source.kind}, not {type(made).__name__}", "run palate fit again"
        )
    return made


def _with_ials(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: Ials(**value) if isinstance(value, Mapping) else value
        for name, value in settings.items()
    }
