"""What a request's pool costs when the sources' scores are there: gather, fuse, sort.

python -m eval.bench.scoring                       # catalogues of 1,000 to 1,000,000 items
python -m eval.bench.scoring --items 1000 --items 100000 --sources 12

Items are generated. The baseline in the same run is the bare work: the best 50 of one score
vector by numpy alone, once a source.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Self

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from agent.pool import gather
from agent.understand import Understood
from retrieval.candidates.behaviour import BehaviourSource
from retrieval.candidates.estimator import Arrays
from retrieval.candidates.line_up import HISTORY_SOURCES
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.fusion.score import fuse
from retrieval.fusion.weights import FusionWeights
from retrieval.types import Candidate, Query

_USERS = 32
_PER_SOURCE = 50


class Precomputed:
    """An estimator whose scores were there before anybody asked."""

    def __init__(self, scores: NDArray[np.float32]) -> None:
        self._scores = scores

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Nothing to learn."""
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """Rows of what was given."""
        return self._scores[user_indices]

    @property
    def known(self) -> NDArray[np.bool_]:
        """All items."""
        return np.ones(self._scores.shape[1], dtype=np.bool_)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Nothing."""
        return {}

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Nothing to restore."""
        return self


class _Nothing:
    """A catalogue and a log without conditions and without history."""

    def eligible(self, constraints: object) -> None:
        """Everything."""

    def seen(self, user_id: str) -> frozenset[str]:
        """A user who touched twenty items."""
        return frozenset(f"i{at}" for at in range(20))


def milliseconds(ask: Callable[[int], object], users: int) -> NDArray[np.float64]:
    """One measurement a user, after one to warm up."""
    ask(0)
    found = []
    for user in range(users):
        started = time.perf_counter()
        ask(user)
        found.append(1000 * (time.perf_counter() - started))
    return np.array(found)


def measure(items: int, sources: int, seed: int) -> tuple[NDArray[np.float64], ...]:
    """Milliseconds a request: bare numpy, gathering the pool, fusing it; shape (users,) each."""
    rng = np.random.default_rng(seed)
    ids = tuple(f"i{at}" for at in range(items))
    users = tuple(f"u{at}" for at in range(_USERS + 1))
    matrix = replace(InteractionMatrix.from_interactions([], item_ids=ids), user_ids=users)
    names = HISTORY_SOURCES[:sources]
    tables = [
        rng.standard_normal((1, items), dtype=np.float32).repeat(len(users), axis=0)
        if items > 200_000
        else rng.standard_normal((len(users), items), dtype=np.float32)
        for _ in names
    ]
    served = [
        BehaviourSource(matrix, Precomputed(table), name)
        for name, table in zip(names, tables, strict=True)
    ]
    weights = FusionWeights(dict.fromkeys(names, 1 / len(names)), {"query": 1.0})
    nothing: Any = _Nothing()
    pools: dict[int, tuple[Candidate, ...]] = {}

    def bare(user: int) -> None:
        for table in tables:
            np.argpartition(table[user], -_PER_SOURCE)[-_PER_SOURCE:]

    def pool(user: int) -> None:
        query = Query(user_id=f"u{user}")
        found = gather(
            Understood(query, query.text, (), ()),
            served,
            catalog=nothing,
            event_log=nothing,
            per_source=_PER_SOURCE,
        )
        pools[user] = found.candidates

    def score(user: int) -> None:
        fuse(pools[user], weights, has_query=False, history=20)

    return tuple(milliseconds(ask, _USERS) for ask in (bare, pool, score))


def main(
    items: Annotated[list[int] | None, typer.Option(min=100, help="Size of a catalogue.")] = None,
    sources: Annotated[int, typer.Option(min=1, max=len(HISTORY_SOURCES))] = 10,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Time a request's pool for S on generated catalogues; p50 and p95 in milliseconds."""
    table = Table(title=f"{sources} sources, the best {_PER_SOURCE} of each")
    for column in ("items", "bare numpy", "pool", "fuse", "pool + fuse p50", "p95", "x bare"):
        table.add_column(column, justify="right")
    for size in items or [1_000, 10_000, 100_000, 1_000_000]:
        bare, pool, score = measure(size, sources, seed)
        both = pool + score
        half, most = np.percentile(both, [50, 95])
        middle = [float(np.median(one)) for one in (bare, pool, score)]
        table.add_row(
            f"{size:,}",
            *(f"{one:.2f}" for one in middle),
            f"{half:.2f}",
            f"{most:.2f}",
            f"{half / middle[0]:.1f}",
        )
    Console(file=sys.stdout).print(table)


if __name__ == "__main__":
    typer.run(main)
