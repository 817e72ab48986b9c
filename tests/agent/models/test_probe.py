"""The start-up probe: only a server that really can passes."""

from collections.abc import Iterator

import pytest

from agent.models.probe import probe
from agent.ports import ModelInfo
from agent.vllm import OpenAICompatibleModel
from retrieval.errors import ModelOutputError, ModelUnavailable
from tests.agent.fake_openai import FakeOpenAI, running


@pytest.fixture(params=[True, False], ids=["vllm", "other"])
def fake(request: pytest.FixtureRequest) -> Iterator[FakeOpenAI]:
    with running(FakeOpenAI(vllm=request.param)) as server:
        yield server


@pytest.fixture
def model(fake: FakeOpenAI) -> Iterator[OpenAICompatibleModel]:
    found = OpenAICompatibleModel(fake.base_url, "fake", info=ModelInfo("fake", "small", 2048))
    yield found
    found.close()


def test_a_server_that_can_passes_in_its_own_dialect(
    fake: FakeOpenAI, model: OpenAICompatibleModel
) -> None:
    report = probe(model)
    assert report.dialect == ("structured_outputs" if fake.says_vllm else "response_format")
    assert report.labels == {"yes": -0.2, "no": -1.9}


def test_a_server_that_ignores_constraints_fails(
    fake: FakeOpenAI, model: OpenAICompatibleModel
) -> None:
    fake.constrains = False
    with pytest.raises(ModelOutputError, match="does not hold its answers") as caught:
        probe(model)
    assert "echo Which animal" in caught.value.message


def test_a_server_that_refuses_an_unknown_field_is_asked_the_other_way(
    fake: FakeOpenAI, model: OpenAICompatibleModel
) -> None:
    real = fake.answer
    fake.answer = lambda path, body: (  # type: ignore[method-assign]
        (400, {"error": {"message": "unknown field"}})
        if "structured_outputs" in body
        else real(path, body)
    )
    assert probe(model).dialect == "response_format"


@pytest.mark.parametrize(
    "token",
    [
        {"token": "x", "logprob": None},
        {"token": "x", "logprob": -0.1, "top_logprobs": []},
        {"token": "x", "logprob": -0.1, "top_logprobs": "none"},
    ],
)
def test_a_server_without_label_probabilities_fails(
    fake: FakeOpenAI, model: OpenAICompatibleModel, token: dict[str, object]
) -> None:
    fake.token = token
    with pytest.raises(ModelOutputError, match="no usable log-probabilities"):
        probe(model)


def test_probabilities_that_add_up_to_more_than_one_fail(
    fake: FakeOpenAI, model: OpenAICompatibleModel
) -> None:
    fake.labels = {"yes": -0.1, "no": -0.1}
    with pytest.raises(ModelOutputError, match="no usable log-probabilities"):
        probe(model)


def test_a_server_that_fails_is_unavailable_and_not_incapable(
    fake: FakeOpenAI, model: OpenAICompatibleModel
) -> None:
    fake.status = 500
    with pytest.raises(ModelUnavailable):
        probe(model)
