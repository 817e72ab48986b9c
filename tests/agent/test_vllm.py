"""The adapter against a server of this process: batches, deadlines, bad days."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import openai
import openai.lib.azure
import pytest

from agent.ports import Generation, Message, ModelInfo
from agent.vllm import OpenAICompatibleModel
from agent.vllm_errors import MAPPED, mapped_error
from retrieval.errors import (
    ContextOverflow,
    InvalidInput,
    ModelOutputError,
    ModelTimeout,
    ModelUnavailable,
    PalateError,
)
from tests.agent.fake_openai import FakeOpenAI, running

SECRET = "sk-very-secret-123"


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


ADAPTERS: dict[object, OpenAICompatibleModel] = {}


def adapter(
    fake: FakeOpenAI,
    *,
    parallel: int = 8,
    timeout: float = 10.0,
    vision: bool = False,
    fresh: bool = False,
) -> OpenAICompatibleModel:
    """One per server and shape: making the SDK's client loads certificates, which is slow."""
    key = (fake.base_url, parallel, timeout, vision)
    if key not in ADAPTERS or fresh:
        info = ModelInfo("fake", "small", 2048, vision)
        ADAPTERS[key] = OpenAICompatibleModel(
            fake.base_url, "fake", api_key=SECRET, info=info, timeout=timeout, parallel=parallel
        )
    return ADAPTERS[key]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[FakeOpenAI, FakeOpenAI]]:
    with running(FakeOpenAI(vllm=True)) as vllm, running(FakeOpenAI(vllm=False)) as other:
        yield vllm, other
    for model in ADAPTERS.values():
        model.close()


@pytest.fixture
def vllm(servers: tuple[FakeOpenAI, FakeOpenAI]) -> FakeOpenAI:
    servers[0].reset()
    return servers[0]


@pytest.fixture
def other(servers: tuple[FakeOpenAI, FakeOpenAI]) -> FakeOpenAI:
    servers[1].reset()
    return servers[1]


def test_answers_come_in_order_however_late_each_is(vllm: FakeOpenAI) -> None:
    vllm.delay = lambda body: 0.2 if "slow" in str(body) else 0.0
    told: list[int] = []
    answers = adapter(vllm).generate(
        [user("slow"), user("b"), user("c")], max_tokens=5, done=lambda i, _: told.append(i)
    )
    assert [answer.text for answer in answers] == ["echo slow", "echo b", "echo c"]
    assert sorted(told) == [0, 1, 2]
    assert told[-1] == 0
    assert (answers[0].prompt_tokens, answers[0].completion_tokens) == (7, 1)


def test_no_more_conversations_than_allowed_are_under_way(vllm: FakeOpenAI) -> None:
    vllm.delay = lambda body: 0.03
    adapter(vllm, parallel=3).generate([user(str(i)) for i in range(12)], max_tokens=5)
    assert vllm.most_at_once == 3


def test_nothing_asked_is_nothing_sent(vllm: FakeOpenAI) -> None:
    model = adapter(vllm)
    assert model.generate([], max_tokens=5) == []
    assert model.label_logprobs([], ["yes", "no"]).logprobs == ()
    assert vllm.requests == []


def test_temperature_is_zero_and_thinking_is_off_where_the_server_is_vllm(
    vllm: FakeOpenAI, other: FakeOpenAI
) -> None:
    for fake in (vllm, other):
        adapter(fake).generate([user("a")], max_tokens=5, stop=["\n"])
    body = vllm.requests[-1][1]
    assert (body["temperature"], body["max_tokens"], body["stop"]) == (0.0, 5, ["\n"])
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert "chat_template_kwargs" not in other.requests[-1][1]


def test_a_deadline_ends_the_call_and_keeps_what_was_done(vllm: FakeOpenAI) -> None:
    vllm.delay = lambda body: 5.0 if "slow" in str(body) else 0.0
    done: list[int] = []
    began = time.monotonic()
    with pytest.raises(ModelTimeout, match="1 of 2"):
        adapter(vllm).generate(
            [user("quick"), user("slow")],
            max_tokens=5,
            deadline=0.4,
            done=lambda i, _: done.append(i),
        )
    assert time.monotonic() - began < 2.0
    assert done == [0]


def test_after_an_error_no_new_conversation_begins(vllm: FakeOpenAI) -> None:
    vllm.status = 500
    with pytest.raises(ModelUnavailable, match="told to fail"):
        adapter(vllm, parallel=2).generate([user(str(i)) for i in range(50)], max_tokens=5)
    assert vllm.paths.count("/v1/chat/completions") <= 4


