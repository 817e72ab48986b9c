"""``palate llm`` as a process: what it prints, how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

TINY = "smollm2-135m-instruct"

# The real command, with a few lines of http.server in vLLM's place.
SERVE = f"""
import sys
from pathlib import Path
from agent.models import prepare, serve
SERVER = '''
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{{"data": [{{"id": "{TINY}"}}]}}')
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
'''
serve.command = lambda entry, folder, port, *rest: [sys.executable, "-c", SERVER, str(port)]
prepare.prepared_path = lambda entry, cache: Path(".")
from server.cli.main import main
sys.exit(main(["llm", "serve", "{TINY}", "--port", sys.argv[1]]))
"""


def palate(*arguments: str, cache: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server.cli.main", "llm", *arguments],
        env=os.environ | {"PALATE_LLM_CACHE_DIR": str(cache), "COLUMNS": "200"} | environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_list_shows_every_model_and_whether_it_is_ready(tmp_path: Path) -> None:
    done = palate("list", cache=tmp_path)
    assert done.returncode == 0
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if "Apache-2.0" in line}
    assert {TINY, "qwen2.5-coder-1.5b-instruct", "efficientnet-lite0"} == set(rows)
    assert rows[TINY].split()[-1] == "no"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["prepare", "gpt-7"], 3, "'gpt-7'"),
        (["prepare", TINY, "--file", "nowhere.gguf"], 2, "no file at nowhere.gguf"),
        (["serve", TINY], 6, "is not prepared"),
        (["probe", "--url", "http://127.0.0.1:1/v1"], 6, "http://127.0.0.1:1/v1"),
    ],
)
def test_an_error_is_one_line_and_a_hint(
    tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    done = palate(*arguments, cache=tmp_path)
    assert done.returncode == code
    assert words in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_cleanly_and_takes_its_server_along(tmp_path: Path, number: int) -> None:
    """Also where the shell had it ignore Ctrl-C, as shells do with what runs in the background."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(port)],
        env=os.environ | {"PALATE_LLM_CACHE_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_ignore_ctrl_c,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert f"{TINY} answers at http://127.0.0.1:{port}/v1" in first
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "stopped" in rest
    assert "Traceback" not in errors
    ends = time.monotonic() + 10
    while time.monotonic() < ends and _listens(port):
        time.sleep(0.1)
    assert not _listens(port)


def _ignore_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
