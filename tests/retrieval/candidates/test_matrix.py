from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from retrieval.candidates.matrix import KIND_WEIGHTS, InteractionMatrix
from retrieval.errors import InvalidInput
from retrieval.types import Interaction, InteractionKind

PAIRS = [("b", "x"), ("a", "y"), ("a", "z"), ("b", "z")]
START = datetime(2024, 1, 1, tzinfo=UTC)


def event(
    user: str, item: str, kind: InteractionKind = "purchase", value: float = 1.0, day: int = 0
) -> Interaction:
    return Interaction(user, item, kind, value, START + timedelta(days=day))


def dense(matrix: InteractionMatrix) -> list[list[float]]:
    return np.round(matrix.values.toarray().astype(float), 3).tolist()  # type: ignore[no-any-return]


def test_rows_and_columns_are_in_id_order_whatever_the_order_of_events() -> None:
    events = [event(u, i, day=d) for d, (u, i) in enumerate(PAIRS)]
    expected = [[0, 1, 1], [1, 0, 1]]
    for seed in range(5):
        random.Random(seed).shuffle(events)
        matrix = InteractionMatrix.from_interactions(events)
        assert matrix.user_ids == ("a", "b")
        assert matrix.item_ids == ("x", "y", "z")
        assert dense(matrix) == expected
        assert matrix.seconds.tolist() == [START.timestamp() + d * 86400 for d in (1, 2, 0, 3)]


def test_a_pair_counts_once_with_its_strongest_kind_and_its_latest_time() -> None:
    matrix = InteractionMatrix.from_interactions(
        [event("u", "i", "view"), event("u", "i", "cart", day=1), event("u", "i", "view", day=2)],
        weights=KIND_WEIGHTS,
    )
    assert dense(matrix) == [[0.6]]
    assert matrix.seconds.tolist() == [(START + timedelta(days=2)).timestamp()]


def test_without_weights_every_kind_but_dislike_counts_one() -> None:
    kinds: list[InteractionKind] = ["view", "rating", "dislike", "cart"]
    matrix = InteractionMatrix.from_interactions([event("u", kind, kind) for kind in kinds])
    assert matrix.item_ids == ("cart", "rating", "view")
    assert dense(matrix) == [[1, 1, 1]]


def test_liked_keeps_ratings_at_or_above_the_users_own_mean() -> None:
    events = [event("strict", i, "rating", v) for i, v in [("a", 1), ("b", 2), ("c", 3)]]
    events += [event("flat", i, "rating", 9) for i in "ab"] + [event("flat", "c", "view")]
    matrix = InteractionMatrix.from_interactions(events, positive="liked")
    assert dense(matrix) == [[1, 1, 1], [0, 1, 1]]
    everything = InteractionMatrix.from_interactions(events)
    assert everything.values.nnz == 6


def test_given_columns_keep_their_order_and_shut_others_out() -> None:
    matrix = InteractionMatrix.from_interactions(
        [event("u", "b"), event("u", "gone")], item_ids=["c", "b", "a"]
    )
    assert matrix.item_ids == ("c", "b", "a")
    assert dense(matrix) == [[0, 1, 0]]
    assert matrix.items_of(0).tolist() == [1]


def test_no_interaction_gives_an_empty_matrix() -> None:
    assert InteractionMatrix.from_interactions([]).shape == (0, 0)
    assert InteractionMatrix.from_interactions([], item_ids=["a", "b"]).shape == (0, 2)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_weight_is_named(weight: float) -> None:
    with pytest.raises(InvalidInput, match=f"weight {weight} of kind 'view'"):
        InteractionMatrix.from_interactions([], weights={"view": weight})


def test_a_repeated_column_is_refused() -> None:
    with pytest.raises(InvalidInput, match="repeats an id"):
        InteractionMatrix.from_interactions([], item_ids=["a", "a"])


def test_a_thing_rated_far_below_the_usual_counts_for_nothing_even_when_bought() -> None:
    def event(user: str, item: str, kind: InteractionKind, value: float, day: int) -> Interaction:
        return Interaction(user, item, kind, value, datetime(2024, 1, day, tzinfo=UTC))

    log = [
        *(event(f"u{n}", "good", "rating", 5.0, 1) for n in range(8)),
        event("ann", "bad", "purchase", 1.0, 2),
        event("ann", "bad", "rating", 1.0, 3),
        event("bob", "bad", "rating", 1.0, 2),
        event("bob", "bad", "rating", 5.0, 4),  # who changes his mind is believed
    ]
    matrix = InteractionMatrix.from_interactions(log, positive="not-disliked")
    assert "ann" not in matrix.user_index
    assert matrix.item_ids[int(matrix.items_of(matrix.user_index["bob"])[0])] == "bad"
    unrated = [event("ann", "bad", "purchase", 1.0, 2)]
    assert InteractionMatrix.from_interactions(unrated, positive="not-disliked").shape == (1, 1)
