import json
import logging

import pytest
from flask import Flask
from flask.testing import FlaskClient

POSTS = (
    "/v1/recommend", "/v1/items", "/v1/users", "/v1/interactions", "/v1/reviews",
    "/v1/chat/completions",
)  # fmt: skip
GETS = (
    "/v1/profiles/users/u1", "/v1/profiles/items/i1", "/v1/models", "/healthz", "/readyz",
    "/openapi/openapi.json", "/openapi/", "/",
)  # fmt: skip

UNREADABLE = {
    "nothing": b"",
    "blanks": b"  \n ",
    "half an object": b'{"rows": [',
    "two objects": b"{} {}",
    "NaN": b'{"n": NaN, "rows": [NaN]}',
    "infinity": b'{"rows": [{"value": -Infinity}]}',
    "latin-1": '{"query": "café"}'.encode("latin-1"),
    "utf-16": '{"query": "x"}'.encode("utf-16"),
    "a lone surrogate": rb'{"query": "\ud83c"}',
    "deep nesting": b'{"rows":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "an endless integer": b'{"n": ' + b"9" * 6000 + b"}",
    "form data": b"query=wine&n=3",
    "a number": b"7",
    "null": b"null",
    "text": b'"{}"',
}


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unusable_body_is_a_400_on_every_route(
    client: FlaskClient, envelope_of, path: str, data: bytes
) -> None:
    error = envelope_of(client.post(path, data=data, content_type="application/json"), 400)
    assert error["code"] == "invalid_input"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_another_content_type_is_a_415_that_names_it(
    client: FlaskClient, envelope_of, path: str, kind: str | None
) -> None:
    error = envelope_of(client.post(path, data=b"{}", content_type=kind), 415)
    assert error["code"] == "unsupported_media_type"
    assert repr(kind or "missing") in error["message"]


@pytest.mark.parametrize("path", POSTS)
def test_a_body_over_the_limit_is_a_413(client: FlaskClient, envelope_of, path: str) -> None:
    data = b'{"rows": []' + b" " * (1024 * 1024) + b"}"
    error = envelope_of(client.post(path, data=data, content_type="application/json"), 413)
    assert error["code"] == "too_large"
    assert "max_body_mb" in error["hint"]


@pytest.mark.parametrize("path", POSTS)
def test_the_wrong_method_is_a_405_that_says_what_is_allowed(
    client: FlaskClient, envelope_of, path: str
) -> None:
    response = client.get(path)
    assert envelope_of(response, 405)["code"] == "method_not_allowed"
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize("path", GETS)
def test_posting_to_a_get_route_is_a_405(client: FlaskClient, envelope_of, path: str) -> None:
    envelope_of(client.post(path, json={}), 405)


@pytest.mark.parametrize("path", ["/v2/recommend", "/v1/profiles/users/", "/nope/🍷", "/assets/x"])
def test_an_unknown_route_is_a_404_with_the_envelope(
    client: FlaskClient, envelope_of, path: str
) -> None:
    envelope_of(client.get(path), 404)


def test_an_unexpected_error_shows_nothing_and_is_logged_under_the_request_id(
    client: FlaskClient, recommender, envelope_of, caplog: pytest.LogCaptureFixture
) -> None:
    recommender.error = RuntimeError("password=hunter2 at /srv/secret")
    with caplog.at_level(logging.ERROR):
        error = envelope_of(client.post("/v1/recommend", json={}), 500)
    assert error["code"] == "internal"
    assert "hunter2" not in json.dumps(error)
    assert error["request_id"] in caplog.text
    assert "hunter2" in caplog.text


def test_a_sane_request_id_is_kept_on_answers_and_errors(client: FlaskClient, envelope_of) -> None:
    headers = {"X-Request-Id": "shop-7.a:b_c"}
    assert client.get("/healthz", headers=headers).headers["X-Request-Id"] == "shop-7.a:b_c"
    error = envelope_of(client.get("/nope", headers=headers), 404)
    assert error["request_id"] == "shop-7.a:b_c"


@pytest.mark.parametrize("given", ["", "a b", "<script>", "x" * 129, "é"])
def test_an_odd_request_id_is_replaced(client: FlaskClient, given: str) -> None:
    headers = {"X-Request-Id": given.encode("utf-8").decode("latin-1")}
    answered = client.get("/healthz", headers=headers).headers["X-Request-Id"]
    assert answered != given
    assert len(answered) == 32


def test_every_request_gets_its_own_id(client: FlaskClient) -> None:
    ids = {client.get("/healthz").headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


def test_every_answer_tells_the_browser_to_stay_on_this_host(app: Flask) -> None:
    client = app.test_client()
    for path in ("/", "/openapi/", "/healthz", "/nope"):
        with client.get(path) as response:
            headers = response.headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert "http" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
