"""λ as a fit certified it: a closed gate leaves exactly S, and nobody is asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agent.recommend import Recommender
from agent.scripted import ScriptedModel
from agent.settings import Settings
from agent.stores import open_stores
from retrieval.fusion.weights import FusionWeights, llm_key
from retrieval.types import Query
from tests.agent.fitting.fitted_shop import put_weights

Build = Callable[..., Recommender]
ASK = Query(user_id="bob", text="black tea", explain=False)


def certify(settings: Settings, llm: dict[str, float]) -> None:
    with open_stores(settings) as stores:
        data_hash = stores.database.data_hash()
    scene = {"behaviour": 0.5, "popular": 0.5}
    with_text = {"lexical": 0.5, "behaviour": 0.25, "popular": 0.25}
    put_weights(
        FusionWeights(scene, with_text, llm=llm, kind="learned", data_hash=data_hash),
        settings.store.home,
    )


def test_a_closed_gate_is_exactly_s_and_the_model_is_not_asked(
    filled: Settings, build: Build
) -> None:
    model = ScriptedModel()
    certify(filled, {llm_key(model.info.model_id, "rerank@1"): 0.0})
    recommender = build(filled, model)
    answer = recommender.recommend(ASK)
    assert answer.trace.ranker_used == "fused"
    assert answer.trace.calls == 0
    assert answer.trace.degraded_because == ""
    assert any("λ is 0" in note for note in answer.trace.notes)
    assert all("llm" not in line.parts for line in answer.recommendations)
    assert [line.rank for line in answer.recommendations] == [
        line.base_rank for line in answer.recommendations
    ]


@pytest.mark.parametrize(("key", "expected"), [("mine", 2.0), ("another model rerank@1", 0.5)])
def test_an_open_gate_gives_its_weight_and_another_models_says_nothing(
    filled: Settings, build: Build, key: str, expected: float
) -> None:
    model = ScriptedModel()
    certify(filled, {llm_key(model.info.model_id, "rerank@1") if key == "mine" else key: 2.0})
    assert filled.rerank.weight == 0.5
    answer = build(filled, model).recommend(ASK)
    parts = [abs(line.parts["llm"]) for line in answer.recommendations if "llm" in line.parts]
    assert answer.trace.ranker_used == "fused+llm"
    assert 0 < max(parts) <= 2 * expected
    assert max(parts) > expected / 2
