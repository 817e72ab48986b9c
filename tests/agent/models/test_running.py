"""Which model a run gets: by the settings, by what answers, by what the machine has."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.models import machine, running
from agent.models.running import SMALL, TINY, choose_model, language_model
from agent.scripted import ScriptedModel
from agent.settings import LLMSettings, Settings
from retrieval.errors import InvalidInput, ModelOutputError, ModelUnavailable, NotFound
from tests.agent.fake_openai import FakeOpenAI
from tests.agent.fake_openai import running as served


@pytest.fixture
def fake() -> Iterator[FakeOpenAI]:
    with served(FakeOpenAI(vllm=True)) as server:
        yield server


@pytest.fixture
def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def port_of(fake: FakeOpenAI) -> int:
    return int(fake.base_url.removesuffix("/v1").rsplit(":", 1)[1])


def settings(tmp_path: Path, **llm: object) -> Settings:
    return Settings(llm=LLMSettings.model_validate({"cache_dir": tmp_path} | llm))


def test_none_is_no_model(tmp_path: Path, told) -> None:
    with language_model(settings(tmp_path, model="none"), told) as model:
        assert model is None


def test_scripted_is_the_offline_double_with_the_tier_that_was_set(tmp_path: Path, told) -> None:
    with language_model(settings(tmp_path, model="scripted", tier="tiny"), told) as model:
        assert isinstance(model, ScriptedModel)
        assert model.info.tier == "tiny"


def test_a_url_is_used_probed_and_asked_for_its_model(tmp_path: Path, told, fake) -> None:
    with language_model(settings(tmp_path, base_url=fake.base_url), told) as model:
        assert model is not None
        assert (model.info.model_id, model.info.context_tokens) == ("fake", 2048)
        assert (
            model.generate([[{"role": "user", "content": "a"}]], max_tokens=3)[0].text == "echo a"
        )
    assert "probe" in told.notes[-1]


def test_a_url_that_cannot_what_is_needed_fails_at_the_start(tmp_path: Path, told, fake) -> None:
    fake.constrains = False
    with (
        pytest.raises(ModelOutputError, match="does not hold"),
        language_model(settings(tmp_path, base_url=fake.base_url), told),
    ):
        pass


def test_a_url_where_nobody_answers_is_named(tmp_path: Path, told, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}/v1"
    with (
        pytest.raises(ModelUnavailable, match=url),
        language_model(settings(tmp_path, base_url=url), told),
    ):
        pass


def test_a_server_of_the_model_on_the_port_is_used_and_left_running(
    tmp_path: Path, told, fake
) -> None:
    fake.served = TINY
    for name in (TINY, "auto"):
        with language_model(settings(tmp_path, model=name, port=port_of(fake)), told) as model:
            assert model is not None
            assert model.info.model_id.startswith(f"{TINY}@b179c9523d0e")
            assert model.info.tier == "tiny"
            assert model.info.context_tokens == 2048
    assert running.served_models(fake.base_url)


def test_a_server_of_another_model_on_the_port_is_named(tmp_path: Path, told, fake) -> None:
    fake.served = "someone-else"
    with (
        pytest.raises(ModelUnavailable, match=f"port {port_of(fake)} .* server of someone-else"),
        language_model(settings(tmp_path, model=TINY, port=port_of(fake)), told),
    ):
        pass


def test_a_model_that_is_not_prepared_says_what_to_run_and_downloads_nothing(
    tmp_path: Path, told, free_port: int
) -> None:
    with (
        pytest.raises(ModelUnavailable, match="is not prepared") as caught,
        language_model(settings(tmp_path, model=TINY, port=free_port), told),
    ):
        pass
    assert f"palate llm prepare {TINY}" in caught.value.hint
    assert not (tmp_path / "partial").exists()


def test_a_started_server_is_stopped_whatever_happens(
    tmp_path: Path, told, fake, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[bool] = []

    class Server:
        def stop(self) -> None:
            stopped.append(True)

    @contextmanager
    def connected(model: object, progress: object) -> Iterator[object]:
        yield model

    monkeypatch.setattr(running, "require_prepared", lambda entry, cache: tmp_path)
    monkeypatch.setattr(running, "start_server", lambda *args, **kwargs: Server())
    monkeypatch.setattr(running, "_connected", connected)

    def interrupted() -> None:
        with language_model(settings(tmp_path, model=TINY, port=free_port), told):
            assert stopped == []
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert stopped == [True]


def test_auto_takes_the_small_model_when_it_fits_and_says_why_when_not(
    told, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm = LLMSettings(port=free_port)
    monkeypatch.setattr(machine, "available_memory", lambda: 64 * machine.GIB)
    assert choose_model(llm, told).name == SMALL
    assert told.notes == []
    monkeypatch.setattr(machine, "available_memory", lambda: 6 * machine.GIB)
    assert choose_model(llm, told).name == TINY
    assert "6.0 GiB are free" in told.notes[-1]


def test_a_gpu_takes_the_small_model_whatever_the_memory(
    told, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    monkeypatch.setattr(machine, "available_memory", lambda: machine.GIB)
    assert choose_model(LLMSettings(port=free_port), told).name == SMALL


def test_unknown_names_and_tiers_are_refused(tmp_path: Path, told) -> None:
    with pytest.raises(NotFound), language_model(settings(tmp_path, model="gpt-7"), told):
        pass
    with (
        pytest.raises(InvalidInput, match="huge"),
        language_model(settings(tmp_path, model="scripted", tier="huge"), told),
    ):
        pass
