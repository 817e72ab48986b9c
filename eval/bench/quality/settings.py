"""What one benchmark is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.bench.quality.datasets import KNOWN
from eval.bench.quality.judged import SCORERS
from eval.bench.quality.peers_run import check_peers
from eval.bench.quality.protocols import PROTOCOLS
from retrieval.candidates.line_up import HISTORY_SOURCES
from retrieval.errors import InvalidInput

FUSED = ("S", "S-prior", "rrf", "comb_sum", *(f"F-{name}" for name in SCORERS))
"""Systems that rank the pools of the sources."""


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """The whole benchmark.

    Attributes:
        data: names of data sets, or paths.
        protocols: of ``PROTOCOLS``; a set without dates goes without the temporal one.
        systems: sources and fused systems; the sources named are those that S has.
        peers: folder of their scores; ``None`` = no peers.
        run_peers: peers to run where that folder has no answer of theirs.
        trials: settings of a source to try at most.
        seconds: for a source, after which no trial is started.
        seeds: everything seeded is run with each.
        labels: users of T2 that are learned from, at most.
        ease_items: items above which EASE is left out.
        threads: of the solvers.
    """

    data: tuple[str, ...] = tuple(KNOWN)
    protocols: tuple[str, ...] = PROTOCOLS
    systems: tuple[str, ...] = (*HISTORY_SOURCES, *FUSED)
    peers: Path | None = None
    run_peers: tuple[str, ...] = ()
    trials: int = 15
    seconds: float = 60.0
    seeds: tuple[int, ...] = (0,)
    labels: int = 3000
    ease_items: int = 20_000
    threads: int = 1

    def __post_init__(self) -> None:
        for what, named, known in (
            ("protocol", self.protocols, PROTOCOLS),
            ("system", self.systems, (*HISTORY_SOURCES, *FUSED)),
        ):
            wrong = next((one for one in named if one not in known), None)
            if wrong is not None or not named:
                raise InvalidInput(
                    f"no {what} is named {wrong!r}" if wrong else f"no {what} was named",
                    f"choose among {', '.join(known)}",
                )
        if not self.data or not self.seeds or min(self.seeds) < 0:
            raise InvalidInput(
                f"data {self.data}, seeds {self.seeds}", "name a data set and seeds of 0 or more"
            )
        check_peers(self.run_peers)
        if self.run_peers and self.peers is None:
            raise InvalidInput(
                f"peers {', '.join(self.run_peers)} have no folder", "name one with --peers"
            )
        if len(self.sources) < 2:
            raise InvalidInput(
                f"S of the sources {self.sources}", "name at least two sources in --systems"
            )
        if min(self.trials, self.labels, self.ease_items, self.threads) < 1 or self.seconds <= 0:
            raise InvalidInput(
                f"trials={self.trials}, seconds={self.seconds}, labels={self.labels}, "
                f"ease_items={self.ease_items}, threads={self.threads}",
                "all of them are positive",
            )

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources among the systems, in their order."""
        return tuple(one for one in HISTORY_SOURCES if one in self.systems)

    @property
    def fused(self) -> tuple[str, ...]:
        """The fused systems that were asked for; always S, which all others are held against."""
        return tuple(one for one in FUSED if one in self.systems or one == "S")

    def fingerprint(self) -> dict[str, Any]:
        """What results depend on, beside data, protocol, system and seed."""
        return {
            "sources": list(self.sources),
            "trials": self.trials,
            "seconds": self.seconds,
            "labels": self.labels,
            "ease_items": self.ease_items,
        }
