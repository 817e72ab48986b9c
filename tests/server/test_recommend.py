import json
import math
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import (
    ContextOverflow,
    Forbidden,
    InvalidInput,
    ModelOutputError,
    ModelTimeout,
    ModelUnavailable,
    NotFound,
    Overloaded,
    StoreError,
)
from retrieval.types import Constraint, Query


def test_an_empty_object_is_a_stranger_without_a_wish(client: FlaskClient, recommender) -> None:
    answer = client.post("/v1/recommend", json={}).get_json()
    assert [line["item_id"] for line in answer["recommendations"]] == ["i1", "i2"]
    assert recommender.queries == [Query()]


def test_every_field_reaches_the_query(client: FlaskClient, recommender) -> None:
    response = client.post(
        "/v1/recommend",
        json={
            "user_id": "a/b 🍷",
            "query": "  干白 ",
            "constraints": [
                {"field": "price", "op": "le", "value": 30},
                {"field": "colour", "op": "in", "value": ["white", 2]},
                {"field": "organic", "op": "eq", "value": True},
                {"field": "title", "op": "contains", "value": "30"},
            ],
            "n": 2,
            "include_seen": True,
            "explain": False,
            "rerank": False,
            "lang": "zh",
        },
    )
    assert response.status_code == 200
    (query,) = recommender.queries
    assert query == Query(
        text="干白",
        user_id="a/b 🍷",
        constraints=(
            Constraint("price", "le", 30),
            Constraint("colour", "in", ("white", 2)),
            Constraint("organic", "eq", True),
            Constraint("title", "contains", "30"),
        ),
        n=2,
        include_seen=True,
        explain=False,
        lang="zh",
        rerank=False,
    )
    assert query.constraints[2].value is True


def test_parts_still_add_up_exactly_after_the_json_round_trip(client: FlaskClient) -> None:
    for line in client.post("/v1/recommend", json={}).get_json()["recommendations"]:
        assert math.fsum(line["parts"].values()) == line["score"]


def test_the_answer_carries_claims_evidence_and_the_trace(client: FlaskClient) -> None:
    answer = client.post("/v1/recommend", json={"n": 1}).get_json()
    (line,) = answer["recommendations"]
    assert line["explanation"] == {
        "text": "Why not.",
        "claims": [{"sentence": "It is dry.", "evidence_ids": ["e1"]}],
        "by": "template",
    }
    assert answer["trace"]["ranker_used"] == "fused"
    assert answer["trace"]["milliseconds_by_stage"] == {"fuse": 1.5}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"n": 2.5}, "n = 2.5"),
        ({"n": "5"}, "n = '5'"),
        ({"n": True}, "n = True"),
        ({"n": None}, "n = None"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": 7}, "user_id = 7"),
        ({"user_id": "x" * 1001}, "user_id"),
        ({"query": None}, "query = None"),
        ({"query": "x" * 4001}, "query"),
        ({"query": {"a": 1}}, "query"),
        ({"lang": "fr"}, "lang = 'fr'"),
        ({"explain": "yes"}, "explain = 'yes'"),
        ({"constraints": {}}, "constraints"),
        ({"constraints": [{"field": "a", "op": "like", "value": 1}]}, "constraints.0.op = 'like'"),
        ({"constraints": [{"field": "a", "op": "eq"}]}, "constraints.0.value"),
        ({"constraints": [{"field": "a", "op": "in", "value": 1}]}, "in takes a list"),
        ({"constraints": [{"field": "a", "op": "le", "value": [1]}]}, "le takes one value"),
        ({"constraints": [{"field": "", "op": "eq", "value": 1}]}, "constraints.0.field"),
        ({"constraints": [{"field": "a", "op": "eq", "value": None}]}, "constraints.0.value"),
        ({"constraints": [{"field": "a", "op": "in", "value": ["x"] * 1001}]}, "1001 values"),
        ({"constraints": [{"field": "a", "op": "eq", "value": 1}] * 51}, "constraints"),
        ({"user": "u1"}, "user = 'u1'"),
    ],
)
def test_a_bad_field_is_named_with_its_value(
    client: FlaskClient, recommender, envelope_of, body: Any, named: str
) -> None:
    error = envelope_of(client.post("/v1/recommend", json=body), 400)
    assert error["code"] == "invalid_input"
    assert named in error["message"]
    assert len(error["message"]) < 500
    assert recommender.queries == []


@pytest.mark.parametrize(
    "raised",
    [
        InvalidInput, NotFound, Forbidden, StoreError, ModelUnavailable, ModelTimeout,
        ModelOutputError, ContextOverflow, Overloaded,
    ],
)  # fmt: skip
def test_each_error_of_the_tree_has_its_status_and_code(
    client: FlaskClient, recommender, envelope_of, raised
) -> None:
    recommender.error = raised("what happened", "what to do")
    response = client.post("/v1/recommend", json={})
    error = envelope_of(response, raised.http_status)
    assert (error["code"], error["message"], error["hint"]) == (
        raised.code, "what happened", "what to do",
    )  # fmt: skip
    assert ("Retry-After" in response.headers) == (raised.http_status in (429, 503))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_FIELDS = st.sampled_from(
    ["user_id", "query", "constraints", "n", "include_seen", "explain", "rerank", "lang"]
)
_BODIES = _JSON | st.dictionaries(_FIELDS, _JSON | st.integers(-2, 300), max_size=4)


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(body=_BODIES)
def test_no_json_body_is_ever_a_server_error(client: FlaskClient, envelope_of, body: Any) -> None:
    response = client.post("/v1/recommend", data=json.dumps(body), content_type="application/json")
    if response.status_code != 200:
        envelope_of(response, 400)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60))
def test_no_bytes_are_ever_a_server_error(client: FlaskClient, envelope_of, data: bytes) -> None:
    response = client.post("/v1/recommend", data=data, content_type="application/json")
    if response.status_code != 200:
        envelope_of(response, 400)
