"""Pools in blocks are those that requests would have met, source by source."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.fitting.combine import combsum, reciprocal_ranks
from agent.fitting.labels import LabelledUser, pool_for
from agent.fitting.pools import FitPool, collect
from agent.measure import ndcg, ranks_in
from retrieval.candidates.behaviour import BehaviourSource
from retrieval.candidates.content import Content
from retrieval.candidates.ease import Ease
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.history import history_matrix
from retrieval.candidates.item_knn import ItemKnn
from retrieval.candidates.markov import Markov
from retrieval.candidates.popular import Popularity, PopularSource
from retrieval.fusion.context import Context, context_of
from retrieval.fusion.features import pool_features
from retrieval.fusion.score import fuse
from retrieval.fusion.weights import FusionWeights
from retrieval.types import Interaction, Query
from tests.agent.fitting.four_tastes import Watcher

ITEMS = [f"i{at:02d}" for at in range(14)]
USERS = [f"u{at}" for at in range(7)]
START = datetime(2024, 1, 1, tzinfo=UTC)
VECTORS = np.random.default_rng(0).normal(size=(len(ITEMS), 3)).astype(np.float32)
VECTORS[3] = 0

events = st.lists(
    st.builds(
        lambda user, item, kind, day: Interaction(user, item, kind, 1.0, START + timedelta(day)),
        st.sampled_from(USERS[:-1]),
        st.sampled_from(ITEMS[:-2]),
        st.sampled_from(["purchase", "view", "dislike"]),
        st.integers(0, 400),
    ),
    min_size=1,
    max_size=40,
)
some_items = st.frozensets(st.sampled_from([*ITEMS, "gone"]), max_size=5)
labels = st.builds(LabelledUser, st.sampled_from(USERS), some_items, some_items.filter(len))


def estimators() -> dict[str, Estimator]:
    return {
        "behaviour": Ease(l2=2.0),
        "item_knn": ItemKnn(k=3),
        "markov": Markov(),
        "content": Content(VECTORS),
        "picture": Content(VECTORS[:, :1]),
        "popular": Popularity(90.0, damped=True),
    }


@settings(max_examples=40, deadline=None)
@given(events, st.lists(labels, max_size=5), st.integers(1, 6))
def test_collecting_is_asking_source_after_source(
    log: list[Interaction], users: list[LabelledUser], per_source: int
) -> None:
    matrix = history_matrix(log, ITEMS)
    made = {name: one.fit(matrix) for name, one in estimators().items()}
    sources = [
        BehaviourSource(matrix, one, name) for name, one in made.items() if name != "popular"
    ]
    popular = PopularSource(matrix)
    pools = collect(made, matrix, users, per_source=per_source, progress=Watcher())
    assert len(pools) == len(users)
    for user, pool in zip(users, pools, strict=True):
        asked = pool_for(user, [*sources, popular], per_source)
        features = pool_features(asked, list(made))
        assert tuple(matrix.item_ids[at] for at in pool.items) == features.item_ids
        np.testing.assert_allclose(pool.z, features.z, atol=1e-5)
        assert (pool.present == features.present).all()
        assert pool.context.stratum == Context(len(user.seen)).stratum
        there = context_of(features, len(user.seen))
        np.testing.assert_allclose(pool.context.g, there.g, atol=1e-5)
        found = [at for at, item in enumerate(features.item_ids) if item in user.positives]
        assert pool.positives.tolist() == found
        assert pool.recall == len(found) / len(user.positives)
        for at, source in enumerate([*sources, popular]):
            best = source.candidates(Query(user_id=user.user_id), per_source, None, user.seen)
            ranks = ranks_in([one.item_id for one in best], user.positives)
            assert pool.alone[at] == pytest.approx(ndcg(ranks))
        weights = FusionWeights(dict.fromkeys(made, 1.0), {"query": 1.0})
        served = {one.item_id: one.score for one in fuse(asked, weights, False, len(user.seen))}
        learned = pool.z.sum(axis=1) / max(1, len(features.live))
        expected = [served[item] for item in features.item_ids]
        np.testing.assert_allclose(learned, expected, atol=1e-5)


def test_an_empty_pool_counts_nothing() -> None:
    matrix = history_matrix([], ITEMS)
    made: dict[str, Estimator] = {"popular": Popularity().fit(matrix)}
    user = LabelledUser("u0", frozenset(ITEMS), frozenset({"gone"}))
    pool = collect(made, matrix, [user], per_source=3, progress=Watcher())[0]
    assert len(pool.items) == 0
    assert pool.labelled is None
    assert pool.ndcg(np.ones(1)) == pool.alone[0] == pool.recall == 0


def by_hand() -> FitPool:
    """Three items; the second source knows only two of them."""
    return FitPool(
        LabelledUser("u", frozenset(), frozenset({"i1", "i9"})),
        np.array([0, 1, 2]),
        np.array([[1.2, 0.0], [0.1, 1.0], [-1.3, -1.0]]),
        np.array([[True, False], [True, True], [True, True]]),
        Context(),
        np.array([1]),
        np.zeros(2),
    )


def test_reciprocal_ranks_by_hand() -> None:
    # 1/61 + nothing, 1/62 + 1/61, 1/63 + 1/62.
    assert reciprocal_ranks(by_hand()).tolist() == [1, 2, 0]
    # With k = 0 the first place is worth more than two worse ones: 1, 1/2 + 1, 1/3 + 1/2.
    assert reciprocal_ranks(by_hand(), k=0).tolist() == [1, 0, 2]


def test_combsum_by_hand() -> None:
    # 1.2, 1.1 and -2.3.
    assert combsum(by_hand()).tolist() == [0, 1, 2]


def test_a_positive_outside_the_pool_counts_against_every_order() -> None:
    ideal = 1 + 1 / np.log2(3)
    assert by_hand().ndcg_of(np.array([1, 0, 2])) == pytest.approx(1 / ideal)
    assert by_hand().ndcg_of(np.array([0, 1])) == pytest.approx(1 / np.log2(3) / ideal)
    assert by_hand().ndcg_of(np.array([0, 2])) == 0
    assert by_hand().ndcg(np.array([0.0, 1.0])) == pytest.approx(1 / ideal)
