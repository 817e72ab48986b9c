from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.candidates.select import best_items
from retrieval.types import ScoredItem

# Few values, so that many tie; 0.0 and -0.0 are equal; what is not finite is no candidate.
VALUES = st.sampled_from([-2.0, -0.0, 0.0, 0.5, 1.0, np.inf, -np.inf, np.nan]) | st.floats(
    width=32, allow_nan=True
)


@given(
    st.lists(st.tuples(VALUES, st.booleans(), st.booleans(), st.booleans()), max_size=40),
    st.integers(-1, 45),
    st.booleans(),
)
def test_the_best_are_those_of_the_full_sort_in_the_order_of_ids_where_they_tie(
    rows: list[tuple[float, bool, bool, bool]], k: int, everything_allowed: bool
) -> None:
    ids = [f"i{at}" for at in range(len(rows))]
    scores = np.array([score for score, *_ in rows], dtype=np.float32)
    allowed = (
        None
        if everything_allowed
        else frozenset(name for name, row in zip(ids, rows, strict=True) if row[1])
    )
    excluded = frozenset(name for name, row in zip(ids, rows, strict=True) if row[2]) | {"other"}
    eligible = np.array([row[3] for row in rows], dtype=np.bool_)
    found = best_items(
        scores,
        ids,
        {name: at for at, name in enumerate(ids)},
        k,
        allowed=allowed,
        excluded=excluded,
        eligible=eligible,
    )
    expected = [
        ScoredItem(name, float(score))
        for name, score, fine in sorted(
            zip(ids, scores, eligible, strict=True), key=lambda row: -row[1]
        )
        if np.isfinite(score)
        and fine
        and name not in excluded
        and (allowed is None or name in allowed)
    ]
    assert found == expected[: max(k, 0)]
