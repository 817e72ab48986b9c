"""One data set under one protocol: everything that is computed once and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from eval.bench.quality.answers import answer
from eval.bench.quality.datasets import BenchData
from eval.bench.quality.models import SEEDED, Models
from eval.bench.quality.outcomes import Outcome, from_scores, load_outcome, save_outcome
from eval.bench.quality.peers_in import PeerScores, peers_of
from eval.bench.quality.peers_run import ask_peers
from eval.bench.quality.pool_files import Pools, load_pools, save_pools
from eval.bench.quality.protocols import Periods, periods
from eval.bench.quality.served import weights_from
from eval.bench.quality.settings import QualitySettings
from eval.bench.quality.singles import alone, pools_of
from eval.bench.quality.tuning import Tuned
from eval.bench.quality.twenty import of_lists
from eval.records.whole import whole, write_json
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.item_features import ItemFeatures
from retrieval.errors import InvalidInput
from retrieval.fusion.weights import FusionWeights
from retrieval.ports import Progress

FORMAT = 1
_ASKED = "asked.json"


@dataclass(frozen=True, eq=False)
class Part:
    """What was asked, and where its results are kept.

    Attributes:
        data: the log.
        protocol: how it was cut.
        folder: keeps everything of this part.
        settings: of the benchmark.
        features: of the items.
        progress: hears of what is computed.
    """

    data: BenchData
    protocol: str
    folder: Path
    settings: QualitySettings
    features: ItemFeatures
    progress: Progress

    @cached_property
    def periods(self) -> Periods:
        """T1, T2 and T3."""
        return periods(self.data, self.protocol, labels=self.settings.labels)

    @cached_property
    def models(self) -> Models:
        """The sources that this data can feed."""
        return Models(
            self.folder,
            self.periods,
            self.features,
            self.settings.sources,
            ease_items=self.settings.ease_items,
            trials=self.settings.trials,
            seconds=self.settings.seconds,
            threads=self.settings.threads,
            progress=self.progress,
        )

    @cached_property
    def tuned(self) -> Mapping[str, Tuned]:
        """Settings by source."""
        return self.models.tuned()

    def begin(self) -> None:
        """Make the folder, or make sure that it holds results of the same question.

        Raises:
            InvalidInput: it holds those of another one.
        """
        asked = {
            "format": FORMAT,
            "data_sha256": self.data.sha256,
            "protocol": self.protocol,
            **self.settings.fingerprint(),
        }
        path = self.folder / _ASKED
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(path, asked)
            return
        found = read_json(path)
        differs = [name for name in asked if found.get(name) != asked[name]]
        if differs:
            raise InvalidInput(
                f"{self.folder} holds results with another {differs[0]}: "
                f"{found.get(differs[0])!r}, not {asked[differs[0]]!r}",
                "give another --out, or remove that folder",
            )

    def outcomes(self, seed: int) -> dict[str, Outcome]:
        """Answers of every source and fused system; computed where they are missing.

        Raises:
            InvalidInput: a file of the folder is damaged; names it.
        """
        found = self._alone(seed)
        if all(self._outcome(name, seed).exists() for name in self.settings.fused):
            return found | {name: self._load(name, seed) for name in self.settings.fused}
        learn, test = self.pools(seed)
        weights = self.weights(seed)
        self.progress.start("ranking the pools", len(self.settings.fused))
        for name in self.settings.fused:
            path = self._outcome(name, seed)
            if not path.exists():
                save_outcome(path, answer(name, self.periods.test, learn, test, weights, seed))
            found[name] = self._load(name, seed)
            self.progress.advance()
        return found

    def pools(self, seed: int) -> tuple[Pools, Pools]:
        """Of T2 and of T3; these with the raw scores."""
        self._alone(seed)
        return (
            load_pools(self._pools("learn", seed), self.periods.learn),
            load_pools(self._pools("test", seed), self.periods.test),
        )

    def weights(self, seed: int) -> FusionWeights:
        """What is served: learned on T2."""
        path = self.folder / "pools" / f"weights-{seed}.json"
        if not path.exists():
            self.progress.start("learning the weights", None)
            found = weights_from(load_pools(self._pools("learn", seed), self.periods.learn),
                                    seed=seed)  # fmt: skip
            with whole(path) as partial:
                partial.write_text(found.to_json(), encoding="utf-8")
        try:
            return FusionWeights.from_json(path.read_text(encoding="utf-8"))
        except (InvalidInput, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path} cannot be used: {error}", "remove the file") from error

    def peers(self) -> dict[str, Outcome]:
        """Answers of the peers that left scores; computed where they are missing or newer."""
        found = {}
        if self.settings.peers is not None and self.settings.run_peers:
            ask_peers(
                self.settings.run_peers,
                self.periods,
                self.features.pictures,
                self.settings.peers / f"{self.data.name}-{self.protocol}",
                trials=self.settings.trials,
                seconds=self.settings.seconds,
                threads=self.settings.threads,
                progress=self.progress,
            )
        for peer in self._peers():
            path = self._outcome(f"peer-{peer.name}", 0)
            if not path.exists() or path.stat().st_mtime_ns < peer.path.stat().st_mtime_ns:
                self.progress.start(f"ranking with the peer {peer.name}", None)
                save_outcome(path, from_scores(self.periods.test, peer.scores, peer.report))
            found[f"peer-{peer.name}"] = load_outcome(path, self.periods.test)
        return found

    def twenty(self) -> dict[str, Any]:
        """Figures on the given candidates; empty where the data set gives none."""
        if not self.data.lists:
            return {}

        def compute() -> dict[str, Any]:
            on_learn, on_test = self._fitted("learn", 0)[0], self._fitted("test", 0)[0]
            return of_lists(
                self.data,
                self.periods.learn,
                self.periods.test,
                on_learn,
                on_test,
                {f"peer-{peer.name}": peer.scores for peer in self._peers()},
                self.progress,
            )

        return self.kept("twenty", compute)

    def kept(self, name: str, compute: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """A JSON file of the folder; computed where it is missing.

        Raises:
            InvalidInput: it is damaged; names it.
        """
        path = self.folder / f"{name}.json"
        if not path.exists():
            write_json(path, compute())
        return read_json(path)

    def _alone(self, seed: int) -> dict[str, Outcome]:
        names = self.models.names
        files = [self._pools("learn", seed), self._pools("test", seed)]
        files += [self._outcome(name, seed) for name in names]
        if not all(path.exists() for path in files):
            self._run(seed)
        return {name: self._load(name, seed) for name in names}

    def _run(self, seed: int) -> None:
        """Fit on T1 and collect the pools of T2, fit on T1 and T2 and answer T3."""
        tuned = self.tuned
        if not self._pools("learn", seed).exists():
            estimators, _ = self._fitted("learn", seed)
            save_pools(
                self._pools("learn", seed),
                pools_of(estimators, self.periods.learn, self.progress),
            )
        estimators, took = self._fitted("test", seed)
        meta = {
            name: {"tuned": asdict(tuned[name]), "fit_seconds": took[name]} for name in estimators
        }
        asked = self.periods.test
        pools = pools_of(estimators, asked, self.progress)
        full = alone(
            estimators,
            asked,
            pools,
            meta,
            lambda name, outcome: save_outcome(self._outcome(name, seed), outcome),
            self.progress,
        )
        save_pools(self._pools("test", seed), full)

    def _fitted(self, period: str, seed: int) -> tuple[dict[str, Estimator], dict[str, float]]:
        settings = {name: dict(one.settings) for name, one in self.tuned.items()}
        return self.models.fitted(period, settings, seed)

    def _peers(self) -> list[PeerScores]:
        return list(peers_of(self.settings.peers, self.data.name, self.protocol, self.periods.test))

    def _outcome(self, name: str, seed: int) -> Path:
        seeded = name in SEEDED or name in self.settings.fused
        return self.folder / "systems" / f"{name}-{seed if seeded else 0}.npz"

    def _load(self, name: str, seed: int) -> Outcome:
        return load_outcome(self._outcome(name, seed), self.periods.test)

    def _pools(self, period: str, seed: int) -> Path:
        return self.folder / "pools" / f"{period}-{seed}.npz"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InvalidInput: it cannot be read, or is none; names it.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
        return found
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{path} cannot be used: {error}", "remove the file: it is then computed again"
        ) from error
