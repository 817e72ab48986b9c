"""The fit that a running service answers with, and the newer one that replaces it.

Models are read from disk once for each fit and stay in memory: rows that come in make new
histories, not new models, so rebuilding for them trains nothing and reads no model file.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.fitting.features import features_from
from agent.fitting.model_files import CURRENT, ModelSet, read_models
from agent.fusion_file import FUSION_FILE, load_weights
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.line_up import HISTORY_SOURCES
from retrieval.errors import InvalidInput, PalateError
from retrieval.fusion.weights import FusionWeights, prior_weights

_log = logging.getLogger(__name__)

WATCHED = (FUSION_FILE, CURRENT)
"""Files of the home folder that a fit replaces."""

_RETRY_SECONDS = 30.0

Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, eq=False)
class Fit:
    """What `palate fit` left behind.

    Attributes:
        weights: ``None`` = the prior.
        weights_unusable: why there are none although a file is there.
        models: with the arrays of the sources that weigh something; ``None`` = none were saved.
        features: of the models' columns.
        left_out: why something of it cannot be used.
    """

    weights: FusionWeights | None = None
    weights_unusable: str = ""
    models: ModelSet | None = None
    features: ItemFeatures = field(default_factory=ItemFeatures)
    left_out: tuple[str, ...] = ()


class LiveFit:
    """The fit in memory. Safe to use from many threads.

    Args:
        home: the home folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._reading = threading.Lock()
        self._seen: Signature | None = None
        self._fit: Fit | None = None
        self.unusable = ""
        """Why a newer fit than the one in use could not be read; "" when there is none."""

    def changed(self) -> bool:
        """Whether another fit is on disk than the one that was read last; a few stat calls."""
        return self._signature() != self._seen

    def latest(self) -> Fit:
        """The fit to answer with; read in first when it changed and nobody is reading it yet.

        The first fit is taken as far as it can be used. A later one is taken whole or not at
        all: the former goes on, and ``unusable`` says why.
        """
        if self.changed() and self._reading.acquire(blocking=self._fit is None):
            try:
                self._read()
            finally:
                self._reading.release()
        return self._fit or Fit()

    def prepare(self) -> bool:
        """Read what changed, for the next ``latest``; false when it cannot be used."""
        with self._reading:
            self._read()
        return not self.unusable

    def settled(self, seconds: float) -> None:
        """Wait until nothing was replaced for so long: a fit replaces several files in turn."""
        before = None
        while before != (before := self._signature()):
            time.sleep(seconds)

    def _read(self) -> None:
        while (found := self._signature()) != self._seen:
            fit = read_fit(self._home)
            if self._signature() != found:
                continue  # Replaced while it was read: it may be half of each.
            why = "; ".join(one for one in (fit.weights_unusable, *fit.left_out) if one)
            if self._fit is None or not why:
                self._fit, self.unusable = fit, ""
            else:
                self.unusable = why
                _log.warning("the newer fit cannot be used: %s", why)
            self._seen = found

    def _signature(self) -> Signature:
        return tuple(_stat(self._home / name) for name in WATCHED)


class Follower:
    """Swaps a newer fit in behind the back of requests, which never wait for it.

    Args:
        fit: what is in memory.
        every: seconds between two looks at the disk, at most one a request.
        settle: seconds without a change before a fit counts as complete.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        fit: LiveFit,
        *,
        every: float = 1.0,
        settle: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fit = fit
        self._every, self._settle, self._clock = every, settle, clock
        self._busy = threading.Lock()
        self._next = clock() + every
        self._due = self._closed = False
        self._failed = ""

    def look(self, refresh: Callable[[], None]) -> None:
        """Start ``refresh`` in the background when there is another fit; returns at once.

        A refresh that fails changes nothing and is tried again half a minute later.
        """
        if self._clock() < self._next or not self._busy.acquire(blocking=False):
            return
        started = False
        try:
            self._next = self._clock() + self._every
            if self._due or self._fit.changed():
                threading.Thread(
                    target=self._swap, args=(refresh,), name="palate-refit", daemon=True
                ).start()
                started = True
        finally:
            if not started:
                self._busy.release()

    def close(self) -> None:
        """Start nothing more, and wait for what is under way: it reads the stores."""
        if not self._closed:
            self._closed = True
            self._busy.acquire()  # For good: ``look`` finds it taken.

    def state(self) -> str:
        """What goes on, in words; "" when the newest fit answers."""
        if self._fit.unusable:
            return f"the newer fit cannot be used, the former answers: {self._fit.unusable}"
        if self._failed:
            return f"the newer fit could not be loaded, the former answers: {self._failed}"
        return "a newer fit is being loaded" if self._busy.locked() and self._due else ""

    def _swap(self, refresh: Callable[[], None]) -> None:
        self._due = True
        try:
            self._fit.settled(self._settle)
            if self._fit.prepare() and not self._closed:
                refresh()
            self._due, self._failed = False, ""
        except Exception as error:
            # Nobody catches what leaves a thread, and the service goes on with what it has.
            self._failed = error.message if isinstance(error, PalateError) else repr(error)
            self._next = self._clock() + _RETRY_SECONDS
            _log.warning("the newer fit could not be loaded: %s", self._failed, exc_info=True)
        finally:
            self._busy.release()


def read_fit(home: Path) -> Fit:
    """Weights and models as they are on disk; what cannot be used is left out and said.

    Only the arrays of sources that weigh something are read.
    """
    weights, unusable = None, ""
    try:
        weights = load_weights(home)
    except InvalidInput as error:
        unusable = error.message
    wanted = weighing(weights or prior_weights())
    try:
        models = read_models(home, only=wanted)
    except InvalidInput as error:
        why = f"the fitted models cannot be used: {error.message}; {error.hint}"
        return Fit(weights, unusable, left_out=(why,))
    left_out: dict[str, str] = {}
    if weights is not None and weights.kind == "learned":
        # Without a set, ``behaviour`` is fitted on the spot; ``popular`` always is.
        there = {"popular", *(("behaviour",) if models is None else models.sources)}
        left_out = {name: "it was not saved" for name in sorted(wanted - there)}
    features = ItemFeatures()
    if models is not None:
        left_out |= models.damaged
        by_content = {"content", "picture"} & set(models.arrays)
        try:
            if by_content:
                features = features_from(home, models.features_id, models.item_ids)
        except InvalidInput as error:
            left_out |= dict.fromkeys(sorted(by_content), error.message)
            kept = {name: one for name, one in models.arrays.items() if name not in by_content}
            models = replace(models, arrays=kept)
    return Fit(
        weights,
        unusable,
        models,
        features,
        tuple(
            f"source {name} is left out: {why}; run palate fit again"
            for name, why in left_out.items()
        ),
    )


def weighing(weights: FusionWeights) -> frozenset[str]:
    """Sources of histories that weigh something in any scene or context; others cost time only."""
    names = set(weights.instead.values())
    for scene in (weights.without_text, weights.with_text):
        names |= {name for name, weight in scene.items() if weight > 0}
    for slopes in weights.slopes.values():
        names |= {name for name, slope in slopes.items() if slope != 0}
    return frozenset(names) & frozenset(HISTORY_SOURCES)


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
