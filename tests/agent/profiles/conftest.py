"""One small shop in real SQLite; an index and an embedder that only remember."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.ports import LanguageModel
from agent.profiles.build import build_profiles
from agent.profiles.report import BuildReport
from prompts.library import PromptLibrary
from retrieval.ports import Vectors
from retrieval.store.catalog import SqlCatalog
from retrieval.store.database import open_database
from retrieval.store.event_log import SqlEventLog
from retrieval.store.profile_store import SqlProfileStore
from retrieval.types import (
    Evidence,
    Interaction,
    Item,
    Profile,
    Review,
    ScoredItem,
    Subject,
    User,
    content_hash,
)

START = datetime(2024, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RememberingIndex:
    """A vector index that keeps texts and versions and searches nothing."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, str]] = {}

    def upsert(
        self, ids: Sequence[str], vectors: Vectors, texts: Sequence[str], versions: Sequence[str]
    ) -> None:
        assert len(ids) == len(vectors)
        self.held.update(zip(ids, zip(texts, versions, strict=True), strict=True))

    def versions(self) -> dict[str, str]:
        return {one: version for one, (_, version) in self.held.items()}

    def delete(self, ids: Sequence[str]) -> None:
        for one in ids:
            self.held.pop(one, None)

    def search(
        self, vector: NDArray[np.float32], k: int, allowed: frozenset[str] | None = None
    ) -> list[ScoredItem]:
        raise NotImplementedError

    def vectors(self, ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        raise NotImplementedError

    def count(self) -> int:
        return len(self.held)


class CountingEmbedder:
    embedder_id = "counting"
    dimension = 2

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        return np.tile(np.array([[1.0, 0.0]], np.float32), (len(texts), 1))


@dataclass
class Watcher:
    """Progress that remembers."""

    stages: list[tuple[str, int | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    advanced: int = 0

    def start(self, stage: str, total: int | None) -> None:
        self.stages.append((stage, total))

    def advance(self, n: int = 1) -> None:
        self.advanced += n

    def note(self, text: str) -> None:
        self.notes.append(text)


class Shop:
    """Stores, and the few lines that tests fill and build them with."""

    def __init__(self, folder: Path) -> None:
        self.database = open_database(f"sqlite:///{folder / 'shop.sqlite3'}")
        self.catalog = SqlCatalog(self.database)
        self.event_log = SqlEventLog(self.database)
        self.profiles = SqlProfileStore(self.database)
        self.items, self.users = RememberingIndex(), RememberingIndex()
        self.embedder = CountingEmbedder()
        self.progress = Watcher()

    def item(self, item_id: str, title: str = "", **attributes: Any) -> None:
        self.catalog.upsert_items([Item(item_id, title, attributes)])
        self.event_log.append_evidence(
            Evidence(
                f"attribute:{item_id}:{name}",
                "item",
                item_id,
                "attribute",
                f"{name}: {', '.join(value) if isinstance(value, tuple) else value}",
                "en",
                "",
                EPOCH,
                1.0,
                content_hash(name, str(value)),
            )
            for name, value in attributes.items()
        )

    def review(
        self, review_id: str, user: str, item: str, text: str, *, day: int = 0, lang: str = "en"
    ) -> None:
        self.catalog.upsert_users([User(user)])
        at = START + timedelta(days=day)
        self.event_log.append_reviews([Review(review_id, user, item, text, None, at, lang)])

    def chose(self, user: str, item: str, *, day: int = 0, rating: float | None = None) -> None:
        self.catalog.upsert_users([User(user)])
        at = START + timedelta(days=day)
        self.event_log.append_interactions(
            [
                Interaction(user, item, "rating", rating, at)
                if rating is not None
                else Interaction(user, item, "purchase", 1.0, at)
            ]
        )

    def build(self, model: LanguageModel | None, **options: Any) -> BuildReport:
        return build_profiles(
            catalog=self.catalog,
            event_log=self.event_log,
            profiles=self.profiles,
            model=model,
            prompts=PromptLibrary(),
            embedder=self.embedder,
            item_index=self.items,
            user_index=self.users,
            progress=self.progress,
            **options,
        )

    def profile(self, subject: Subject, subject_id: str) -> Profile:
        profile = self.profiles.get(subject, subject_id)
        assert profile is not None
        return profile


@pytest.fixture
def new_shop(tmp_path: Path) -> Iterator[Callable[[str], Shop]]:
    """Makes empty shops by name."""
    made: list[Shop] = []

    def make(name: str) -> Shop:
        folder = tmp_path / name
        folder.mkdir()
        made.append(Shop(folder))
        return made[-1]

    yield make
    for shop in made:
        shop.database.close()


@pytest.fixture
def shop(new_shop: Callable[[str], Shop]) -> Shop:
    return new_shop("shop")
