from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import InvalidInput
from retrieval.fusion.context import FEATURES, STRATA, Context
from retrieval.fusion.weights import (
    PRIOR_WITH_TEXT,
    PRIOR_WITHOUT_TEXT,
    SOURCES,
    TEXT_SOURCES,
    FusionWeights,
    prior_weights,
    scenes_from,
)

positive = st.floats(0, 1e3).filter(lambda weight: weight == 0 or weight > 1e-6)


@given(
    st.dictionaries(
        st.sampled_from(["behaviour", "markov", "popular"]), positive, min_size=1
    ).filter(lambda one: sum(one.values()) > 0)
)
def test_both_scenes_add_up_to_one_and_only_what_was_learned_has_a_weight(
    learned: dict[str, float],
) -> None:
    without, with_text = scenes_from(learned)
    assert math.fsum(without.values()) == pytest.approx(1)
    assert math.fsum(with_text.values()) == pytest.approx(1)
    assert set(without) == set(learned)
    assert set(with_text) == {*learned, *TEXT_SOURCES}
    for source in TEXT_SOURCES:
        assert with_text[source] == PRIOR_WITH_TEXT[source]
    total, text = sum(learned.values()), sum(PRIOR_WITH_TEXT[s] for s in TEXT_SOURCES)
    for source, weight in learned.items():
        assert without[source] == pytest.approx(weight / total)
        assert with_text[source] == pytest.approx((1 - text) * weight / total)


def test_the_prior_adds_up_to_one_in_both_scenes() -> None:
    for scene in (PRIOR_WITHOUT_TEXT, PRIOR_WITH_TEXT):
        assert math.fsum(scene.values()) == pytest.approx(1)
        assert set(scene) <= set(SOURCES)


def test_learning_the_priors_own_proportions_gives_the_prior() -> None:
    without, with_text = scenes_from(PRIOR_WITHOUT_TEXT)
    assert without == pytest.approx(PRIOR_WITHOUT_TEXT)
    assert with_text == pytest.approx(PRIOR_WITH_TEXT)


@pytest.mark.parametrize("learned", [{}, {"behaviour": 0.0}, {"query": 1.0, "behaviour": 1.0}])
def test_scenes_need_a_history_source_above_zero(learned: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        scenes_from(learned)


def test_json_keeps_everything() -> None:
    weights = FusionWeights(
        {"behaviour": 0.1 + 0.2, "popular": 1e-9},
        PRIOR_WITH_TEXT,
        kind="learned",
        n_labelled=321,
        data_hash="abc",
        source_ndcg={"behaviour": 0.1306},
        fused_ndcg=0.1317,
        note="红酒 🍷",
        slopes={"history": {"behaviour": 0.1, "popular": -0.2}, "pictured": {}},
        flat_in=("21+",),
        instead={"1-2": "popular"},
    )
    assert FusionWeights.from_json(weights.to_json()) == weights
    assert "红酒" in weights.to_json()


def test_an_unmeasured_score_is_null_and_not_zero() -> None:
    text = prior_weights("hash").to_json()
    assert json.loads(text)["fused_ndcg"] is None
    assert math.isnan(FusionWeights.from_json(text).fused_ndcg)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"without_text": {"behaviour": -1.0}}, "-1.0 of 'behaviour'"),
        ({"without_text": {"behaviour": math.inf}}, "inf of 'behaviour'"),
        ({"with_text": {}}, "all fusion weights are 0"),
        ({"with_text": {"query": "much"}}, "much"),
        ({"with_text": [1, 2]}, "cannot be read"),
        ({"kind": "guessed"}, "guessed"),
        ({"format": 1}, "format 1"),
        ({"format": 99}, "format 99"),
        ({"slopes": {"weather": {"popular": 0.1}}}, "nothing of 'weather'"),
        ({"slopes": {"history": {"popular": math.inf}}}, "slope inf of 'popular'"),
        ({"slopes": {"history": 3}}, "cannot be read"),
        ({"flat_in": ["7-9"]}, "nothing of '7-9'"),
        ({"instead": {"always": "popular"}}, "nothing of 'always'"),
    ],
)
def test_unusable_json_is_one_clear_error(change: dict[str, object], says: str) -> None:
    record = json.loads(prior_weights().to_json()) | change
    with pytest.raises(InvalidInput, match=says) as caught:
        FusionWeights.from_json(json.dumps(record))
    assert "palate fit" in caught.value.hint or "finite" in caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", "\x00"])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        FusionWeights.from_json(text)


