"""Splits keep the future out of training."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.splits import global_temporal, leave_last_out
from retrieval.errors import InvalidInput
from retrieval.types import Interaction

START = datetime(2024, 1, 1, tzinfo=UTC)


def event(user: str, item: str, day: int) -> Interaction:
    return Interaction(user, item, "rating", 5.0, START + timedelta(days=day))


logs = st.lists(
    st.builds(
        event,
        st.sampled_from(["u1", "u2", "u3", "u4"]),
        st.sampled_from(["a", "b", "c", "d", "e"]),
        st.integers(0, 30),
    ),
    max_size=40,
)


def test_the_last_interaction_is_held_out_and_short_histories_only_train() -> None:
    log = [event("u1", "a", 1), event("u1", "b", 9), event("u1", "c", 5), event("u2", "a", 2)]
    split = leave_last_out(log, min_interactions=3)
    assert split.relevant == {"u1": frozenset({"b"})}
    assert [x.item_id for x in split.train] == ["a", "c", "a"]
    assert split.left_out == {"fewer than min_interactions": 1}


def test_of_two_at_the_same_instant_the_later_in_the_log_is_held_out() -> None:
    log = [event("u1", "a", 1), event("u1", "b", 1), event("u1", "c", 1)]
    assert leave_last_out(log).relevant == {"u1": frozenset({"c"})}


@given(logs)
def test_leave_last_out_loses_and_doubles_nothing(log: list[Interaction]) -> None:
    split = leave_last_out(log)
    assert len(split.train) + len(split.relevant) == len(log)


@given(logs)
def test_global_temporal_trains_on_nothing_newer_than_the_cut(log: list[Interaction]) -> None:
    if len({x.at for x in log}) < 2:
        with pytest.raises(InvalidInput, match="two instants"):
            global_temporal(log)
        return
    split = global_temporal(log, test_fraction=0.3)
    assert split.cut is not None
    assert split.train
    assert all(x.at <= split.cut for x in split.train)
    newer = {(x.user_id, x.item_id) for x in log if x.at > split.cut}
    known = {(x.user_id, x.item_id) for x in split.train}
    for user, items in split.relevant.items():
        assert all((user, item) in newer - known for item in items)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_an_impossible_fraction_is_named(fraction: float) -> None:
    with pytest.raises(InvalidInput, match="test_fraction"):
        global_temporal([event("u", "a", 1), event("u", "b", 2)], test_fraction=fraction)
