"""Milliseconds by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from retrieval.ports import Clock


class Stopwatch:
    """``with watch("fuse"): …`` adds to ``watch.milliseconds["fuse"]``, also when it raises."""

    def __init__(self, clock: Clock = time.perf_counter) -> None:
        self._clock = clock
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time one stage."""
        start = self._clock()
        try:
            yield
        finally:
            spent = (self._clock() - start) * 1000
            self.milliseconds[stage] = round(self.milliseconds.get(stage, 0.0) + spent, 3)