def test_live_sources_share_one_whole() -> None:
    shares = prior_weights().for_request(True, ["query", "popular"])
    assert math.fsum(shares.values()) == pytest.approx(1)
    assert shares["query"] / shares["popular"] == pytest.approx(
        PRIOR_WITH_TEXT["query"] / PRIOR_WITH_TEXT["popular"]
    )
    assert prior_weights().for_request(True, []) == {}
    assert prior_weights().for_request(False, ["picture"]) == {"picture": 1.0}


SOME = ("behaviour", "markov", "popular")
shares_of = st.fixed_dictionaries(dict.fromkeys(SOME, positive)).filter(
    lambda one: sum(one.values()) > 0
)
moves = st.dictionaries(
    st.sampled_from(FEATURES), st.dictionaries(st.sampled_from(SOME), st.floats(-10, 10))
)
strata = st.sampled_from(STRATA)
contexts = st.builds(Context, st.integers(0, 2000), st.floats(0, 1), st.floats(0, 1))


@given(
    shares_of,
    moves,
    st.lists(strata, unique=True),
    st.dictionaries(strata, st.sampled_from(SOME)),
    st.lists(st.sampled_from([*SOME, *TEXT_SOURCES, "picture"]), unique=True),
    st.booleans(),
    contexts,
)
def test_in_every_context_the_weights_are_shares(
    learned: dict[str, float],
    slopes: dict[str, dict[str, float]],
    flat_in: list[str],
    instead: dict[str, str],
    live: list[str],
    has_query: bool,
    context: Context,
) -> None:
    weights = FusionWeights(
        *scenes_from(learned), slopes=slopes, flat_in=tuple(flat_in), instead=instead
    )
    shares = weights.for_request(has_query, live, context)
    assert list(shares) == live
    assert all(0 <= share <= 1 for share in shares.values())
    if live:
        assert math.fsum(shares.values()) == pytest.approx(1)
    assert FusionWeights.from_json(weights.to_json()) == weights


@given(shares_of, moves, contexts)
def test_text_keeps_its_share_in_every_context(
    learned: dict[str, float], slopes: dict[str, dict[str, float]], context: Context
) -> None:
    weights = FusionWeights(*scenes_from(learned), slopes=slopes)
    shares = weights.for_request(True, weights.sources, context)
    for source in TEXT_SOURCES:
        assert shares[source] == pytest.approx(PRIOR_WITH_TEXT[source])
    without = weights.for_request(False, weights.sources, context)
    rest = 1 - sum(PRIOR_WITH_TEXT[source] for source in TEXT_SOURCES)
    for source in SOME:
        assert shares[source] == pytest.approx(rest * without[source])


MOVED = FusionWeights(
    *scenes_from({"behaviour": 1.0, "popular": 1.0}),
    slopes={"history": {"behaviour": 0.25, "popular": -0.25}},
    flat_in=("3-5",),
    instead={"21+": "markov"},
)


def shares(history: int | None, *live: str) -> dict[str, float]:
    context = None if history is None else Context(history, 0.5, 0.5)
    return MOVED.for_request(False, live or ("behaviour", "markov", "popular"), context)


def test_a_longer_history_moves_weight_by_the_slopes() -> None:
    g = math.log(11) - 2
    assert shares(10)["behaviour"] == pytest.approx(0.5 + 0.25 * g)
    assert shares(1)["behaviour"] < 0.5 < shares(20)["behaviour"]
    assert shares(0) == pytest.approx({"behaviour": 0.0, "markov": 0.0, "popular": 1.0})


def test_slopes_do_not_apply_where_the_gate_kept_flat_weights() -> None:
    assert shares(4) == pytest.approx({"behaviour": 0.5, "markov": 0.0, "popular": 0.5})
    assert shares(None) == shares(4)


def test_where_no_mixture_was_let_through_one_source_ranks_alone() -> None:
    assert shares(30) == {"behaviour": 0.0, "markov": 1.0, "popular": 0.0}
    silent = shares(30, "behaviour", "popular")
    assert silent == pytest.approx({"behaviour": 0.75, "popular": 0.25}), "the prior steps in"
