"""An OpenAI-compatible server of this process: real sockets on localhost, rules for answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


class FakeOpenAI:
    """What it was asked, and how it should answer from now on.

    ``status`` other than 200 is sent with ``body``; ``raw`` replaces every JSON answer;
    ``hang_up`` closes the connection in the middle of an answer; ``delay`` sleeps first.
    """

    def __init__(self, *, vllm: bool) -> None:
        self.says_vllm = vllm
        self.base_url = ""
        self.served = "fake"
        self.lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """As new, at the same address."""
        self.vllm = self.says_vllm
        self.constrains = True
        self.labels: dict[str, float] = {"yes": -0.2, "no": -1.9, "maybe": -4.0}
        self.token: Json | None = None
        self.missing_routes: set[str] = set()
        self.status = 200
        self.body: Json = {"error": {"message": "told to fail"}}
        self.raw: bytes | None = None
        self.hang_up = False
        self.delay: Callable[[Json], float] = lambda body: 0.0
        self.requests: list[tuple[str, Json, dict[str, str]]] = []
        self.at_once = self.most_at_once = 0

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.requests]

    def answer(self, path: str, body: Json) -> tuple[int, object]:
        if path == "/v1/models":
            row: Json = {"id": self.served, "object": "model", "owned_by": "someone"}
            return 200, {
                "data": [row | ({"owned_by": "vllm", "max_model_len": 2048} if self.vllm else {})]
            }
        if self.status != 200:
            return self.status, self.body
        if path in self.missing_routes:
            return 404, {"error": {"message": f"no route {path}"}}
        if path == "/tokenize" and self.vllm:
            ids = {"yes": [10], "no": [11], "maybe": [12]}
            return 200, {"tokens": ids.get(body["prompt"], [1, 2, 3])}
        if path == "/v1/chat/completions/batch" and self.vllm:
            rows = [self.choice(turns, body, at) for at, turns in enumerate(body["messages"])]
            return 200, self.completion(rows[::-1])  # the index counts, not the order
        if path == "/v1/chat/completions":
            return 200, self.completion([self.choice(body["messages"], body, 0)])
        return 404, {"error": {"message": f"no route {path}"}}

    def completion(self, choices: list[Json]) -> Json:
        usage = {"prompt_tokens": 7 * len(choices), "completion_tokens": len(choices)}
        return {"object": "chat.completion", "choices": choices, "usage": usage}

    def choice(self, turns: list[Json], body: Json, index: int) -> Json:
        content = turns[-1]["content"]
        text = f"echo {content}" if isinstance(content, str) else "a picture"
        if self.constrains and "structured_outputs" in body and self.vllm:
            text = body["structured_outputs"]["choice"][0]
        if self.constrains and "response_format" in body:
            schema = body["response_format"]["json_schema"]["schema"]
            text = json.dumps({"choice": schema["properties"]["choice"]["enum"][1]})
        row: Json = {"index": index, "message": {"role": "assistant", "content": text}}
        row["finish_reason"] = "stop"
        if body.get("logprobs"):
            row["logprobs"] = {"content": [self.first_token(body, text)]}
        return row

    def first_token(self, body: Json, text: str) -> Json:
        if self.token is not None:
            return self.token
        ids = {"yes": 10, "no": 11, "maybe": 12}
        wanted = body.get("logprob_token_ids") if self.vllm else None
        top = [
            {"token": f"token_id:{ids[word]}" if wanted else word, "logprob": value}
            for word, value in self.labels.items()
            if wanted is None or ids[word] in wanted
        ]
        return {"token": text.split()[0], "logprob": -3.0, "top_logprobs": top}


@contextmanager
def running(fake: FakeOpenAI) -> Iterator[FakeOpenAI]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.handle_json({})

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            self.handle_json(json.loads(self.rfile.read(size) or b"{}"))

        def handle_json(self, body: Json) -> None:
            with fake.lock:
                fake.requests.append((self.path, body, dict(self.headers)))
                fake.at_once += 1
                fake.most_at_once = max(fake.most_at_once, fake.at_once)
            try:
                time.sleep(fake.delay(body))
                status, answer = fake.answer(self.path, body)
                listing = self.path == "/v1/models"
                data = json.dumps(answer).encode()
                if fake.raw is not None and not listing:
                    data = fake.raw
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if fake.hang_up and not listing:
                    self.wfile.write(data[: len(data) // 2])
                    self.close_connection = True
                    return
                self.wfile.write(data)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client gave up: that is what it is for
            finally:
                with fake.lock:
                    fake.at_once -= 1

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
