import json
from typing import Any

import pytest
from flask.testing import FlaskClient

ASK = {"model": "palate", "messages": [{"role": "user", "content": "a dry white"}]}


def test_a_wish_is_answered_in_the_openai_shape(client: FlaskClient, recommender) -> None:
    body = client.post("/v1/chat/completions", json={**ASK, "user": "u1"}).get_json()
    assert body["object"] == "chat.completion"
    assert body["id"].startswith("chatcmpl-")
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["role"] == "assistant"
    assert "A dry white" in choice["message"]["content"]
    assert "It is dry." in choice["message"]["content"]
    assert body["usage"] == {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}
    assert body["palate"]["recommendations"][0]["item_id"] == "i1"
    (query,) = recommender.queries
    assert (query.text, query.user_id) == ("a dry white", "u1")


def test_the_last_message_is_the_wish_and_text_parts_are_joined(
    client: FlaskClient, recommender
) -> None:
    messages = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": [{"type": "text", "text": one} for one in ("想要", "干白")]},
    ]  # fmt: skip
    body = {"messages": messages, "temperature": 0.7, "top_p": 1, "max_tokens": 50, "n": 1}
    assert client.post("/v1/chat/completions", json=body).status_code == 200
    (query,) = recommender.queries
    assert query.text == "想要\n干白"
    assert query.user_id is None


def test_a_stream_carries_the_same_text_and_ends_with_done(client: FlaskClient) -> None:
    whole = client.post("/v1/chat/completions", json=ASK).get_json()
    response = client.post("/v1/chat/completions", json={**ASK, "stream": True})
    assert response.mimetype == "text/event-stream"
    events = response.get_data(as_text=True).split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    assert all(chunk["object"] == "chat.completion.chunk" for chunk in chunks)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == whole["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"messages": []}, 400, "messages"),
        ({}, 400, "messages"),
        ({"messages": "hello"}, 400, "messages"),
        ({"messages": [{"role": "user", "content": "  "}]}, 400, "some text"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 400, "the user's"),
        ({"messages": [{"role": "robot", "content": "x"}]}, 400, "messages.0.role = 'robot'"),
        ({"messages": [{"role": "user", "content": None}]}, 400, "messages.0.content"),
        ({"messages": [{"role": "user", "content": "x" * 4001}]}, 400, "4001 characters"),
        ({"messages": [{"role": "user", "content": "x" * 100_001}]}, 400, "100,001 characters"),
        ({"messages": [{"role": "user", "content": "x"}] * 201}, 400, "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            400,
            "image_url",
        ),
        ({**ASK, "user": ""}, 400, "user"),
        ({**ASK, "user": 5}, 400, "user = 5"),
        ({**ASK, "model": "gpt-4"}, 404, "'gpt-4'"),
        ({**ASK, "stream": "often"}, 400, "stream = 'often'"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_bad_conversation_is_one_clear_error_streamed_or_not(
    client: FlaskClient, recommender, envelope_of, body: Any, status: int, named: str, stream: bool
) -> None:
    response = client.post("/v1/chat/completions", json={"stream": stream, **body})
    assert named in envelope_of(response, status)["message"]
    assert recommender.queries == []


def test_the_model_list_names_the_one_model(client: FlaskClient) -> None:
    body = client.get("/v1/models").get_json()
    assert [model["id"] for model in body["data"]] == ["palate"]
