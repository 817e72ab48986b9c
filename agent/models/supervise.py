"""Runs a command for as long as somebody holds the other end of standard input.

    python -m agent.models.supervise COMMAND ARGUMENT…

The parent keeps a pipe open. When it closes it, or dies in whatever way (``kill -9``
included), this process ends the command and everything that the command started. It is the
leader of a session of its own, so that the whole group can be addressed at once and Ctrl-C in
a terminal reaches only the parent, which decides. Should this process itself be killed,
``PR_SET_PDEATHSIG`` (Linux) ends the command.

Exit code: the command's; 128 + signal when a signal ended it. Imports only the standard
library: it stays resident for as long as the server does.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

GRACE_SECONDS = 12.0
_PR_SET_PDEATHSIG = 1


def supervise(command: list[str]) -> int:
    """Run ``command`` until it ends, standard input closes or a signal asks for the end."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _ask_to_end)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)
    try:
        while process.poll() is None:
            readable, _, _ = select.select([0], [], [], 0.5)
            if readable and os.read(0, 4096) == b"":
                break
    except SystemExit:
        pass
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _end(process)
    code = process.returncode
    return code if code >= 0 else 128 - code


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the command, patience, then SIGKILL to what is left of the group but us."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    deadline = time.monotonic() + 2.0
    while (left := _rest_of_group()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _rest_of_group() -> list[int]:
    """Living processes of our session except ourselves; empty where /proc is missing."""
    own, found = os.getsid(0), []
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                with contextlib.suppress(OSError):
                    if os.getsid(int(name)) == own and not _is_zombie(int(name)):
                        found.append(int(name))
    return found


def _is_zombie(pid: int) -> bool:
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"


def _ask_to_end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:]))
