"""Any OpenAI-compatible server as a ``LanguageModel``; the only place that imports openai.

vLLM gets its own better ways: all label prompts in one call with the exact log-probability of
every label (``/chat/completions/batch`` with ``logprob_token_ids``), thinking switched off.
Any other server is asked one prompt at a time for its top 20 tokens.
"""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import openai

from agent.completions import read_choices, read_generation, read_labels, read_usage
from agent.parallel import Answered, in_threads
from agent.ports import Generation, LabelScores, Message, ModelInfo
from agent.vllm_errors import mapped_error
from retrieval.errors import InvalidInput, ModelOutputError, ModelTimeout, ModelUnavailable

TOP_LOGPROBS = 20
MAX_LABEL_BATCH = 256
MAX_IMAGE_BYTES = 20 << 20
_CONNECT_TRIES = 3
_CONNECT_SECONDS = 10.0
_PICTURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}

Body = dict[str, Any]


class OpenAICompatibleModel:
    """Implements ``agent.ports.LanguageModel`` over HTTP.

    Safe to use from several threads. No request is sent before the first call.

    Args:
        base_url: ends in ``/v1``.
        model: the served name.
        api_key: bearer token; "" for servers without one. Never part of a message.
        info: what the model is.
        timeout: seconds for one request when a call has no deadline.
        parallel: conversations under way at once in ``generate``.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str = "",
        info: ModelInfo,
        timeout: float = 600.0,
        parallel: int = 16,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._model = model
        self._api_key = api_key
        self._info = info
        self._timeout = timeout
        self._parallel = parallel
        self._lock = threading.Lock()
        self._is_vllm: bool | None = None
        self._token_ids: dict[str, int] = {}
        try:
            self._client = openai.OpenAI(
                base_url=self._base_url, api_key=api_key or "none", max_retries=0, timeout=timeout
            )
        except Exception as error:  # a URL that no HTTP client can parse
            raise InvalidInput(
                f"llm.base_url {base_url!r} is no URL: {error}", "such as http://127.0.0.1:8000/v1"
            ) from error

    @property
    def info(self) -> ModelInfo:
        """Identity and abilities."""
        return self._info

    @property
    def base_url(self) -> str:
        """Where the server is, without a closing slash."""
        return self._base_url

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        deadline: float | None = None,
        done: Callable[[int, Generation], None] | None = None,
    ) -> list[Generation]:
        """Answers in order; see the port.

        ``done`` is called from the calling thread. After an error the conversations under way
        are still waited for (and told to ``done``), no new one begins, and the first error is
        raised. At the deadline the requests under way are hung up on, which vLLM takes as
        "stop computing".
        """
        ends = None if deadline is None else time.monotonic() + deadline

        def ask(index: int) -> Generation:
            body = self._body(conversations[index], max_tokens)
            if stop:
                body["stop"] = list(stop)
            return read_generation(self._post("/chat/completions", body, ends))

        answers: dict[int, Generation] = {}
        for index, answer in self._in_threads(ask, len(conversations), ends):
            answers[index] = answer
            if done is not None:
                done(index, answer)
        return [answers[index] for index in range(len(conversations))]

    def label_logprobs(
        self,
        conversations: Sequence[Sequence[Message]],
        labels: Sequence[str],
        *,
        deadline: float | None = None,
    ) -> LabelScores:
        """Log-probability of each label as the assistant's next token; see the port.

        Raises:
            InvalidInput: fewer than two labels, or one that is several tokens for this model.
        """
        if len(set(labels)) < 2 or len(set(labels)) != len(labels):
            raise InvalidInput(f"labels {list(labels)} must be two or more different words")
        if not conversations:
            return LabelScores((), 0, 0, 0)
        ends = None if deadline is None else time.monotonic() + deadline
        ids = self._label_ids(labels, ends)
        ask = self._labels_in_one_call if ids else self._labels_one_by_one
        rows: list[dict[str, float] | None] = []
        prompt_tokens = completion_tokens = missing = 0
        for start in range(0, len(conversations), MAX_LABEL_BATCH):
            part = ask(conversations[start : start + MAX_LABEL_BATCH], labels, ids, ends)
            rows += part.logprobs
            prompt_tokens += part.prompt_tokens
            completion_tokens += part.completion_tokens
            missing += part.missing
        return LabelScores(tuple(rows), prompt_tokens, completion_tokens, missing)

    def describe_image(self, path: Path, prompt: str, *, max_tokens: int) -> Generation:
        """One picture through the vision API; see the port.

        Raises:
            InvalidInput: the file is missing, too large, or no PNG, JPEG, GIF or WebP.
        """
        if not self._info.vision:
            raise ModelUnavailable(
                f"{self._info.model_id} cannot see pictures",
                "set llm.vision = true when the model at llm.base_url can",
            )
        picture = {"type": "image_url", "image_url": {"url": _data_url(path)}}
        text = {"type": "text", "text": prompt}
        body = self._body([], max_tokens)
        body["messages"] = [{"role": "user", "content": [picture, text]}]
        return read_generation(self._post("/chat/completions", body, None))

    def choose(
        self, conversation: Sequence[Message], choices: Sequence[str], *, dialect: str
    ) -> str:
        """One of ``choices``, held to it by constrained decoding where the server has it.

        Args:
            conversation: what to answer.
            choices: the only texts allowed.
            dialect: "structured_outputs" (vLLM) or "response_format" (JSON schema).

        Returns:
            What the server answered: *not* checked to be a choice.
        """
        body = self._body(conversation, 48)
        if dialect == "structured_outputs":
            body["structured_outputs"] = {"choice": list(choices)}
        else:
            schema = {
                "type": "object",
                "properties": {"choice": {"type": "string", "enum": list(choices)}},
                "required": ["choice"],
                "additionalProperties": False,
            }
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "choice", "strict": True, "schema": schema},
            }
        return read_generation(self._post("/chat/completions", body, None)).text.strip()

    def _body(self, conversation: Sequence[Message], max_tokens: int) -> Body:
        body: Body = {
            "model": self._model,
            "messages": [dict(message) for message in conversation],
            "max_tokens": max_tokens,
            "temperature": 0.0,
        }
        if self._on_vllm():
            body["chat_template_kwargs"] = {"enable_thinking": False}
        return body

    def _labels_in_one_call(
        self,
        conversations: Sequence[Sequence[Message]],
        labels: Sequence[str],
        ids: Sequence[int],
        ends: float | None,
    ) -> LabelScores:
        body = self._body([], 1)
        body["messages"] = [[dict(message) for message in turns] for turns in conversations]
        body |= {"logprobs": True, "logprob_token_ids": list(ids)}
        body["return_tokens_as_token_ids"] = True
        answer = self._post("/chat/completions/batch", body, ends)
        tokens = {label: f"token_id:{number}" for label, number in zip(labels, ids, strict=True)}
        read = [read_labels(row, tokens) for row in read_choices(answer, len(conversations))]
        return LabelScores(
            tuple(row for row, _ in read), *read_usage(answer), sum(count for _, count in read)
        )

    def _labels_one_by_one(
        self,
        conversations: Sequence[Sequence[Message]],
        labels: Sequence[str],
        ids: Sequence[int],
        ends: float | None,
    ) -> LabelScores:
        def ask(index: int) -> object:
            body = self._body(conversations[index], 1)
            body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
            return self._post("/chat/completions", body, ends)

        answers = dict(self._in_threads(ask, len(conversations), ends))
        tokens = {label: label for label in labels}
        read = [read_labels(read_choices(answers[i], 1)[0], tokens) for i in range(len(answers))]
        usage = [read_usage(answer) for answer in answers.values()]
        return LabelScores(
            tuple(row for row, _ in read),
            sum(prompt for prompt, _ in usage),
            sum(completion for _, completion in usage),
            sum(count for _, count in read),
        )

    def _label_ids(self, labels: Sequence[str], ends: float | None) -> list[int]:
        """Token ids of the labels; empty when the server is not a vLLM with a tokenizer route."""
        if not self._on_vllm():
            return []
        for label in labels:
            if label not in self._token_ids:
                body = {"model": self._model, "prompt": label, "add_special_tokens": False}
                try:
                    answer = self._post(
                        f"{self._base_url.removesuffix('/v1')}/tokenize", body, ends
                    )
                except ModelUnavailable as error:
                    if isinstance(error.__cause__, openai.NotFoundError):
                        self._is_vllm = False  # an old one, or a proxy that shows only /v1
                        return []
                    raise
                found = answer.get("tokens") if isinstance(answer, dict) else None
                if not isinstance(found, list) or not found or not isinstance(found[0], int):
                    raise ModelOutputError(
                        f"the model server at {self._base_url} does not count tokens: "
                        f"{str(answer)[:120]!r}"
                    )
                if len(found) != 1:
                    raise InvalidInput(
                        f"label {label!r} is not one token for {self._model}",
                        "use labels that are single tokens, such as yes and no",
                    )
                self._token_ids[label] = found[0]
        return [self._token_ids[label] for label in labels]

    def _on_vllm(self) -> bool:
        """Whether the server says it is vLLM; asked once."""
        with self._lock:
            if self._is_vllm is None:
                answer = self._send("GET", "/models", None, None)
                rows = answer.get("data") if isinstance(answer, dict) else None
                first = rows[0] if isinstance(rows, list) and rows else None
                self._is_vllm = isinstance(first, dict) and first.get("owned_by") == "vllm"
            return self._is_vllm

    def _in_threads(
        self, ask: Callable[[int], Answered], count: int, ends: float | None
    ) -> Iterator[tuple[int, Answered]]:
        return in_threads(ask, count, parallel=self._parallel, ends=ends)

    def _post(self, path: str, body: Body, ends: float | None) -> object:
        return self._send("POST", path, body, ends)

    def _send(self, method: str, path: str, body: Body | None, ends: float | None) -> object:
        """One request; only a connection that was never made is tried again."""
        for attempt in range(_CONNECT_TRIES):
            left = self._timeout if ends is None else ends - time.monotonic()
            if left <= 0:
                raise ModelTimeout("no time was left to ask the model", "raise the deadline")
            timeout = openai.Timeout(left, connect=min(left, _CONNECT_SECONDS))
            try:
                if method == "GET":
                    return self._client.get(path, cast_to=object, options={"timeout": timeout})
                return self._client.post(
                    path, cast_to=object, body=body, options={"timeout": timeout}
                )
            except openai.OpenAIError as error:
                if attempt + 1 < _CONNECT_TRIES and _never_connected(error):
                    time.sleep(0.2 * (attempt + 1))
                    continue
                raise mapped_error(error, self._base_url, self._api_key) from error
            except ValueError as error:  # rubbish where JSON was announced
                raise ModelOutputError(
                    f"the model server at {self._base_url} answered rubbish: {error}",
                    "check that llm.base_url is an OpenAI-compatible server",
                ) from error
        raise AssertionError("the last attempt returns or raises")


def _never_connected(error: openai.OpenAIError) -> bool:
    """Whether the request cannot have reached the server."""
    return (
        isinstance(error, openai.APIConnectionError)
        and type(error.__cause__).__name__ == "ConnectError"
    )


def _data_url(path: Path) -> str:
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_IMAGE_BYTES else b""
    except OSError as error:
        raise InvalidInput(f"the picture {path} cannot be read: {error.strerror}") from error
    if size > MAX_IMAGE_BYTES:
        raise InvalidInput(
            f"the picture {path} has {size >> 20} MiB", f"at most {MAX_IMAGE_BYTES >> 20} are sent"
        )
    kind = next((name for magic, name in _PICTURES.items() if data.startswith(magic)), None)
    if kind is None:
        raise InvalidInput(f"{path} is no PNG, JPEG, GIF or WebP picture")
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
