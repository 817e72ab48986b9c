"""Runs one peer as a program in its library's environment and reads what it wrote.

A peer that fails raises; whoever runs several decides to go on without it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from eval.bench.peers.exchange import REPORT, SCORES, Question, write_question
from retrieval.errors import InvalidInput, NotFound
from retrieval.ports import Progress

SYSTEMS = {
    "als": "implicit",
    "bpr": "implicit",
    "vaecf": "cornac",
    "bivaecf": "cornac",
    "vbpr": "cornac",
    "neumf": "recbole",
    "lightgcn": "recbole",
    "sasrec": "recbole",
}
"""System to the library that it comes from; ``vbpr`` needs image vectors."""

LOG = "peer.log"
_PROGRESS = "peer: "
_LAST_LINES = 15
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class PeerAnswer:
    """What a peer found.

    Attributes:
        scores: float32 (targets, items), finite; mapped from the file, not in memory.
        report: parameters, NDCG@10 on T2, seconds and memory, as in ``exchange``.
    """

    scores: NDArray[np.float32]
    report: dict[str, Any]


def run_peer(
    system: str,
    question: Question,
    folder: Path,
    python: Path,
    progress: Progress,
    *,
    timeout: float,
    program: Sequence[str] | None = None,
) -> PeerAnswer:
    """Tune, train and ask one peer.

    Args:
        system: one of ``SYSTEMS``.
        question: interactions, targets and budget.
        folder: keeps ``question``, ``answer`` and the peer's log.
        python: interpreter of the library's environment.
        progress: sees one stage, and a note for each trial.
        timeout: seconds until the peer is stopped.
        program: what the interpreter runs in place of the library's peer.

    Raises:
        NotFound: no such system, or no such interpreter.
        InvalidInput: the peer failed, took too long, or wrote no usable answer; the message
            ends with the last lines of its log.
    """
    library = SYSTEMS.get(system)
    if library is None:
        raise NotFound(f"no peer {system!r}", f"peers are {', '.join(SYSTEMS)}")
    asked, answered, log = folder / "question", folder / "answer", folder / LOG
    write_question(asked, question)
    answered.mkdir(exist_ok=True)
    for old in (SCORES, REPORT):
        (answered / old).unlink(missing_ok=True)
    progress.start(f"peer {system} of {library}", None)
    with tempfile.TemporaryDirectory(prefix="palate-peer-") as scratch:
        code = Path(scratch)
        # Only ``eval`` is to be seen from there: beside it may lie our own libraries.
        (code / "eval").symlink_to(Path(__file__).parents[2])
        command = [
            str(python.absolute()),
            *(program or ["-m", f"eval.bench.peers.{library}_peer"]),
            *("--system", system, str(asked.absolute()), str(answered.absolute())),
        ]
        _run(system, command, code, question.shape.threads, log, progress, timeout)
    answer = _read(system, answered, (len(question.targets), question.shape.items), log)
    progress.note(f"{system}: NDCG@10 {answer.report['valid_ndcg']:.4f} on T2")
    return answer


def _run(
    system: str,
    command: Sequence[str],
    code: Path,
    threads: int,
    log: Path,
    progress: Progress,
    timeout: float,
) -> None:
    environment = {
        **os.environ,
        **dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), f"{threads}"
        ),
        "PYTHONPATH": str(code),
        "PYTHONNOUSERSITE": "1",
        "PYTHONWARNINGS": "ignore",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLCONFIGDIR": str(code),
    }
    deadline = time.monotonic() + timeout
    with log.open("w", encoding="utf-8") as out, log.open(encoding="utf-8") as written:
        try:
            process = subprocess.Popen(
                command, cwd=code, env=environment, stdout=out, stderr=out, start_new_session=True
            )
        except OSError as error:
            raise NotFound(
                f"peer {system} cannot be started: {error}", "make its environment again"
            ) from error
        with _ended(process):
            while (status := _status(process)) is None:
                _pass_on(written, progress)
                if time.monotonic() > deadline:
                    raise _failed(system, f"took longer than {timeout:.0f} s", log)
            _pass_on(written, progress)
    if status:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        raise _failed(system, how, log)


def _status(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        return None


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever happens, the peer and what it started do not outlive the call."""
    try:
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _pass_on(written: TextIO, progress: Progress) -> None:
    for line in written:
        if line.startswith(_PROGRESS):
            progress.note(line.removeprefix(_PROGRESS).strip())


def _read(system: str, folder: Path, shape: tuple[int, int], log: Path) -> PeerAnswer:
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        scores = np.load(folder / SCORES, mmap_mode="r")
        float(report["valid_ndcg"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _failed(system, f"wrote no answer ({error})", log) from error
    if scores.shape != shape or scores.dtype != np.float32:
        found = f"{scores.dtype} of shape {scores.shape}"
        raise _failed(system, f"wrote scores as {found}, not float32 of shape {shape}", log)
    for start in range(0, len(scores), _BLOCK):
        if not np.isfinite(scores[start : start + _BLOCK]).all():
            raise _failed(system, "wrote a score that is not a finite number", log)
    return PeerAnswer(scores, report)


def _failed(system: str, how: str, log: Path) -> InvalidInput:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    said = "\n".join(lines[-_LAST_LINES:]) or "(nothing)"
    return InvalidInput(f"peer {system} {how}; it said:\n{said}", f"read {log}")
