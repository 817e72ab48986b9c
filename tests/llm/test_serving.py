"""The real engine does what the adapter, the probe and the re-ranker rely on."""

import contextlib
import math
import os
import signal
import threading
import time

import httpx
import psutil
import pytest

from agent.models.probe import probe
from agent.models.serve import ModelServer, served_models
from agent.ports import Generation, Message
from agent.vllm import OpenAICompatibleModel
from retrieval.errors import ContextOverflow, InvalidInput, ModelTimeout, ModelUnavailable

PREFIX: list[Message] = [
    {"role": "system", "content": "You judge whether a person would like an item. " * 12},
    {"role": "user", "content": "Person: likes coffee. Item: coffee beans."},
    {"role": "assistant", "content": "yes"},
]


def ask(text: str) -> list[Message]:
    return [*PREFIX, {"role": "user", "content": text}]


def user(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def test_the_probe_passes_on_real_constrained_decoding(tiny_model: OpenAICompatibleModel) -> None:
    report = probe(tiny_model)
    assert report.dialect == "structured_outputs"
    assert set(report.labels) == {"yes", "no"}


def test_the_server_says_what_it_serves_and_how_long_a_prompt_may_be(
    tiny_server: ModelServer,
) -> None:
    assert served_models(tiny_server.base_url) == {tiny_server.model: 2048}


def test_labels_of_a_batch_come_in_order_and_equal_those_asked_alone(
    tiny_model: OpenAICompatibleModel,
) -> None:
    cards = [ask(f"Person: likes tea. Item: {word}.") for word in ("tea", "a drum", "mug", "tea")]
    batch = tiny_model.label_logprobs(cards, ["yes", "no"])
    assert len(batch.logprobs) == len(cards)
    assert batch.missing == 0
    assert batch.prompt_tokens > 4 * 100
    for row in batch.logprobs:
        assert row is not None
        assert set(row) == {"yes", "no"}
        assert all(math.isfinite(value) and value < 0 for value in row.values())
        assert sum(math.exp(value) for value in row.values()) <= 1.0
    alone = tiny_model.label_logprobs([cards[1]], ["yes", "no"]).logprobs[0]
    assert alone == pytest.approx(batch.logprobs[1], abs=0.02)
    assert batch.logprobs[0] == pytest.approx(batch.logprobs[3], abs=0.02)
    assert batch.logprobs[0] != pytest.approx(batch.logprobs[1], abs=0.02)


def test_the_order_of_the_labels_does_not_matter(tiny_model: OpenAICompatibleModel) -> None:
    one = tiny_model.label_logprobs([ask("Item: tea.")], ["yes", "no"]).logprobs[0]
    other = tiny_model.label_logprobs([ask("Item: tea.")], ["no", "yes"]).logprobs[0]
    assert one == pytest.approx(other, abs=0.02)


def test_exact_label_values_agree_with_the_top_tokens_that_any_server_sends(
    tiny_server: ModelServer, tiny_model: OpenAICompatibleModel
) -> None:
    body = {
        "model": tiny_server.model,
        "messages": ask("Item: tea."),
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": 20,
    }
    answer = httpx.post(f"{tiny_server.base_url}/chat/completions", json=body, timeout=120).json()
    top = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    exact = tiny_model.label_logprobs([ask("Item: tea.")], ["yes", "no"]).logprobs[0]
    assert exact is not None
    seen = {row["token"]: row["logprob"] for row in top}
    shared = set(seen) & set(exact)
    assert shared
    for label in shared:
        assert exact[label] == pytest.approx(seen[label], abs=0.02)


def test_a_label_of_several_tokens_is_refused(tiny_model: OpenAICompatibleModel) -> None:
    with pytest.raises(InvalidInput, match="not one token"):
        tiny_model.label_logprobs([ask("Item: tea.")], ["yes", "wubblefk"])


def test_prompts_that_share_a_prefix_reuse_it(
    tiny_server: ModelServer, tiny_model: OpenAICompatibleModel
) -> None:
    def hits() -> float:
        text = httpx.get(tiny_server.base_url.removesuffix("/v1") + "/metrics", timeout=30).text
        rows = [line for line in text.splitlines() if "prefix_cache_hits_total{" in line]
        return sum(float(row.rsplit(" ", 1)[1]) for row in rows if "external" not in row)

    before = hits()
    tiny_model.label_logprobs([ask(f"Item {n}.") for n in range(8)], ["yes", "no"])
    assert hits() - before > 7 * 64


def test_generations_come_in_order_and_each_is_told(tiny_model: OpenAICompatibleModel) -> None:
    told: dict[int, Generation] = {}
    answers = tiny_model.generate(
        [user("Say hello."), user("Name a colour."), user("Count to three.")],
        max_tokens=12,
        done=told.__setitem__,
    )
    assert told == dict(enumerate(answers))
    assert all(answer.text.strip() for answer in answers)
    assert all(0 < answer.completion_tokens <= 12 for answer in answers)


def test_a_stop_word_ends_an_answer(tiny_model: OpenAICompatibleModel) -> None:
    answer = tiny_model.generate([user("Count: one, two,")], max_tokens=40, stop=[" "])[0]
    assert " " not in answer.text
    assert answer.finish == "stop"


def test_a_prompt_beyond_the_window_is_an_overflow(tiny_model: OpenAICompatibleModel) -> None:
    with pytest.raises(ContextOverflow):
        tiny_model.generate([user("word " * 4000)], max_tokens=5)
    with pytest.raises(ContextOverflow):
        tiny_model.label_logprobs([user("word " * 4000)], ["yes", "no"])


def test_a_deadline_ends_the_call_and_the_engine_goes_on(
    tiny_model: OpenAICompatibleModel,
) -> None:
    began = time.monotonic()
    with pytest.raises(ModelTimeout):
        tiny_model.generate([user("Tell a long story.")] * 4, max_tokens=1500, deadline=1.0)
    assert time.monotonic() - began < 10
    assert tiny_model.generate([user("Say hello.")], max_tokens=3)[0].text


def test_sigterm_in_the_middle_of_a_request_is_unavailable_and_leaves_no_process(
    doomed_server: ModelServer, tiny_model: OpenAICompatibleModel
) -> None:
    family = [
        process for process in psutil.process_iter() if _session(process.pid) == doomed_server.pid
    ]
    assert len(family) >= 3  # supervisor, API server, engine

    def end() -> None:
        time.sleep(1.0)
        os.kill(doomed_server.pid, signal.SIGTERM)

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(ModelUnavailable):
        tiny_model.generate([user("Tell a long story.")] * 8, max_tokens=1800)
    thread.join()
    doomed_server.wait(40)
    assert not doomed_server.alive()
    _, left = psutil.wait_procs(family, timeout=10)
    assert left == []
    with pytest.raises(ModelUnavailable):
        tiny_model.label_logprobs([ask("Item: tea.")], ["yes", "no"])


def _session(pid: int) -> int:
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return -1
