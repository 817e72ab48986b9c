from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import InvalidInput
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
    st.dictionaries(st.sampled_from(["behaviour", "popular"]), positive, min_size=1).filter(
        lambda one: sum(one.values()) > 0
    )
)
def test_both_scenes_add_up_to_one_and_keep_what_was_not_learned(
    learned: dict[str, float],
) -> None:
    without, with_text = scenes_from(learned)
    assert math.fsum(without.values()) == pytest.approx(1)
    assert math.fsum(with_text.values()) == pytest.approx(1)
    assert without["profile"] == PRIOR_WITHOUT_TEXT["profile"]
    for source in TEXT_SOURCES:
        assert with_text[source] == PRIOR_WITH_TEXT[source]
        assert source not in without
    total = sum(learned.values())
    for source, weight in learned.items():
        rest = 1 - sum(w for s, w in PRIOR_WITHOUT_TEXT.items() if s not in learned)
        assert without[source] == pytest.approx(rest * weight / total)


def test_the_prior_adds_up_to_one_in_both_scenes() -> None:
    for scene in (PRIOR_WITHOUT_TEXT, PRIOR_WITH_TEXT):
        assert math.fsum(scene.values()) == pytest.approx(1)
        assert set(scene) <= set(SOURCES)


def test_learning_the_priors_own_proportions_gives_the_prior() -> None:
    without, with_text = scenes_from({s: PRIOR_WITHOUT_TEXT[s] for s in ("behaviour", "popular")})
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
        ({"format": 99}, "format 99"),
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
