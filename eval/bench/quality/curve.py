"""How good S is with few labels, and what it misses without a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eval.bench.quality.measures import gain
from eval.bench.quality.pool_files import Pools
from eval.bench.quality.served import ndcg_of, weights_from
from retrieval.ports import Progress

SIZES = (0, 10, 30, 100, 300, 1000)
SUBSETS = 5

MODALITIES: Mapping[str, tuple[str, ...]] = {
    "text and pictures": ("content", "picture", "cold_start"),
    "order of events": ("markov", "session_knn", "next_item"),
    "other people": ("behaviour", "item_knn", "ials", "bpr", "graph"),
}
"""Groups of sources; ``content`` is the text alone and ``picture`` the pictures alone."""


def learning_curve(learn: Pools, test: Pools, progress: Progress) -> list[dict[str, Any]]:
    """NDCG@10 on T3 of S learned from several seeded subsets of the labelled users.

    Returns:
        A row a size: ``n``, and over the subsets ``mean``, ``low`` and ``high`` (the worst
        and the best of them) and ``subsets``. The last size is all users, the first is the
        prior.
    """
    everybody = len(learn.pools)
    sizes = [*(size for size in SIZES if size < everybody), everybody]
    progress.start("learning from fewer users", len(sizes))
    rows = []
    for size in sizes:
        count = 1 if size in (0, everybody) else SUBSETS
        means = []
        for seed in range(count):
            chosen = np.sort(np.random.default_rng(seed).permutation(everybody)[:size])
            weights = weights_from(learn.some(chosen))
            means.append(float(ndcg_of(test, weights).mean()))
        rows.append(
            {
                "n": size,
                "mean": float(np.mean(means)),
                "low": min(means),
                "high": max(means),
                "subsets": count,
            }
        )
        progress.advance()
    return rows


def ablation(learn: Pools, test: Pools, progress: Progress) -> list[dict[str, Any]]:
    """What S loses when sources are taken away and the weights learned again.

    The pools keep their items: what only a missing source had found can still be ranked.
    ``next_item`` reads text itself, which is not undone.

    Returns:
        A row a source and a group: ``without``, ``mean`` NDCG@10 on T3, and the difference to
        the whole S as ``delta`` with ``low`` and ``high``.
    """
    weights = weights_from(learn)
    whole = ndcg_of(test, weights)
    progress.start("leaving out sources", None)
    rows = []
    for name, left_out in _parts(learn.sources):
        fewer = weights_from(learn.without(left_out))
        values = ndcg_of(test.without(left_out), fewer)
        found = gain(values, whole)
        rows.append(
            {
                "without": name,
                "mean": float(values.mean()),
                "delta": found["mean"],
                "low": found["low"],
                "high": found["high"],
            }
        )
        progress.advance()
    return rows


def _parts(sources: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Every source, and every group of which S has two or more; never all there is."""
    parts: list[tuple[str, tuple[str, ...]]] = [(one, (one,)) for one in sources]
    for name, members in MODALITIES.items():
        there = tuple(one for one in members if one in sources)
        if len(there) > 1:
            parts.append((name, there))
    return [(name, left_out) for name, left_out in parts if len(left_out) < len(sources)]
