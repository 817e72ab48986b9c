"""The demo's whole path with the network cut: a namespace of its own without any interface up.

What needs a network is done before (``palate llm prepare``); from then on nothing may.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Whoever reaches for the network gets "Network is unreachable"; the probe makes sure of it.
CUT = """
python=$1; shift
"$python" -c 'import socket; socket.create_connection(("192.0.2.1", 80), 2)' 2>/dev/null && exit 99
exec "$python" "$@"
"""


def _can_cut() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        ["unshare", "--net", "--map-root-user", "true"],
        capture_output=True,
        check=False,
    )
    return tried.returncode == 0


def test_the_demo_needs_no_network_once_prepared(tmp_path: Path) -> None:
    if not _can_cut():
        pytest.skip("no network namespaces here: needs unshare")
    palate = [sys.executable, "-m", "server.cli.main"]
    subprocess.run([*palate, "llm", "prepare", "efficientnet-lite0"], check=True, cwd=ROOT)
    done = subprocess.run(
        [
            "unshare", "--net", "--map-root-user", "sh", "-c", CUT, "cut", sys.executable,
            str(ROOT / "demo" / "run.py"), "--once", "--home", str(tmp_path / "home"),
        ],
        cwd=ROOT,
        env=os.environ | {"PALATE_LLM_MODEL": "scripted", "PALATE_RERANK_CANDIDATES": "4"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ranked by fused+llm (") == 3
    assert "reviews: 250 rows, 250 new" in done.stdout
    assert "Traceback" not in done.stderr
