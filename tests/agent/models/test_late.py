"""A model that joins late: calls fail clearly until it is there, and then reach it."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from agent.models.late import LateModel, late_language_model
from agent.ports import LanguageModel, Message, ModelInfo
from agent.scripted import ScriptedModel
from agent.settings import read_settings
from retrieval.errors import ModelUnavailable, NotFound

INFO = ModelInfo("later@1", "small", 4096)
ASKED: list[list[Message]] = [[{"role": "user", "content": "Person: tea. Item: tea."}]]


class Quiet:
    def start(self, stage: str, total: int | None) -> None:
        """Nobody watches."""

    def advance(self, n: int = 1) -> None:
        """Nobody watches."""

    def note(self, text: str) -> None:
        """Nobody watches."""


def test_calls_fail_as_unavailable_until_the_model_is_there_and_then_reach_it() -> None:
    gate = threading.Event()
    left = threading.Event()

    def start(stack: ExitStack) -> LanguageModel:
        stack.callback(left.set)
        gate.wait(10)
        return ScriptedModel(model_id="real")

    late = LateModel(INFO, start)
    assert late.info.model_id == "later@1"
    with pytest.raises(ModelUnavailable, match="still starting"):
        late.label_logprobs(ASKED, ["yes", "no"])
    gate.set()
    late.wait()
    assert late.ready
    assert late.info.model_id == "real"
    assert late.label_logprobs(ASKED, ["yes", "no"]).logprobs[0] is not None
    late.stop()
    assert left.is_set()
    with pytest.raises(ModelUnavailable, match="stopped"):
        late.generate(ASKED, max_tokens=3)


def test_a_model_that_cannot_start_says_why_on_every_call() -> None:
    def start(stack: ExitStack) -> LanguageModel:
        raise ModelUnavailable("port 8199 is taken")

    late = LateModel(INFO, start)
    with pytest.raises(ModelUnavailable, match="8199"):
        late.wait()
    with pytest.raises(ModelUnavailable, match="8199"):
        late.generate(ASKED, max_tokens=3)
    late.stop()


def test_stopping_does_not_wait_for_a_model_that_is_still_starting() -> None:
    gate = threading.Event()

    def start(stack: ExitStack) -> LanguageModel:
        gate.wait(10)
        return ScriptedModel()

    late = LateModel(INFO, start)
    late.stop()
    assert not late.ready
    gate.set()


def test_what_can_be_known_at_once_fails_at_once(tmp_path: object) -> None:
    overrides = {"llm": {"model": "no-such-model", "cache_dir": tmp_path}}
    settings = read_settings(environ={}, overrides=overrides)
    with pytest.raises(NotFound, match="no-such-model"), late_language_model(settings, Quiet()):
        pass
    overrides["llm"] |= {"model": "smollm2-135m-instruct", "port": 1}
    settings = read_settings(environ={}, overrides=overrides)
    with pytest.raises(ModelUnavailable, match="prepare"), late_language_model(settings, Quiet()):
        pass


def test_the_scripted_model_and_none_need_no_waiting() -> None:
    for name, kind in (("scripted", ScriptedModel), ("none", type(None))):
        settings = read_settings(environ={}, overrides={"llm": {"model": name}})
        with late_language_model(settings, Quiet()) as model:
            assert isinstance(model, kind)
