"""A filled home of one's own, and an embedder that needs no weights."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.build import build_recommender
from agent.recommend import Recommender
from agent.settings import EmbedSettings, LLMSettings, Settings, StoreSettings
from agent.stores import Stores, open_stores
from tests.agent.recommending.shop import WordEmbedder, fill


def _settings(home: Path) -> Settings:
    return Settings(
        store=StoreSettings(home=home),
        llm=LLMSettings(model="none"),
        embed=EmbedSettings(model="words"),
    )


@pytest.fixture(autouse=True)
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that was embedded."""
    texts: list[str] = []

    class Counted(WordEmbedder):
        def embed(self, given):  # type: ignore[no-untyped-def]
            texts.extend(given)
            return super().embed(given)

    monkeypatch.setattr("retrieval.embedding.load.load_embedder", lambda name: Counted())
    return texts


@pytest.fixture(scope="session")
def bare_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Items, users and events, without profiles or vectors; copy it."""
    home = tmp_path_factory.mktemp("fitting") / "home"
    with open_stores(_settings(home)) as stores:
        fill(stores, with_profiles=False)
    return home


@pytest.fixture
def settings(bare_shop: Path, tmp_path: Path) -> Settings:
    shutil.copytree(bare_shop, tmp_path / "home")
    return _settings(tmp_path / "home")


@pytest.fixture
def stores(settings: Settings) -> Iterator[Stores]:
    with open_stores(settings) as opened:
        yield opened


@pytest.fixture
def build(settings: Settings) -> Iterator[Callable[[], Recommender]]:
    """Builds recommenders on the home and closes them at the end."""
    opened: list[Recommender] = []

    def make() -> Recommender:
        opened.append(build_recommender(settings))
        return opened[-1]

    yield make
    for recommender in opened:
        recommender.close()
