"""An app over real SQL stores and a recommender that ranks the catalogue in id order."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from agent.settings import ServerSettings, Settings, StoreSettings
from agent.stores import Stores, open_stores
from retrieval.types import (
    Answer,
    AspectRow,
    Claim,
    Explanation,
    Item,
    Profile,
    ProfileSentence,
    Query,
    Quote,
    Recommendation,
    Trace,
    User,
)
from server.app import create_app

AT = datetime(2024, 5, 1, tzinfo=UTC)


class ListingRecommender:
    """The attributes and methods of ``agent.recommend.Recommender`` that the server uses."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        self.settings = settings
        self.catalog = stores.catalog
        self.event_log = stores.event_log
        self.profiles = stores.profiles
        self.model = None
        self.queries: list[Query] = []
        self.error: Exception | None = None
        self.checks = {"database": "ok"}
        self.refreshed = 0
        self.followed = 0
        self.known = list(self.catalog.items())

    def recommend(self, query: Query) -> Answer:
        self.queries.append(query)
        if self.error is not None:
            raise self.error
        lines = tuple(
            Recommendation(
                item_id=item.item_id,
                title=item.title,
                rank=rank,
                score=0.1 + 0.2,
                parts={"popular": 0.1, "lexical": 0.2},
                explanation=Explanation("Why not.", (Claim("It is dry.", ("e1",)),))
                if query.explain
                else None,
                base_rank=rank,
            )
            for rank, item in enumerate(self.known[: query.n], start=1)
        )
        trace = Trace("fused", "", "prior", {}, "none", 0, 7, {"fuse": 1.5}, len(self.known))
        return Answer(lines, trace)

    def refresh(self) -> None:
        self.refreshed += 1
        self.known = list(self.catalog.items())

    def follow(self) -> None:
        self.followed += 1

    def ready(self) -> tuple[bool, dict[str, str]]:
        return all(state == "ok" for state in self.checks.values()), self.checks

    def close(self) -> None:
        pass


def a_profile(subject: str, subject_id: str) -> Profile:
    row = AspectRow(
        "r1", "taste", "taste", "like", 1.25, 1, AT, AT, "en", (Quote("e1", "so “dry” & crisp"),)
    )
    sentence = ProfileSentence("Likes dry wine.", ("r1",))
    return Profile(subject, subject_id, (row,), (sentence,), AT, "v1")  # type: ignore[arg-type]


@contextmanager
def shop(home: Path) -> Iterator[ListingRecommender]:
    """Two items and a user in a home of their own."""
    settings = Settings(
        store=StoreSettings(home=home),
        server=ServerSettings(max_body_mb=1),
    )
    with open_stores(settings) as stores:
        stores.catalog.upsert_items([Item("i1", "A dry white"), Item("i2", "A red")])
        stores.catalog.upsert_users([User("u1")])
        yield ListingRecommender(settings, stores)


@pytest.fixture(scope="module")
def module_shop(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[ListingRecommender, Flask]]:
    with shop(tmp_path_factory.mktemp("shop") / "home") as recommender:
        app = create_app(recommender.settings, recommender=recommender)  # type: ignore[arg-type]
        yield recommender, app


@pytest.fixture
def recommender(module_shop: tuple[ListingRecommender, Flask]) -> ListingRecommender:
    """The module's own, as new but for the rows that its tests wrote."""
    recommender, _ = module_shop
    recommender.queries.clear()
    recommender.error = None
    recommender.checks = {"database": "ok"}
    return recommender


@pytest.fixture
def app(recommender: ListingRecommender, module_shop: tuple[ListingRecommender, Flask]) -> Flask:
    return module_shop[1]


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def fresh_shop(tmp_path: Path) -> Iterator[ListingRecommender]:
    """A shop for one test that writes."""
    with shop(tmp_path / "home") as recommender:
        yield recommender


@pytest.fixture
def fresh_client(fresh_shop: ListingRecommender) -> FlaskClient:
    app = create_app(fresh_shop.settings, recommender=fresh_shop)  # type: ignore[arg-type]
    return app.test_client()


def envelope_of(response: TestResponse, status: int) -> dict[str, str]:
    """The error of a response, after checking that it has the one shape."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.mimetype == "application/json"
    body = response.get_json()
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) == {"code", "message", "hint", "request_id"}
    assert all(isinstance(value, str) for value in error.values())
    assert error["code"]
    assert error["message"]
    assert "Traceback" not in error["message"]
    assert response.headers["X-Request-Id"] == error["request_id"]
    return error


@pytest.fixture(name="envelope_of")
def _envelope_of() -> Callable[[TestResponse, int], dict[str, str]]:
    return envelope_of


@pytest.fixture(name="a_profile", scope="session")
def _a_profile() -> Callable[[str, str], Profile]:
    return a_profile
