"""What every language model promises, asked of each implementation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.ports import Generation, LanguageModel, Message, ModelInfo
from agent.scripted import ScriptedModel
from agent.vllm import OpenAICompatibleModel
from retrieval.errors import InvalidInput, ModelTimeout, ModelUnavailable
from tests.agent.fake_openai import FakeOpenAI, running


@pytest.fixture(params=["scripted", "vllm", "other"], scope="module")
def model(request: pytest.FixtureRequest) -> Iterator[LanguageModel]:
    if request.param == "scripted":
        yield ScriptedModel()
        return
    with running(FakeOpenAI(vllm=request.param == "vllm")) as fake:
        adapter = OpenAICompatibleModel(
            fake.base_url, "fake", info=ModelInfo("fake", "small", 2048)
        )
        yield adapter
        adapter.close()


def asks(*texts: str) -> list[list[Message]]:
    return [[{"role": "user", "content": text}] for text in texts]


def test_nothing_asked_is_nothing_answered(model: LanguageModel) -> None:
    assert model.generate([], max_tokens=5) == []
    scores = model.label_logprobs([], ["yes", "no"])
    assert (scores.logprobs, scores.prompt_tokens, scores.missing) == ((), 0, 0)


def test_one_answer_for_each_conversation_and_each_is_told_once(model: LanguageModel) -> None:
    told: dict[int, Generation] = {}
    answers = model.generate(
        asks("I love the sound", "I hate the lid", "hm"), max_tokens=40, done=told.__setitem__
    )
    assert told == dict(enumerate(answers))
    for answer in answers:
        assert answer.finish in ("stop", "length")
        assert answer.prompt_tokens > 0


def test_the_same_prompt_in_another_place_gets_the_same_answer(model: LanguageModel) -> None:
    forward = model.generate(asks("I love the sound", "I hate the lid"), max_tokens=40)
    backward = model.generate(asks("I hate the lid", "I love the sound"), max_tokens=40)
    assert [answer.text for answer in forward] == [answer.text for answer in backward[::-1]]


def test_every_label_has_a_finite_log_probability_at_most_zero(model: LanguageModel) -> None:
    scores = model.label_logprobs(asks("a", "b", "c"), ["yes", "no"])
    assert len(scores.logprobs) == 3
    for row in scores.logprobs:
        assert row is not None
        assert set(row) == {"yes", "no"}
        assert all(math.isfinite(value) and value <= 0 for value in row.values())


def test_fewer_than_two_labels_are_refused(model: LanguageModel) -> None:
    with pytest.raises(InvalidInput):
        model.label_logprobs(asks("a"), ["yes"])


def test_a_deadline_that_is_over_is_a_timeout(model: LanguageModel) -> None:
    with pytest.raises(ModelTimeout):
        model.generate(asks("a"), max_tokens=5, deadline=0.0)
    with pytest.raises(ModelTimeout):
        model.label_logprobs(asks("a"), ["yes", "no"], deadline=0.0)


def test_pictures_need_eyes(model: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable):
        model.describe_image(tmp_path / "a.png", "what?", max_tokens=5)
