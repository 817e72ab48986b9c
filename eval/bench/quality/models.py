"""Fitted sources, kept on disk: a benchmark that was stopped does not train them again."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from agent.fitting.rebuild import settings_of
from eval.bench.quality.protocols import Asked, Periods
from eval.bench.quality.spaces import SPACES
from eval.bench.quality.tuning import Tuned, tune
from eval.records.whole import whole, write_json
from retrieval.candidates.cold_start import ColdStart, choose_mix
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.line_up import HISTORY_SOURCES, line_up
from retrieval.candidates.validation import ValidationPairs, mean_ndcg
from retrieval.errors import InvalidInput
from retrieval.ports import Progress

SEEDED = ("ials", "bpr", "next_item", "cold_start")
"""Sources whose fit depends on a seed; all others are the same for every one."""

_MOST = 2000
"""Users of T2 that a trial is measured on."""
_SECONDS = "fit_seconds"
_KIND = "cold_start"


class Models:
    """The sources of one data set under one protocol.

    Args:
        folder: keeps settings and models.
        periods: T1, T2 and T3.
        features: of the columns.
        names: of the sources; those that the data cannot feed are left out.
        ease_items: columns above which EASE is left out.
        trials: settings of each source to try at most.
        seconds: of each source after which no trial is started.
        threads: of the solvers.
        progress: hears of fits and trials.
    """

    def __init__(
        self,
        folder: Path,
        periods: Periods,
        features: ItemFeatures,
        names: Sequence[str],
        *,
        ease_items: int,
        trials: int,
        seconds: float,
        threads: int,
        progress: Progress,
    ) -> None:
        self._folder, self._periods, self._features = folder, periods, features
        self._trials, self._seconds, self._threads = trials, seconds, threads
        self._progress = progress
        self._items = periods.test.matrix.shape[1]
        made = line_up(features, items=self._items, ease_max_items=self._items)
        wanted = [one for one in HISTORY_SOURCES if one in names and one in made]
        self.names = tuple(one for one in wanted if one != "behaviour" or self._items <= ease_items)
        """Of the sources that take part, in their order."""

    def tuned(self) -> dict[str, Tuned]:
        """Settings of every source; what was chosen before is read."""
        found: dict[str, Tuned] = {}
        pairs = _few(self._periods.learn.pairs())
        for name in self.names:
            path = self._folder / "tuned" / f"{name}.json"
            if path.exists():
                found[name] = _read_tuned(path)
                continue
            self._progress.start(f"choosing the settings of {name}", None)
            known = {one: dict(its.settings) for one, its in found.items()}
            one = self._choose_mix(known, pairs) if name == _KIND else self._search(name, pairs)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, asdict(one))
            found[name] = one
            self._progress.note(
                f"{name}: NDCG@10 {one.value:.4f} on T2, {one.default:.4f} by default, "
                f"{one.trials} trials in {one.seconds:.0f} s: {dict(one.settings)}"
            )
        return found

    def fitted(
        self, period: str, settings: Mapping[str, Mapping[str, Any]], seed: int
    ) -> tuple[dict[str, Estimator], dict[str, float]]:
        """Sources fitted on a period, and the seconds that each fit took.

        Args:
            period: "learn" or "test".
            settings: by source name.
            seed: of whatever is drawn.
        """
        asked: Asked = getattr(self._periods, period)
        made: dict[str, Estimator] = {}
        took: dict[str, float] = {}
        for name in self.names:
            own = seed if name in SEEDED else 0
            path = self._folder / "models" / f"{period}-{name}-{own}.npz"
            estimator = self._make(name, settings, own)
            if path.exists():
                arrays = _read(path)
                took[name] = float(arrays.pop(_SECONDS))
                made[name] = estimator.restore(asked.matrix, arrays)
                continue
            self._progress.start(f"fitting {name} ({period}, seed {own})", None)
            began = time.perf_counter()
            estimator.fit(asked.matrix)
            took[name] = time.perf_counter() - began
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole(path) as partial, partial.open("wb") as file:
                kept = {**estimator.arrays(), _SECONDS: np.array(took[name])}
                np.savez(file, allow_pickle=False, **kept)
            made[name] = estimator
        return made, took

    def _search(self, name: str, pairs: ValidationPairs) -> Tuned:
        matrix = self._periods.learn.matrix

        def measure(settings: Mapping[str, Any]) -> float:
            estimator = self._make(name, {name: settings}, 0).fit(matrix)
            return mean_ndcg(estimator.score_users, matrix, pairs)

        # A source without a space is measured as it is.
        space = SPACES.get(name, {})
        trials = self._trials if space else 1
        usual = settings_of(self._make(name, {}, 0))
        first = {one: usual[one] for one in space}
        return tune(space, first, measure, trials=trials, seconds=self._seconds)

    def _choose_mix(self, known: Mapping[str, Mapping[str, Any]], pairs: ValidationPairs) -> Tuned:
        """How much content counts: the choice that a fit makes too."""
        matrix = self._periods.learn.matrix
        began = time.perf_counter()
        model = self._make(_KIND, known, 0)
        if not isinstance(model, ColdStart):
            raise InvalidInput(f"{_KIND} is no ColdStart", "fit it by its own trainer")
        model.fit(matrix)
        before = mean_ndcg(model.score_users, matrix, pairs)
        choose_mix(model, matrix, pairs)
        after = mean_ndcg(model.score_users, matrix, pairs)
        settings = {"kappa": float(model.kappa), "ridge": float(model.ridge)}
        return Tuned(settings, after, before, 1, time.perf_counter() - began)

    def _make(self, name: str, settings: Mapping[str, Mapping[str, Any]], seed: int) -> Estimator:
        return line_up(
            self._features,
            items=self._items,
            ease_max_items=self._items,
            settings={one: own for one, own in settings.items() if one in (name, "ials")},
            without=[one for one in HISTORY_SOURCES if one != name],
            threads=self._threads,
            seed=seed,
        )[name]


def _few(pairs: ValidationPairs) -> ValidationPairs:
    return ValidationPairs(pairs.rows[:_MOST], pairs.positives[:_MOST])


def _read_tuned(path: Path) -> Tuned:
    try:
        return Tuned(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput(
            f"{path} cannot be used: {error}", "remove the file: the settings are chosen again"
        ) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = dict(held)
        if _SECONDS not in arrays:
            raise ValueError(f"it lacks {_SECONDS}")
        return arrays
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInput(
            f"{path} cannot be used: {error}", "remove the file: the source is fitted again"
        ) from error
