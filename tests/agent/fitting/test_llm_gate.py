from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from agent.fitting.fit import Learnt, learn_fusion
from agent.fitting.llm_gate import Judging, with_llm
from agent.rerank import Judgement
from retrieval.fusion.weights import llm_key
from retrieval.types import Item
from tests.agent.fitting.four_tastes import ITEMS, Watcher, shop

CATALOGUE = {item: Item(item, f"title {item}") for item in ITEMS}


@pytest.fixture(scope="module")
def learnt() -> Learnt:
    return learn_fusion(
        shop(200), ITEMS, data_hash="h", progress=Watcher(), only=("behaviour", "popular")
    )


def judging(ask: object, users: int = 150) -> Judging:
    return Judging("m", "rerank@1", ask, users, candidates=12, max_rise=3)  # type: ignore[arg-type]


def test_a_scorer_that_guesses_is_kept_out_and_not_asked_again(learnt: Learnt) -> None:
    random = np.random.default_rng(0)

    def guess(person: str, cards: Sequence[tuple[str, str]], lang: str) -> Judgement:
        return Judgement({item: float(random.normal()) for item, _ in cards})

    found = with_llm(learnt, CATALOGUE, judging(guess), Watcher())
    assert found.llm is not None
    assert not found.llm.decision.opened
    assert found.llm.weight == 0.0
    assert found.weights.llm == {llm_key("m", "rerank@1"): 0.0}


def test_a_scorer_that_knows_the_answer_is_let_in(learnt: Learnt) -> None:
    wanted = [pool.user.positives for pool in learnt.pools]
    asked: list[str] = []

    def knows(person: str, cards: Sequence[tuple[str, str]], lang: str) -> Judgement:
        asked.append(person)
        right = wanted[len(asked) - 1]
        return Judgement({item: 3.0 if item in right else -3.0 for item, _ in cards})

    found = with_llm(learnt, CATALOGUE, judging(knows, len(learnt.pools)), Watcher())
    assert found.llm is not None
    assert found.llm.decision.opened
    assert found.llm.weight > 0
    assert found.llm.decision.overall.after > found.llm.decision.overall.before
    assert all(person.startswith("Chose: title i") for person in asked)


def test_a_model_that_fails_was_not_measured_and_the_reason_is_told(learnt: Learnt) -> None:
    def fails(person: str, cards: Sequence[tuple[str, str]], lang: str) -> Judgement:
        return Judgement(degraded_because="the labels are two tokens")

    found = with_llm(learnt, CATALOGUE, judging(fails), Watcher())
    assert found.llm is None
    assert found.weights.llm == {}
    assert any("150 of 150 users failed: the labels" in note for note in found.notes)


def test_too_few_users_show_nothing(learnt: Learnt) -> None:
    found = with_llm(learnt, CATALOGUE, judging(lambda *_: Judgement(), 3), Watcher())
    assert found.llm is None
    assert any("3 labelled users" in note for note in found.notes)
