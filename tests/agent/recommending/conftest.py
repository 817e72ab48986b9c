"""A filled home and a way to build recommenders on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.build import build_recommender
from agent.ports import LanguageModel
from agent.recommend import Recommender
from agent.scripted import ScriptedModel
from agent.settings import EmbedSettings, LLMSettings, RerankSettings, Settings, StoreSettings
from agent.stores import open_stores
from tests.agent.recommending.shop import WordEmbedder, fill


def _settings(home: Path) -> Settings:
    return Settings(
        store=StoreSettings(home=home),
        llm=LLMSettings(model="none"),
        embed=EmbedSettings(model="words"),
        rerank=RerankSettings(deadline=5.0),
    )


@pytest.fixture(autouse=True)
def _small_embedder() -> Iterator[None]:
    with _without_weights():
        yield


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return _settings(tmp_path / "home")


@contextmanager
def _without_weights() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("retrieval.embedding.load.load_embedder", lambda name: WordEmbedder())
        yield


@pytest.fixture(scope="session")
def shop_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole shop, made once; copy it."""
    home = tmp_path_factory.mktemp("shop") / "home"
    with _without_weights(), open_stores(_settings(home)) as stores:
        fill(stores)
    return home


@pytest.fixture(scope="session")
def recommender(shop_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recommender]:
    """For tests that only ask: the whole shop and the scripted model, built once."""
    home = tmp_path_factory.mktemp("asked") / "home"
    shutil.copytree(shop_home, home)
    with _without_weights():
        built = build_recommender(_settings(home), model=ScriptedModel())
    yield built
    built.close()


@pytest.fixture
def filled(settings: Settings, shop_home: Path) -> Settings:
    """A home of one's own with the whole shop in it."""
    shutil.copytree(shop_home, settings.store.home)
    return settings


Build = Callable[..., Recommender]


@pytest.fixture
def build() -> Iterator[Build]:
    """Builds recommenders and closes them at the end."""
    opened: list[Recommender] = []

    def make(settings: Settings, model: LanguageModel | None = None) -> Recommender:
        opened.append(build_recommender(settings, model=model))
        return opened[-1]

    yield make
    for recommender in opened:
        recommender.close()