def test_an_error_of_the_listener_is_not_swallowed(vllm: FakeOpenAI) -> None:
    def full(index: int, answer: Generation) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        adapter(vllm).generate([user("a"), user("b")], max_tokens=5, done=full)


def test_labels_of_a_vllm_come_from_one_call_in_order(vllm: FakeOpenAI) -> None:
    scores = adapter(vllm).label_logprobs([user(str(i)) for i in range(5)], ["no", "yes"])
    assert scores.logprobs == ({"no": -1.9, "yes": -0.2},) * 5
    assert scores.missing == 0
    assert scores.prompt_tokens == 35
    assert vllm.paths.count("/v1/chat/completions/batch") == 1
    body = vllm.requests[-1][1]
    assert body["logprob_token_ids"] == [11, 10]
    assert "prompt_logprobs" not in body


def test_label_token_ids_are_asked_for_once(vllm: FakeOpenAI) -> None:
    model = adapter(vllm, fresh=True)
    for _ in range(3):
        model.label_logprobs([user("a")], ["yes", "no"])
    assert vllm.paths.count("/tokenize") == 2


def test_a_label_of_several_tokens_is_refused(vllm: FakeOpenAI) -> None:
    with pytest.raises(InvalidInput, match="'wubblefk' is not one token"):
        adapter(vllm).label_logprobs([user("a")], ["yes", "wubblefk"])


@pytest.mark.parametrize("labels", [[], ["yes"], ["yes", "yes"]])
def test_fewer_than_two_labels_are_refused(vllm: FakeOpenAI, labels: list[str]) -> None:
    with pytest.raises(InvalidInput, match="two or more different"):
        adapter(vllm).label_logprobs([user("a")], labels)


def test_labels_of_any_other_server_come_from_its_top_tokens(other: FakeOpenAI) -> None:
    scores = adapter(other).label_logprobs([user("a"), user("b")], ["yes", "no"])
    assert scores.logprobs == ({"yes": -0.2, "no": -1.9},) * 2
    assert other.paths.count("/v1/chat/completions") == 2
    assert other.requests[-1][1]["top_logprobs"] == 20


def test_a_label_outside_the_top_tokens_is_counted_and_lies_below_all_of_them(
    other: FakeOpenAI,
) -> None:
    del other.labels["no"]
    scores = adapter(other).label_logprobs([user("a")], ["yes", "no"])
    assert scores.missing == 1
    assert scores.logprobs == ({"yes": -0.2, "no": -5.0},)


def test_a_prompt_without_logprobs_is_none_and_not_zero(other: FakeOpenAI) -> None:
    other.token = {"token": "x", "logprob": None}
    assert adapter(other).label_logprobs([user("a")], ["yes", "no"]).logprobs == (None,)


def test_a_vllm_without_tokenizer_route_is_asked_like_any_other(vllm: FakeOpenAI) -> None:
    vllm.missing_routes.add("/tokenize")
    top = [{"token": "no", "logprob": -2.0}]
    vllm.token = {"token": "yes", "logprob": -0.1, "top_logprobs": top}
    scores = adapter(vllm, fresh=True).label_logprobs([user("a")], ["yes", "no"])
    adapter(vllm, fresh=True)
    assert scores.logprobs == ({"yes": -0.1, "no": -2.0},)


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, ModelUnavailable, "api_key"),
        (403, ModelUnavailable, "api_key"),
        (404, ModelUnavailable, "llm.model"),
        (409, ModelUnavailable, ""),
        (418, ModelUnavailable, ""),
        (422, ModelOutputError, ""),
        (429, ModelUnavailable, "busy"),
        (500, ModelUnavailable, "log"),
        (503, ModelUnavailable, "log"),
    ],
)
def test_every_status_becomes_an_error_of_the_port_and_never_shows_the_key(
    vllm: FakeOpenAI, status: int, error: type[PalateError], words: str
) -> None:
    vllm.status, vllm.body = status, {"error": {"message": f"bad key {SECRET}"}}
    with pytest.raises(error) as caught:
        adapter(vllm).generate([user("a")], max_tokens=5)
    assert type(caught.value) is error
    assert words in caught.value.hint
    assert SECRET not in str(caught.value)
    assert "***" in str(caught.value)


