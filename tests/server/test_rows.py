import json
from typing import Any

import pytest
from flask.testing import FlaskClient

AT = "2024-05-01T12:00:00Z"


def test_a_new_item_is_recommended_by_the_next_request(
    fresh_client: FlaskClient, fresh_shop
) -> None:
    response = fresh_client.post("/v1/items", json=[{"item_id": "i3", "title": "A rosé"}])
    assert response.get_json() == {
        "accepted": 1, "unchanged": 0, "rejected_total": 0, "rejected": [],
    }  # fmt: skip
    answer = fresh_client.post("/v1/recommend", json={}).get_json()
    assert [line["title"] for line in answer["recommendations"]][-1] == "A rosé"
    fresh_client.post("/v1/recommend", json={})
    assert fresh_shop.refreshed == 1, "nothing new, nothing rebuilt"


def test_a_failed_rebuild_is_tried_again(
    fresh_client: FlaskClient, fresh_shop, envelope_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh_client.post("/v1/items", json=[{"item_id": "i3", "title": "A rosé"}])

    def fail() -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(fresh_shop, "refresh", fail)
        envelope_of(fresh_client.post("/v1/recommend", json={}), 500)
    assert fresh_client.post("/v1/recommend", json={}).status_code == 200
    assert fresh_shop.refreshed == 1


def test_the_same_rows_again_change_nothing(fresh_client: FlaskClient, fresh_shop) -> None:
    rows = {
        "/v1/items": [{"item_id": "i3", "title": "A rosé", "price": 9.5}],
        "/v1/users": [{"user_id": "u2", "city": "Lyon"}],
        "/v1/interactions": [{"user_id": "u2", "item_id": "i3", "kind": "like", "at": AT}],
        "/v1/reviews": [{"user_id": "u2", "item_id": "i3", "text": "Light, dry.", "at": AT}],
    }
    for path, some in rows.items():
        assert fresh_client.post(path, json={"rows": some}).get_json()["accepted"] == 1
    before = dict(fresh_shop.catalog.counts())
    for path, some in rows.items():
        answer = fresh_client.post(path, json={"rows": some}).get_json()
        assert (answer["accepted"], answer["unchanged"]) == (0, 1)
    assert fresh_shop.catalog.counts() == before


def test_an_items_attributes_become_evidence(fresh_client: FlaskClient, fresh_shop) -> None:
    fresh_client.post("/v1/items", json=[{"item_id": "i3", "title": "A rosé", "price": 9.5}])
    (evidence,) = fresh_shop.event_log.evidence("item", "i3")
    assert (evidence.kind, evidence.text) == ("attribute", "price: 9.5")


def test_good_rows_go_in_and_bad_ones_are_listed_with_index_column_and_reason(
    fresh_client: FlaskClient, fresh_shop
) -> None:
    rows: list[Any] = [
        {"user_id": "u1", "item_id": "i1", "kind": "view", "at": AT},
        {"user_id": "u1", "item_id": "nothing/🍷", "kind": "view", "at": AT},
        {"user_id": "u1", "item_id": "i1", "kind": "stare", "at": AT},
        {"user_id": "u1", "item_id": "i1"},
        {"user_id": "u1", "item_id": "i1", "kind": "rating", "value": "NaN", "at": AT},
        {"user_id": "u1", "item_id": "i1", "at": "1969-12-31"},
        {"user_id": "x" * 1001, "item_id": "i1", "at": AT},
        "a text",
        None,
        [],
        {},
        {"user_id": "new", "item_id": "i2", "at": AT},
    ]
    answer = fresh_client.post("/v1/interactions", json=rows).get_json()
    assert (answer["accepted"], answer["unchanged"], answer["rejected_total"]) == (2, 0, 10)
    assert [(row["index"], row["column"]) for row in answer["rejected"]] == [
        (1, "item_id"), (2, "kind"), (3, "at"), (4, "value"), (5, "at"), (6, "user_id"),
        (7, ""), (8, ""), (9, ""), (10, "user_id"),
    ]  # fmt: skip
    assert all(row["reason"] for row in answer["rejected"])
    assert "nothing/🍷" in answer["rejected"][0]["reason"]
    assert fresh_shop.catalog.user("new").user_id == "new"


@pytest.mark.parametrize("flag", ["true", "1"])
def test_strict_refuses_all_in_one_go(
    fresh_client: FlaskClient, fresh_shop, envelope_of, flag: str
) -> None:
    rows = [{"item_id": "i3", "title": "A rosé"}, {"item_id": "i4"}, {"title": "x"}]
    error = envelope_of(fresh_client.post(f"/v1/items?strict={flag}", json=rows), 400)
    assert error["message"].startswith("row 1, column title: is missing; 1 more")
    assert "nothing was written" in error["message"]
    assert fresh_shop.catalog.counts()["items"] == 2


@pytest.mark.parametrize("query", ["strict=perhaps", "stric=true"])
def test_a_misspelt_flag_is_refused(client: FlaskClient, envelope_of, query: str) -> None:
    error = envelope_of(client.post(f"/v1/items?{query}", json=[]), 400)
    assert query.split("=")[0] in error["message"]


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/jsonl; charset=utf-8"])
def test_ndjson_is_read_line_by_line_and_a_bad_line_is_a_bad_row(
    fresh_client: FlaskClient, fresh_shop, kind: str
) -> None:
    lines = [
        b"\xef\xbb\xbf" + json.dumps({"item_id": "a/b", "title": "One"}).encode(),
        b"",
        b'{"item_id": "half',
        b'{"item_id": "caf\xe9", "title": "latin-1"}',
        b'{"item_id": "n", "title": "x", "price": NaN}',
        b'{"item_id": "m", "title": "x", "price": 1e999}',
        '{"item_id": "酒", "title": "干白"}\r'.encode(),
    ]
    answer = fresh_client.post("/v1/items", data=b"\n".join(lines), content_type=kind).get_json()
    assert answer["accepted"] == 2
    assert [row["index"] for row in answer["rejected"]] == [2, 3, 4, 5]
    assert answer["rejected"][3]["column"] == "price"
    assert fresh_shop.catalog.item("a/b").title == "One"
    assert fresh_shop.catalog.item("酒").title == "干白"


@pytest.mark.parametrize(
    "body", [{"rows": {}}, {"rows": None}, {"items": []}, {"rows": [], "x": 1}]
)
def test_a_body_without_rows_is_refused_with_an_example(
    client: FlaskClient, envelope_of, body: Any
) -> None:
    error = envelope_of(client.post("/v1/items", json=body), 400)
    assert "NDJSON" in error["hint"]


@pytest.mark.parametrize("path", ["/v1/items", "/v1/users", "/v1/interactions", "/v1/reviews"])
def test_no_rows_is_fine_and_rebuilds_nothing(client: FlaskClient, recommender, path: str) -> None:
    before = recommender.refreshed
    answer = client.post(path, json={"rows": []}).get_json()
    assert answer == {"accepted": 0, "unchanged": 0, "rejected_total": 0, "rejected": []}
    client.post("/v1/recommend", json={})
    assert recommender.refreshed == before


def test_a_thousand_rejections_are_listed_and_the_rest_counted(client: FlaskClient) -> None:
    answer = client.post("/v1/items", json=[{}] * 1200).get_json()
    assert answer["rejected_total"] == 1200
    assert len(answer["rejected"]) == 1000
