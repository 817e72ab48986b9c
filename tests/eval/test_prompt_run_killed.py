"""kill -9 in the middle of a real ``palate eval run`` that asks a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.scripted import data_blocks
from eval.answers.cassette import Cassette
from eval.prompt_config import read_prompt_config
from eval.prompt_run import run_prompts
from tests.agent.fake_openai import FakeOpenAI, Json, running
from tests.eval.runs.worlds import (
    CANDIDATES,
    Watcher,
    logprobs,
    questions,
    reads,
    record_of,
    write_config,
)

COUNT = 15
CALLS = 2 * COUNT  # with the control
LABELS = "/v1/chat/completions/batch"


class Server(FakeOpenAI):
    """Judges as ``reads`` does; keeps the bodies of its judgements."""

    def first_token(self, body: Json, text: str) -> Json:
        blocks = data_blocks(text)
        row = logprobs(reads(blocks) if blocks else 1.0, ("yes", "no"))
        assert row is not None
        ids = {"yes": 10, "no": 11}
        top = [{"token": f"token_id:{ids[word]}", "logprob": value} for word, value in row.items()]
        return {"token": "yes", "logprob": -3.0, "top_logprobs": top}

    @property
    def judged(self) -> list[str]:
        with self.lock:
            found = [body for path, body, _ in self.requests if path == LABELS]
        return [json.dumps(body) for body in found if len(body["messages"]) == CANDIDATES]


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Server(vllm=True)) as fake:
        assert isinstance(fake, Server)
        fake.delay = lambda body: 0.1 if isinstance(body.get("messages"), list) else 0.0
        yield fake


def start(folder: Path, runs: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "server.cli.main", "eval", "run", "c.toml", "--runs", runs],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


def figures(record: dict[str, Any]) -> list[dict[str, Any]]:
    """What is no time and no count of replays."""
    return [
        {name: value for name, value in one.items() if name != "cost"}
        | {"tokens": one["cost"]["tokens_per_query"]}
        for one in record["systems"]
    ]


def test_after_kill_9_a_second_run_finds_the_same_and_repeats_no_call(
    tmp_path: Path, server: Server
) -> None:
    model = f'model = "fake"\nbase_url = "{server.base_url}"'
    path = write_config(tmp_path, questions(COUNT), model=model)
    with start(tmp_path, "runs") as process:
        try:
            while process.poll() is None and len(server.judged) < CALLS // 2:
                time.sleep(0.01)
        finally:
            process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it finished before it could be killed"
    time.sleep(0.2)  # what was under way is answered to nobody
    before = len(server.judged)
    assert CALLS // 2 <= before < CALLS
    recorded = len(Cassette(tmp_path / "runs" / "answers" / "fake.jsonl"))
    assert recorded in (before * CANDIDATES, (before - 1) * CANDIDATES)

    with start(tmp_path, "runs") as process:
        output = process.communicate()[0]
    assert process.returncode == 0, output
    times = Counter(server.judged)
    assert len(times) == CALLS
    twice = [body for body, count in times.items() if count > 1]
    assert len(twice) == (recorded < before * CANDIDATES)
    assert sum(times.values()) == CALLS + len(twice)

    server.delay = lambda body: 0.0
    run_prompts(read_prompt_config(path), tmp_path / "whole", Watcher())
    ours, whole = record_of(tmp_path / "runs"), record_of(tmp_path / "whole")
    assert figures(ours) == figures(whole)
    assert ours["verdict"] == whole["verdict"] == "passed"
    cost = next(one["cost"] for one in ours["systems"] if one["name"] == "v1|m|0")
    assert cost["asked"] + cost["replayed"] == COUNT * CANDIDATES
    assert 0 < cost["replayed"] < COUNT * CANDIDATES
