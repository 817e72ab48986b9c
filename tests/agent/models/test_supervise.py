"""Nothing that was started outlives its starter."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# A server with a child that ignores SIGTERM, as an engine process might.
FAMILY = """
import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"])
open(sys.argv[1], "w").write(f"{os.getpid()} {child.pid} ")
time.sleep(60)
"""
PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-m", "agent.models.supervise", sys.executable, "-c",
                  sys.argv[1], sys.argv[2]], stdin=subprocess.PIPE, start_new_session=True)
time.sleep(60)
"""


def supervised(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "agent.models.supervise", *command],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def family(path: Path) -> list[int]:
    """Waits until the family has written its process ids."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        if path.exists() and len(pids := path.read_text().split()) == 2:
            return [int(pid) for pid in pids]
        time.sleep(0.02)
    raise AssertionError("the family did not start")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_gone(pids: list[int], seconds: float = 15.0) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and any(alive(pid) for pid in pids):
        time.sleep(0.05)
    return not any(alive(pid) for pid in pids)


def test_closing_the_pipe_ends_everybody_even_who_ignores_sigterm(tmp_path: Path) -> None:
    process = supervised(sys.executable, "-c", FAMILY, str(tmp_path / "pids"))
    pids = family(tmp_path / "pids")
    assert process.stdin is not None
    process.stdin.close()
    process.wait(20)
    assert all_gone(pids)


def test_sigterm_to_the_supervisor_ends_everybody(tmp_path: Path) -> None:
    process = supervised(sys.executable, "-c", FAMILY, str(tmp_path / "pids"))
    pids = family(tmp_path / "pids")
    process.terminate()
    process.wait(20)
    assert all_gone(pids)
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_parent_killed_with_kill_9_takes_everybody_along(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, FAMILY, str(tmp_path / "pids")])
    pids = family(tmp_path / "pids")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(10)
    assert all_gone(pids)


def test_the_command_s_own_end_is_passed_on() -> None:
    process = supervised(sys.executable, "-c", "raise SystemExit(7)")
    assert process.wait(20) == 7
    assert process.stdin is not None
    process.stdin.close()
