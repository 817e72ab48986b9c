"""The list that is shown: one of each kind, mixed, and still an answer without vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.arrange import ArrangedList, arrange_list, no_vectors
from agent.settings import RetrievalSettings
from retrieval.errors import StoreError
from retrieval.fusion.score import FusedCandidate
from retrieval.rules.rules import NO_RULES, Cap, Rules
from retrieval.types import Item

ITEMS = {
    "a": Item("a", "Steel kettle", {"kind": "kettle"}),
    "b": Item("b", "Steel kettle classic", {"kind": "kettle"}),
    "c": Item("c", "Green tea", {"kind": "tea"}),
}
VECTORS = {"a": [1.0, 0.0], "b": [0.999, 0.01], "c": [0.0, 1.0]}


def vectors(ids: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
    return {one: np.array(VECTORS[one], dtype=np.float32) for one in ids}


def broken(ids: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
    raise StoreError("the index is gone")


def run(vectors_of=vectors, diversity: float = 0.0, **settings: object) -> ArrangedList:  # type: ignore[no-untyped-def]
    return arrange_list(
        [FusedCandidate(one, 1.0 - at / 4, {}) for at, one in enumerate(ITEMS)],
        items_of=lambda ids: [ITEMS[one] for one in ids],
        rules=NO_RULES,
        vectors=vectors_of,
        settings=RetrievalSettings(**settings),  # type: ignore[arg-type]
        diversity=diversity,
        n=2,
    )


def ids(done: ArrangedList) -> list[str]:
    return [one.item_id for one in done.order]


def test_vectors_tell_near_duplicates_that_titles_do_not() -> None:
    done = run()
    assert (ids(done), done.into) == (["a", "c"], {"a": ("b",)})
    assert done.sentences == ("near-duplicates: 1 item behind 1 shown",)
    assert ids(run(no_vectors)) == ["a", "b", "c"]
    assert ids(run(duplicates=1.0)) == ["a", "b", "c"]


def test_diversity_mixes_and_says_what_it_cost() -> None:
    done = run(diversity=0.9, duplicates=0.0)
    assert ids(done) == ["a", "c", "b"]
    assert done.trade_off is not None
    assert done.trade_off.before < 0.01
    assert done.trade_off.after == 1.0
    assert done.trade_off.relevance_kept == 0.5 / 0.75


def test_vectors_that_cannot_be_read_cost_their_part_and_not_the_answer() -> None:
    done = run(broken, diversity=0.9)
    assert ids(done) == ["a", "c", "b"]
    assert done.sentences[0].endswith("so they compare nothing: the index is gone")


def test_with_everything_off_nothing_is_even_looked_up() -> None:
    done = run(broken, duplicates=0.0)
    assert done == ArrangedList(done.order, {}, (), None, 3)
    assert ids(done) == ["a", "b", "c"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["tea", "mug", "pot 1"]), st.sampled_from("xyz")), max_size=9
    ),
    st.floats(0, 1),
    st.integers(1, 4),
)
def test_what_is_shown_and_what_is_collapsed_is_what_was_ranked(
    known: list[tuple[str, str]], diversity: float, n: int
) -> None:
    items = {str(at): Item(str(at), title, {"brand": b}) for at, (title, b) in enumerate(known)}
    done = arrange_list(
        [FusedCandidate(one, -float(one), {}) for one in items],
        items_of=lambda wanted: [items[one] for one in wanted],
        rules=Rules(caps=(Cap("brand", 1, 2),)),
        vectors=no_vectors,
        settings=RetrievalSettings(),
        diversity=diversity,
        n=n,
    )
    hidden = [one for others in done.into.values() for one in others]
    assert sorted([*ids(done), *hidden]) == sorted(items)
    if done.trade_off is not None:
        assert 0 <= done.trade_off.relevance_kept <= 1
