import logging

import pytest
from flask.testing import FlaskClient

from agent.settings import ServerSettings, Settings
from retrieval.errors import InvalidInput
from server.app import create_app
from server.auth import is_loopback, known_key, require_closed_door

KEYS = ("first-key", "zweiter-schlüssel")


@pytest.fixture
def locked(recommender) -> FlaskClient:
    settings = Settings(server=ServerSettings(api_keys=KEYS))
    return create_app(settings, recommender=recommender).test_client()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}".encode().decode("latin-1")}


def test_each_key_opens_every_route(locked: FlaskClient) -> None:
    assert locked.get("/v1/models", headers=bearer("first-key")).status_code == 200
    assert locked.post("/v1/recommend", json={}, headers=bearer("first-key")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(""),
        bearer("first-ke"),
        bearer("first-key2"),
        bearer("FIRST-KEY"),
        {"Authorization": "first-key"},
        {"Authorization": "Basic first-key"},
        {"Authorization": "Bearer"},
        {"X-Api-Key": "first-key"},
    ],
)
@pytest.mark.parametrize(
    "path",
    ["/v1/recommend", "/v1/items", "/v1/reviews", "/v1/chat/completions", "/nope"],
)
def test_without_a_valid_key_nothing_is_answered(
    locked: FlaskClient, recommender, envelope_of, path: str, headers: dict[str, str]
) -> None:
    response = locked.post(path, json={}, headers=headers)
    assert envelope_of(response, 401)["code"] == "unauthorized"
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert recommender.queries == []


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/", "/assets/palate.js", "/openapi/", "/openapi/openapi.json"]
)
def test_what_holds_no_data_needs_no_key(locked: FlaskClient, path: str) -> None:
    with locked.get(path) as response:
        assert response.status_code == 200


def test_the_details_of_readiness_need_a_key(locked: FlaskClient) -> None:
    assert locked.get("/readyz").get_json() == {"ready": True, "checks": {}}
    body = locked.get("/readyz", headers=bearer("first-key")).get_json()
    assert body == {"ready": True, "checks": {"database": "ok"}}


def test_not_ready_is_a_503_and_alive_is_still_a_200(locked: FlaskClient, recommender) -> None:
    recommender.checks = {"database": "gone"}
    assert locked.get("/readyz").status_code == 503
    assert locked.get("/healthz").get_json() == {"status": "ok"}


def test_keys_never_reach_the_log(
    locked: FlaskClient, recommender, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        locked.get("/v1/models", headers=bearer("guess-1"))
        recommender.error = RuntimeError("boom")
        locked.post("/v1/recommend", json={}, headers=bearer("first-key"))
    assert "boom" in caplog.text
    for secret in (*KEYS, "guess-1"):
        assert secret not in caplog.text
        assert secret not in repr(Settings(server=ServerSettings(api_keys=KEYS)))


def test_a_key_may_hold_any_characters() -> None:
    assert known_key("Bearer zweiter-schlüssel", KEYS)
    assert known_key("bearer  first-key ", KEYS)
    assert not known_key("Bearer \udcff", KEYS)
    assert not known_key("Bearer first-key", ())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.nip.io", ""])
def test_without_keys_another_host_name_is_refused(
    client: FlaskClient, envelope_of, host: str
) -> None:
    response = client.post("/v1/recommend", json={}, headers={"Host": host})
    assert envelope_of(response, 403)["code"] == "forbidden"


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"])
def test_without_keys_this_machine_is_served(client: FlaskClient, host: str) -> None:
    assert client.get("/v1/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "Localhost."])
def test_loopback_needs_no_key(host: str) -> None:
    assert is_loopback(host)
    require_closed_door(ServerSettings(host=host))


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.168.1.5", "shop.example", "localhost.x"]
)
def test_listening_beyond_this_machine_without_keys_is_refused_with_a_hint(host: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        require_closed_door(ServerSettings(host=host))
    assert repr(host) in caught.value.message
    assert "PALATE_SERVER_API_KEYS" in caught.value.hint
    require_closed_door(ServerSettings(host=host, api_keys=("k",)))
