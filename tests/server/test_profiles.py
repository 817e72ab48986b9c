from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from retrieval.types import Item, User

ODD_IDS = (
    "plain", "a/b", "/lead", "trail/", "two//in", "酒 1", "🍷", "q?x#y", "%2F", "..", "a\\b",
    "<b>&'\"", "x" * 1000,
)  # fmt: skip


@pytest.mark.parametrize("odd", ODD_IDS, ids=lambda odd: odd[:8])
def test_any_id_finds_its_profile_with_rows_and_quotes(
    client: FlaskClient, recommender, a_profile, odd: str
) -> None:
    recommender.catalog.upsert_items([Item(odd, "Odd")])
    recommender.catalog.upsert_users([User(odd)])
    for subject in ("user", "item"):
        recommender.profiles.put(a_profile(subject, odd))
        path = f"/v1/profiles/{subject}s/{quote(odd, safe='')}"
        body = client.get(path).get_json()
        assert (body["subject"], body["subject_id"]) == (subject, odd)
        assert body["as_of"] == "2024-05-01T00:00:00Z"
        assert body["text"] == "Likes dry wine."
        (row,) = body["rows"]
        assert row["quotes"] == [{"evidence_id": "e1", "text": "so “dry” & crisp"}]
        assert body["sentences"] == [{"text": "Likes dry wine.", "row_ids": [row["row_id"]]}]


@pytest.mark.parametrize("kind", ["users", "items"])
@pytest.mark.parametrize("unknown", ["nobody", "a/b/c", "🫥", "y" * 1000])
def test_an_unknown_id_is_a_404_that_names_it(
    client: FlaskClient, envelope_of, kind: str, unknown: str
) -> None:
    error = envelope_of(client.get(f"/v1/profiles/{kind}/{quote(unknown, safe='')}"), 404)
    assert error["code"] == "not_found"
    assert unknown[:40] in error["message"]


@pytest.mark.parametrize("kind", ["users", "items"])
@pytest.mark.parametrize("path", ["x" * 1001, "%00", "a%0Ab%00", "%ff%fe"], ids=lambda p: p[:8])
def test_an_impossible_id_is_an_error_and_no_crash(
    client: FlaskClient, envelope_of, kind: str, path: str
) -> None:
    response = client.get(f"/v1/profiles/{kind}/{path}")
    envelope_of(response, 400 if path.startswith("xx") else 404)


def test_known_but_not_built_says_how_to_build(client: FlaskClient, envelope_of) -> None:
    error = envelope_of(client.get("/v1/profiles/users/u1"), 404)
    assert "'u1' has no profile yet" in error["message"]
    assert "palate profiles build" in error["hint"]
