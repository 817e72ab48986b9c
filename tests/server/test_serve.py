"""The service as a process of its own: real HTTP, SQLite and Chroma, the scripted model."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.settings import Settings, StoreSettings
from agent.stores import open_stores
from retrieval.types import Item, User

AT = "2024-05-01T12:00:00Z"
ITEMS = [
    {"item_id": "a/b", "title": "Crisp dry white", "colour": "white", "price": 12},
    {"item_id": "酒 2", "title": "干白葡萄酒", "colour": "white", "price": 18},
    {"item_id": "🍷", "title": "Heavy red", "colour": "red", "price": 30},
]


def palate(*args: str, **environ: str) -> subprocess.Popen[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PALATE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "server.cli.main", *args],
        env=kept | {"PALATE_LLM_MODEL": "scripted", "OMP_NUM_THREADS": "1"} | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found, line + process.communicate(timeout=30)[1]
    return found[0]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory, a_profile) -> Iterator[tuple[Any, str]]:
    home = tmp_path_factory.mktemp("serve") / "home"
    with open_stores(Settings(store=StoreSettings(home=home))) as stores:
        stores.catalog.upsert_items([Item("known/1", "Sparkling water")])
        stores.catalog.upsert_users([User("u/1")])
        stores.profiles.put(a_profile("user", "u/1"))
    started = palate("--home", str(home), "serve", "--port", "0", PALATE_SERVER_MAX_BODY_MB="1")
    try:
        yield started, wait_for_url(started)
    finally:
        if started.poll() is None:
            started.kill()
        started.communicate(timeout=30)


@pytest.fixture(scope="module")
def http(process: tuple[Any, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=process[1], timeout=60) as client:
        yield client


def test_rows_come_in_and_the_next_request_recommends_them(http: httpx.Client) -> None:
    assert http.post("/v1/items", json={"rows": ITEMS}).json()["accepted"] == 3
    rows = [
        {"user_id": f"u{n}", "item_id": item["item_id"], "kind": "purchase", "at": AT}
        for n in range(6)
        for item in ITEMS[: 1 + n % 2]
    ]
    assert http.post("/v1/interactions", json=rows).json()["accepted"] == 9
    review = {"user_id": "u0", "item_id": "a/b", "text": "Crisp and dry.", "rating": 5, "at": AT}
    assert http.post("/v1/reviews", json=[review]).json()["accepted"] == 1
    answer = http.post(
        "/v1/recommend",
        json={
            "query": "dry white",
            "constraints": [{"field": "price", "op": "le", "value": 20}],
            "n": 2,
        },
    ).json()
    assert {line["item_id"] for line in answer["recommendations"]} <= {"a/b", "酒 2"}
    assert answer["recommendations"][0]["item_id"] == "a/b"
    assert answer["recommendations"][0]["explanation"]["text"]


def test_a_known_user_is_not_shown_what_they_have(http: httpx.Client) -> None:
    http.post("/v1/items", json=ITEMS)
    http.post(
        "/v1/interactions",
        json=[{"user_id": "u0", "item_id": "a/b", "kind": "purchase", "at": AT}],
    )
    answer = http.post("/v1/recommend", json={"user_id": "u0", "n": 10}).json()
    assert "a/b" not in {line["item_id"] for line in answer["recommendations"]}
    again = http.post("/v1/recommend", json={"user_id": "u0", "include_seen": True}).json()
    assert "a/b" in {line["item_id"] for line in again["recommendations"]}


def test_a_profile_is_read_by_an_id_with_a_slash(http: httpx.Client) -> None:
    for path in ("/v1/profiles/users/u%2F1", "/v1/profiles/users/u/1"):
        assert http.get(path).json()["subject_id"] == "u/1"
    missing = http.get("/v1/profiles/items/known%2F1")
    assert missing.status_code == 404
    assert "palate profiles build" in missing.json()["error"]["hint"]


def test_a_chat_turn_in_chinese_is_answered(http: httpx.Client) -> None:
    http.post("/v1/items", json=ITEMS)
    body = {"model": "palate", "messages": [{"role": "user", "content": "想要干白葡萄酒"}]}
    answer = http.post("/v1/chat/completions", json=body).json()
    assert "干白葡萄酒" in answer["choices"][0]["message"]["content"]


def test_the_service_is_ready_and_its_pages_are_there(http: httpx.Client) -> None:
    assert http.get("/healthz").json() == {"status": "ok"}
    assert http.get("/readyz").json()["ready"] is True
    for path in (
        "/",
        "/openapi/",
        "/openapi/openapi.json",
        "/openapi/scalar/js/scalar.standalone.js",
    ):
        assert http.get(path).status_code == 200, path


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"n": 0}, 400, "n = 0"),
        ({"n": -1}, 400, "n = -1"),
        ({"n": 1_000_000}, 400, "n = 1000000"),
        ({"n": 10**30}, 400, "n = 10000"),
        ({"user_id": "nobody/🫥"}, 404, "nobody/🫥"),
        ({"constraints": [{"field": "height", "op": "le", "value": 3}]}, 400, "height"),
    ],
)
def test_what_only_the_recommender_can_refuse_is_named_too(
    http: httpx.Client, body: Any, status: int, said: str
) -> None:
    response = http.post("/v1/recommend", json=body)
    assert response.status_code == status, response.text
    assert said in response.json()["error"]["message"]


@pytest.mark.parametrize("size", [2, 5])
def test_a_body_over_the_limit_is_refused_with_the_envelope(http: httpx.Client, size: int) -> None:
    """2 MiB reach the app; 5 MiB are refused by the server under it, maybe while sending."""
    try:
        response = http.post(
            "/v1/items",
            content=b" " * (size * 1024 * 1024),
            headers={"Content-Type": "application/json"},
        )
    except httpx.WriteError:
        assert size == 5
    else:
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "too_large"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, "invalid_input"),
        (b"GET / HTTP/1.1\r\nContent-Length: lots\r\n\r\n", 400, "invalid_input"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413, "too_large"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 262_200 + b"\r\n\r\n", 431, "too_large"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: odd\r\n\r\n", 501, "internal"),
    ],
    ids=["header", "length", "far too large", "long header", "encoding"],
)
def test_what_never_reaches_the_app_has_the_same_envelope(
    process: tuple[Any, str], data: bytes, status: int, code: str
) -> None:
    host, port = process[1].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(data)
        received = b""
        while part := connection.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"Content-Type: application/json" in head
    error = httpx.Response(200, content=body).json()["error"]
    assert set(error) == {"code", "message", "hint", "request_id"}
    assert error["code"] == code


@pytest.mark.parametrize(
    ("flags", "environ", "message", "hint"),
    [
        (("--port", "{busy}"), {}, "is in use", "--port"),
        (("--host", "0.0.0.0"), {}, "no key is set", "PALATE_SERVER_API_KEYS"),
        (("--port", "99999"), {}, "server.port = 99999", "palate.example.toml"),
        ((), {"PALATE_SERVER_THREADS": "many"}, "server.threads = 'many'", "palate.example.toml"),
        ((), {"PALATE_CONFIG": "nowhere.toml"}, "nowhere.toml", "--config"),
    ],
)
def test_a_bad_start_is_one_line_and_a_hint(
    process: tuple[Any, str],
    tmp_path: Path,
    flags: tuple[str, ...],
    environ: dict[str, str],
    message: str,
    hint: str,
) -> None:
    busy = process[1].rpartition(":")[2]
    given = [flag.format(busy=busy) for flag in flags]
    refused = palate("--home", str(tmp_path / "home"), "serve", *given, **environ)
    out, err = refused.communicate(timeout=60)
    assert refused.returncode == 2
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 2, err
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert lines[1].startswith("hint: ")
    assert hint in lines[1]


def test_sigterm_ends_it_with_zero_and_no_trace(
    process: tuple[Any, str], http: httpx.Client
) -> None:
    """Last in this file: the process is gone afterwards."""
    started, _ = process
    assert http.get("/healthz").status_code == 200
    started.send_signal(signal.SIGTERM)
    out, err = started.communicate(timeout=30)
    assert started.returncode == 0, err
    assert out == "Stopped.\n"
    assert "Traceback" not in err


def test_ctrl_c_ends_it_cleanly_too(tmp_path: Path) -> None:
    started = palate("--home", str(tmp_path / "home"), "serve", "--port", "0", "--no-llm")
    url = wait_for_url(started)
    empty = httpx.post(f"{url}/v1/recommend", json={}, timeout=60).json()
    assert empty["recommendations"] == [], "an empty home answers too"
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=30)
    assert started.returncode == 0, err
    assert out == "Stopped.\n"
    assert "Traceback" not in err
