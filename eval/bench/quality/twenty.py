"""Twenty given candidates a user, one of them right: the protocol of published tables.

Hou et al. (ECIR 2024), table 2. The weights are learned on other people, from 19 random
candidates and the last item of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agent.fitting.labels import LabelledUser
from agent.fitting.pools import FitPool
from agent.measure import mean_and_interval, ndcg
from eval.bench.quality.datasets import BenchData
from eval.bench.quality.fused import reciprocal, scaled_sum
from eval.bench.quality.outcomes import Scores
from eval.bench.quality.pool_files import Pools
from eval.bench.quality.protocols import Asked
from eval.bench.quality.served import places_by, weights_from
from retrieval.candidates.estimator import Estimator
from retrieval.errors import InvalidInput
from retrieval.fusion.context import Context, disagreement
from retrieval.fusion.features import z_table
from retrieval.ports import Progress

CANDIDATES = 20
CUTS = (1, 5, 10, 20)
_BLOCK = 256

Figures = dict[str, dict[str, float]]


def of_lists(
    data: BenchData,
    learn: Asked,
    test: Asked,
    on_learn: Mapping[str, Estimator],
    on_test: Mapping[str, Estimator],
    peers: Mapping[str, Scores],
    progress: Progress,
    *,
    seed: int = 0,
) -> dict[str, Figures]:
    """NDCG at 1, 5, 10 and 20 by system, each with its 95 % interval.

    Args:
        data: with the published lists.
        learn: of T2; people of ``data.held`` are passed over.
        test: of T3: the people of ``data.held``.
        on_learn: sources fitted on T1.
        on_test: the same, fitted on T1 and T2.
        peers: scores of other systems for the users of ``test``.
        progress: sees two stages.
        seed: of the random candidates and of the learning.
    """
    others = [at for at, user in enumerate(learn.users) if user not in data.held]
    labelled = _fixed(
        on_learn,
        learn,
        others,
        _drawn(learn, others, seed),
        progress,
    )
    weights = weights_from(labelled, seed=seed)
    everybody = list(range(len(test.users)))
    lists = [_published(data, test, at) for at in everybody]
    found = _fixed(on_test, test, everybody, lists, progress)
    ranks: dict[str, list[float]] = {name: [] for name in found.sources}
    ranks |= {"rrf": [], "comb_sum": [], "S": []}
    for pool, raw in zip(found.pools, found.raw, strict=True):
        right = int(pool.positives[0])
        for column, name in enumerate(found.sources):
            ranks[name].append(_rank(np.nan_to_num(raw[:, column], nan=-np.inf), right))
        ranks["rrf"].append(_rank(reciprocal(raw), right))
        ranks["comb_sum"].append(_rank(scaled_sum(raw), right))
        order = places_by(pool, found.sources, weights)
        ranks["S"].append(float(np.flatnonzero(order == right)[0]))
    for name, scores in peers.items():
        ranks[name] = [
            _rank(block[own], int(np.flatnonzero(own == test.columns[at][0])[0]))
            for start in range(0, len(lists), _BLOCK)
            for at, (block, own) in enumerate(
                zip(
                    scores(start, min(start + _BLOCK, len(lists))),
                    lists[start : start + _BLOCK],
                    strict=True,
                ),
                start,
            )
        ]
    return {name: _figures(own, seed) for name, own in ranks.items()}


def _published(data: BenchData, test: Asked, at: int) -> NDArray[np.int64]:
    """Columns of the first 19 published candidates that are not the positive, and the positive."""
    user, positive = test.users[at], test.relevant[at][0]
    index = test.matrix.item_index
    others = [one for one in data.lists[user] if one != positive][: CANDIDATES - 1]
    try:
        return np.array(sorted(index[one] for one in (*others, positive)), dtype=np.int64)
    except KeyError as error:
        raise InvalidInput(
            f"candidate {error.args[0]!r} of {user!r} is not in the catalogue",
            "take the files as published",
        ) from error


def _drawn(learn: Asked, places: Sequence[int], seed: int) -> list[NDArray[np.int64]]:
    """19 columns that the user never took, and one that they took next."""
    rng = np.random.default_rng(seed)
    items = learn.matrix.shape[1]
    drawn = []
    for at in places:
        positive = learn.columns[at][:1]
        had = np.concatenate([learn.matrix.items_of(int(learn.rows[at])), positive])
        free = np.setdiff1d(np.arange(items), had)
        others = rng.choice(free, size=min(CANDIDATES - 1, len(free)), replace=False)
        drawn.append(np.sort(np.concatenate([others, positive])))
    return drawn


def _fixed(
    estimators: Mapping[str, Estimator],
    asked: Asked,
    places: Sequence[int],
    lists: Sequence[NDArray[np.int64]],
    progress: Progress,
) -> Pools:
    """A pool of given items a user, each scored by every source that knows it."""
    raw = [np.full((len(own), len(estimators)), np.nan, dtype=np.float32) for own in lists]
    progress.start("scoring given candidates", len(estimators))
    for column, (name, estimator) in enumerate(estimators.items()):
        for start in range(0, len(places), _BLOCK):
            rows = asked.rows[list(places[start : start + _BLOCK])]
            for at, own in enumerate(estimator.score_users(rows), start):
                if name == "popular" or own.any():
                    items = lists[at]
                    raw[at][:, column] = np.where(estimator.known[items], own[items], np.nan)
        progress.advance()
    ids = asked.matrix.item_ids
    pools = []
    for at, items, said in zip(places, lists, raw, strict=True):
        z, present = z_table(said.astype(np.float64))
        positives = np.flatnonzero(np.isin(items, asked.columns[at]))
        user = LabelledUser(
            asked.users[at],
            frozenset(ids[one] for one in asked.matrix.items_of(int(asked.rows[at])).tolist()),
            frozenset(ids[one] for one in items[positives].tolist()),
        )
        alone = np.array(
            [
                ndcg(np.array([_rank(np.nan_to_num(own, nan=-np.inf), int(one))]))
                for own in said.T
                for one in positives[:1]
            ]
        )
        context = Context(int(asked.history[at]), disagreement(z), 0.0)
        pools.append(FitPool(user, items, z, present, context, positives, alone))
    return Pools(tuple(estimators), pools, raw)


def _rank(scores: NDArray[np.floating], right: int) -> float:
    higher = int(np.count_nonzero(scores > scores[right]))
    return higher + (int(np.count_nonzero(scores == scores[right])) - 1) / 2


def _figures(ranks: Sequence[float], seed: int) -> Figures:
    found: Figures = {}
    for cut in CUTS:
        values = np.array([ndcg(np.array([rank]), cut) for rank in ranks])
        mean, low, high = mean_and_interval(values, seed=seed)
        found[f"ndcg@{cut}"] = {"mean": mean, "low": low, "high": high, "n": len(values)}
    return found
