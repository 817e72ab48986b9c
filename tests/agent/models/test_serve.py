"""Starting and stopping, with a small program in vLLM's place."""

import socket
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from agent.models import machine, serve
from agent.models.registry import ModelEntry, find_model
from agent.models.running import SMALL, TINY
from agent.models.serve import ServePlan, start_server
from retrieval.errors import InvalidInput, ModelUnavailable
from tests.agent.fake_openai import FakeOpenAI, running

READY = """
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        data = json.dumps({"data": [{"id": "toy", "max_model_len": 512}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def log_message(self, *args): pass
print("(APIServer pid=1) INFO 11-24 03:59:44 [core.py:12] init engine took 1.0 s", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
DIES = """
print("(Worker pid=3) INFO 11-24 03:34:26 [x.py:1] Loading weights took 0.40 seconds")
print("Traceback (most recent call last):")
print("(Worker pid=3) ERROR 11-24 03:34:26 [y.py:2] RuntimeError: not enough memory for the cache")
print("resource_tracker: something leaked")
raise SystemExit(1)
"""


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def use(text: str) -> None:
        monkeypatch.setattr(
            serve, "command", lambda e, folder, port, *rest: [sys.executable, "-c", text, str(port)]
        )

    return use


def test_it_is_ready_when_it_lists_the_model_and_gone_when_stopped(
    entry: ModelEntry, program, port: int, tmp_path: Path, told
) -> None:
    program(READY)
    log = tmp_path / "logs" / "s.log"
    with start_server(
        entry, tmp_path, port=port, context_tokens=512, log_path=log, progress=told
    ) as server:
        assert serve.served_models(server.base_url) == {"toy": 512}
        assert server.alive()
    assert not server.alive()
    assert serve.served_models(server.base_url) == {}
    server.stop()  # twice is fine
    assert told.stages == ["starting toy (seconds)"]
    assert told.done == 60
    assert "init engine" in log.read_text()


def test_a_server_that_dies_while_starting_is_quoted(
    entry: ModelEntry, program, port: int, tmp_path: Path, told
) -> None:
    program(DIES)
    with pytest.raises(ModelUnavailable, match="RuntimeError: not enough memory") as caught:
        start_server(
            entry,
            tmp_path,
            port=port,
            context_tokens=512,
            log_path=tmp_path / "s.log",
            progress=told,
        )
    assert "s.log" in caught.value.hint


def test_a_server_that_never_gets_ready_is_stopped(
    entry: ModelEntry, program, port: int, tmp_path: Path, told
) -> None:
    program("import time; print('still loading', flush=True); time.sleep(60)")
    began = time.monotonic()
    with pytest.raises(ModelUnavailable, match="not ready after 1 seconds"):
        start_server(
            entry,
            tmp_path,
            port=port,
            context_tokens=512,
            log_path=tmp_path / "s.log",
            progress=told,
            timeout=1,
        )
    assert time.monotonic() - began < 20


def test_a_port_in_use_says_what_answers_there(entry: ModelEntry, tmp_path: Path, told) -> None:
    def start(port: int) -> None:
        start_server(
            entry,
            tmp_path,
            port=port,
            context_tokens=512,
            log_path=tmp_path / "s.log",
            progress=told,
        )

    with running(FakeOpenAI(vllm=True)) as fake:
        taken = int(fake.base_url.rsplit(":", 1)[1].removesuffix("/v1"))
        with pytest.raises(ModelUnavailable, match=f"port {taken} .* server of fake answers"):
            start(taken)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0)
        taken = listener.getsockname()[1]
        with pytest.raises(ModelUnavailable, match="no model server"):
            start(taken)
    with pytest.raises(InvalidInput, match="port 70000"):
        start(70000)


def test_too_little_memory_names_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 3 * machine.GIB)
    chosen = ServePlan("float32", 2, 11 * machine.GIB, False)
    with pytest.raises(ModelUnavailable, match=r"11\.0 GiB .* 3\.0 GiB are free"):
        serve.check_memory(find_model(SMALL), chosen)


def test_sizes_follow_the_dtype_and_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    monkeypatch.setattr(machine, "cpu_flags", lambda: frozenset({"avx2"}))
    plain = serve.plan(find_model(SMALL), 4096)
    assert plain.dtype == "float32"
    assert 13 * machine.GIB < plain.need_bytes < 15 * machine.GIB
    monkeypatch.setattr(machine, "cpu_flags", lambda: frozenset({"avx512f"}))
    half = serve.plan(find_model(SMALL), 4096)
    assert half.dtype == "bfloat16"
    assert half.need_bytes < plain.need_bytes
    assert serve.plan(find_model(SMALL), 32768 * 8).kv_gib > half.kv_gib
    assert serve.plan(find_model(TINY), 4096).need_bytes < 5 * machine.GIB


def test_flags_keep_everything_on_this_machine(tmp_path: Path) -> None:
    chosen = ServePlan("float32", 2, 0, False)
    words = serve.command(find_model(TINY), tmp_path, 8199, 4096, chosen)
    pairs = dict(pairwise(words))
    assert pairs["--host"] == "127.0.0.1"
    assert pairs["--dtype"] == "float32"
    assert pairs["--block-size"] == "32"
    assert pairs["--max-num-seqs"] == "32"
    assert pairs["--model"] == str(tmp_path.absolute())
    assert {"--enforce-eager", "--enable-prefix-caching"} <= set(words)
    environ = serve.environment(chosen)
    assert environ["VLLM_NO_USAGE_STATS"] == environ["HF_HUB_OFFLINE"] == "1"
    assert environ["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert environ["VLLM_CPU_OMP_THREADS_BIND"] == machine.core_ranges(machine.cores())


def test_the_module_that_serves_exists_where_vllm_is_installed() -> None:
    assert serve._module().startswith("vllm.entrypoints.")


def test_a_log_without_error_gives_its_last_line(tmp_path: Path) -> None:
    log = tmp_path / "s.log"
    assert "cannot be read" in serve.log_reason(log)
    log.write_text("")
    assert serve.log_reason(log) == "it wrote nothing"
    log.write_bytes(b"one\nINFO 11-24 03:34:26 [x.py:1] two\n\n")
    assert serve.log_reason(log) == "two"