def test_a_failed_request_is_not_sent_again(vllm: FakeOpenAI) -> None:
    vllm.status = 500
    with pytest.raises(ModelUnavailable):
        adapter(vllm).generate([user("a")], max_tokens=5)
    assert vllm.paths.count("/v1/chat/completions") == 1


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 4096 tokens. However, you requested more.",
        "max_tokens=5000 cannot be greater than max_model_len=4096.",
    ],
)
def test_a_prompt_that_is_too_long_is_a_context_overflow(vllm: FakeOpenAI, message: str) -> None:
    vllm.status, vllm.body = 400, {"error": {"message": message}}
    with pytest.raises(ContextOverflow, match="window"):
        adapter(vllm).generate([user("a")], max_tokens=5)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>hello</html>",
        b"null",
        b"[]",
        b'"text"',
        b'{"choices": []}',
        b'{"choices": [1]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": null, "reasoning": "hm"}}]}',
        b'{"choices": [{"index": 3, "message": {"content": "x"}}]}',
        b'{"choices": [{"index": "a", "message": {"content": "x"}}]}',
        b'{"tokens": {}}',
        b"\xff\xfe\x00",
        b'{"choices": ',
    ],
)
def test_rubbish_is_an_output_error(vllm: FakeOpenAI, other: FakeOpenAI, raw: bytes) -> None:
    for fake in (vllm, other):
        fake.raw = raw
        with pytest.raises(ModelOutputError):
            adapter(fake).generate([user("a")], max_tokens=5)
        try:
            scores = adapter(fake).label_logprobs([user("a")], ["yes", "no"])
        except ModelOutputError:
            continue
        assert scores.logprobs == (None,)  # one prompt failed, the call did not


def test_a_server_that_hangs_up_in_the_middle_is_unavailable(vllm: FakeOpenAI) -> None:
    vllm.hang_up = True
    with pytest.raises(ModelUnavailable, match="hung up"):
        adapter(vllm).generate([user("a")], max_tokens=5)


def test_a_server_that_is_not_there_is_unavailable_after_a_few_tries() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    model = OpenAICompatibleModel(
        f"http://127.0.0.1:{port}/v1", "x", info=ModelInfo("x", "small", 512)
    )
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        model.generate([user("a")], max_tokens=5)


def test_a_connection_refused_once_is_tried_again() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    model = OpenAICompatibleModel(
        f"http://127.0.0.1:{port}/v1", "x", info=ModelInfo("x", "small", 512)
    )
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
    answer += b'{"data": []}'

    def late() -> None:
        time.sleep(0.1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.sendall(answer)
        connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    try:
        assert model._on_vllm() is False
    finally:
        thread.join()
        listener.close()
        model.close()


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is no URL"):
        OpenAICompatibleModel("::::bad", "x", info=ModelInfo("x", "small", 512))


PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def test_a_picture_goes_as_a_data_url(other: FakeOpenAI, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    answer = adapter(other, vision=True).describe_image(path, "what?", max_tokens=9)
    assert answer.text == "a picture"
    picture, text = other.requests[-1][1]["messages"][0]["content"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert text["text"] == "what?"


def test_a_model_without_eyes_says_so(other: FakeOpenAI, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="cannot see"):
        adapter(other).describe_image(tmp_path / "a.png", "what?", max_tokens=9)


@pytest.mark.parametrize(("name", "data"), [("missing", None), ("text.png", b"hello")])
def test_what_is_no_picture_is_not_sent(
    other: FakeOpenAI, tmp_path: Path, name: str, data: bytes | None
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InvalidInput, match=name):
        adapter(other, vision=True).describe_image(tmp_path / name, "what?", max_tokens=9)
    assert other.requests == []


def all_exceptions_of_the_sdk() -> set[type[BaseException]]:
    found: set[type[BaseException]] = set()
    todo: list[type[BaseException]] = [openai.OpenAIError]
    while todo:
        kind = todo.pop()
        found.add(kind)
        todo.extend(kind.__subclasses__())
    # What nothing has imported yet is no subclass yet: the public names are fetched.
    found.update(getattr(openai, name) for name in openai.__all__ if name.endswith("Error"))
    return {kind for kind in found if kind.__module__.startswith("openai")}


def test_every_exception_of_the_sdk_is_mapped_by_its_own_name() -> None:
    missing = {kind.__name__ for kind in all_exceptions_of_the_sdk()} - set(MAPPED)
    assert not missing
    assert not set(MAPPED) - {kind.__name__ for kind in all_exceptions_of_the_sdk()}


def test_an_unknown_error_of_the_sdk_is_still_an_error_of_the_port() -> None:
    class Newer(openai.APIStatusError):
        def __init__(self) -> None:
            Exception.__init__(self, "new")

    assert isinstance(mapped_error(Newer(), "here"), ModelUnavailable)
