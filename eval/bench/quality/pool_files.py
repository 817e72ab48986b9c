"""Pools of all asked users as one file, and pools with fewer sources."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.fitting.pools import FitPool
from eval.bench.quality.protocols import Asked
from eval.records.whole import whole
from retrieval.errors import InvalidInput
from retrieval.fusion.context import Context, disagreement

_PICTURE = "picture"


@dataclass(frozen=True, eq=False)
class Pools:
    """One pool a user, and what every source said of its items before it was standardised.

    Attributes:
        sources: names of the columns.
        pools: of the users in their order.
        raw: float32 (items, sources) of each pool, NaN where a source said nothing; empty
            where it was not kept.
    """

    sources: tuple[str, ...]
    pools: Sequence[FitPool]
    raw: Sequence[NDArray[np.float32]] = ()

    def without(self, left_out: Collection[str]) -> Pools:
        """The same pools as if some sources had scored nothing.

        The items stay: which of them only those sources had found is not undone.
        """
        kept = [at for at, name in enumerate(self.sources) if name not in left_out]
        names = tuple(self.sources[at] for at in kept)
        pictured = _PICTURE in names
        pools = []
        for pool in self.pools:
            z = pool.z[:, kept]
            context = Context(
                pool.context.history, disagreement(z), pool.context.pictured if pictured else 0.0
            )
            pools.append(
                FitPool(
                    user=pool.user,
                    items=pool.items,
                    z=z,
                    present=pool.present[:, kept],
                    context=context,
                    positives=pool.positives,
                    alone=pool.alone[kept],
                )
            )
        return Pools(names, pools, [one[:, kept] for one in self.raw])

    def some(self, places: NDArray[np.int64]) -> Pools:
        """The pools of some users."""
        chosen = places.tolist()
        return Pools(
            self.sources,
            [self.pools[at] for at in chosen],
            [self.raw[at] for at in chosen] if self.raw else (),
        )


def save_pools(path: Path, pools: Pools) -> None:
    """Write them, whole or not at all; z in single precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = pools.pools
    arrays: dict[str, NDArray[Any]] = {
        "sources": np.frombuffer(json.dumps(pools.sources).encode(), dtype=np.uint8),
        "items": np.concatenate([one.items for one in found]),
        "ends": np.cumsum([len(one.items) for one in found], dtype=np.int64),
        "z": np.concatenate([one.z for one in found]).astype(np.float32),
        "present": np.concatenate([one.present for one in found]),
        "positives": np.concatenate([one.positives for one in found]),
        "positive_ends": np.cumsum([len(one.positives) for one in found], dtype=np.int64),
        "alone": np.stack([one.alone for one in found]),
        "context": np.array(
            [(one.context.history, one.context.disagreement, one.context.pictured) for one in found]
        ),
    }
    if pools.raw:
        arrays["raw"] = np.concatenate(list(pools.raw))
    with whole(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_pools(path: Path, asked: Asked) -> Pools:
    """Read what ``save_pools`` wrote.

    Raises:
        InvalidInput: the file is damaged or of other users; names it.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = dict(held)
        names = tuple(json.loads(arrays["sources"].tobytes()))
        ends, positive_ends = arrays["ends"][:-1], arrays["positive_ends"][:-1]
        users = asked.labelled()
        if len(arrays["ends"]) != len(users) or arrays["z"].shape[1] != len(names):
            raise ValueError("its users or sources are others")
        pools = [
            FitPool(
                user=user,
                items=items,
                z=z.astype(np.float64),
                present=present,
                context=Context(int(length), float(apart), float(pictured)),
                positives=positives,
                alone=alone,
            )
            for user, items, z, present, positives, (length, apart, pictured), alone in zip(
                users,
                np.split(arrays["items"], ends),
                np.split(arrays["z"], ends),
                np.split(arrays["present"], ends),
                np.split(arrays["positives"], positive_ends),
                arrays["context"],
                arrays["alone"],
                strict=True,
            )
        ]
        return Pools(names, pools, np.split(arrays["raw"], ends) if "raw" in arrays else ())
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInput(
            f"{path} cannot be used: {error}", "remove the file: the pools are collected again"
        ) from error
