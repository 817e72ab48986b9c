"""``POST /v1/chat/completions``: the recommender as an OpenAI-compatible model."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field

from agent.chat import reply
from agent.ports import Message
from retrieval.errors import InvalidInput, NotFound
from server.envelope import request_id
from server.schemas import AnswerBody, Identifier, as_json
from server.service import current_service
from server.spec import ERRORS, SECURITY

MODEL = "palate"
MAX_MESSAGES = 200
MAX_CHARACTERS = 100_000

api = APIBlueprint(
    "chat",
    __name__,
    abp_tags=[Tag(name="chat", description="For any client that speaks the OpenAI API.")],
    abp_security=SECURITY,
    abp_responses=ERRORS,
)


class TextPart(BaseModel):
    """A piece of a message; only text is understood here."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """One turn."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def to_message(self) -> Message:
        """The turn in the model port's shape."""
        text = self.content if isinstance(self.content, str) else _joined(self.content)
        role = "system" if self.role == "developer" else self.role
        return Message(role=role, content=text)


class ChatRequest(BaseModel):
    """The OpenAI request. Sampling fields are accepted and ignored: ranking is not sampled."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(MODEL, description=f"always {MODEL!r}")
    messages: list[ChatMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    user: Identifier | None = Field(None, description="who asks; without it, a stranger")
    stream: bool = Field(False, description="send the answer as server-sent events")
    store: bool | None = Field(
        None, description="whether the person lets the request be kept, redacted, for evaluation"
    )

    def to_messages(self) -> list[Message]:
        """The turns.

        Raises:
            NotFound: another model is asked for.
            InvalidInput: the last turn is not the user's, or there is too much text.
        """
        if self.model != MODEL:
            raise NotFound(f"no model {self.model!r} here", f"the model's name is {MODEL!r}")
        messages = [message.to_message() for message in self.messages]
        if messages[-1]["role"] != "user" or not messages[-1]["content"].strip():
            raise InvalidInput(
                "the last message must be the user's and hold some text",
                'e.g. {"role": "user", "content": "a dry white wine for fish"}',
            )
        size = sum(len(message["content"]) for message in messages)
        if size > MAX_CHARACTERS:
            raise InvalidInput(
                f"the messages hold {size:,} characters", f"at most {MAX_CHARACTERS:,}"
            )
        return messages


class Choice(BaseModel):
    """The one answer."""

    index: int
    message: dict[str, str]
    finish_reason: Literal["stop"]


class Usage(BaseModel):
    """Tokens that the language model read and wrote for this answer, all counted as prompt."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(BaseModel):
    """The OpenAI answer, with Palate's own under ``palate``."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    palate: AnswerBody = Field(description="the recommendations with parts, evidence and trace")


class ModelList(BaseModel):
    """The one model that can be asked."""

    object: Literal["list"]
    data: list[dict[str, Any]]


@api.post(
    "/v1/chat/completions",
    summary="Ask in a conversation",
    description=(
        "The last message is the wish. With `stream: true` the answer comes as server-sent "
        "events; it is complete, and validated, before the first of them is sent."
    ),
    responses={200: ChatCompletion},
)
def chat_completions(body: ChatRequest) -> dict[str, Any] | Response:
    """One turn of conversation."""
    messages = body.to_messages()
    text, answer = reply(current_service().fresh(), messages, body.user, log=body.store)
    head = {"id": f"chatcmpl-{request_id()}", "created": int(time.time()), "model": MODEL}
    if body.stream:
        return Response(_events(head, text), mimetype="text/event-stream")
    tokens = answer.trace.tokens
    return as_json(
        ChatCompletion(
            **head,
            object="chat.completion",
            choices=[
                Choice(
                    index=0, message={"role": "assistant", "content": text}, finish_reason="stop"
                )
            ],
            usage=Usage(prompt_tokens=tokens, completion_tokens=0, total_tokens=tokens),
            palate=AnswerBody.of(answer),
        )
    )


@api.get("/v1/models", summary="The model's name", responses={200: ModelList})
def models() -> dict[str, Any]:
    """What chat clients ask first."""
    model = {"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}
    return {"object": "list", "data": [model]}


def _events(head: dict[str, Any], text: str) -> Iterator[str]:
    def event(delta: dict[str, str], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
        return f"data: {json.dumps(chunk)}\n\n"

    yield event({"role": "assistant", "content": ""})
    for line in text.splitlines(keepends=True):
        yield event({"content": line})
    yield event({}, "stop")
    yield "data: [DONE]\n\n"


def _joined(parts: list[TextPart]) -> str:
    return "\n".join(part.text for part in parts)
