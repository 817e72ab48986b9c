"""Running a peer as a program: what it wrote, and every way in which it can fail."""

import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from eval.bench.peers.environment import default_folder, python_of
from eval.bench.peers.exchange import Log, Question, Shape
from eval.bench.peers.runner import LOG, PeerAnswer, run_peer
from retrieval.errors import InvalidInput, NotFound

FAKE = """
import json, os, sys, time
import numpy as np
from pathlib import Path
asked, answered = map(Path, sys.argv[-2:])
def answer(scores, report={"valid_ndcg": 0.5}):
    np.save(answered / "scores.npy", scores)
    (answered / "report.json").write_text(json.dumps(report))
scores = np.ones((2, 3), dtype=np.float32)
"""


class Notes:
    """Remembers what a person would see."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def start(self, stage: str, total: int | None) -> None:
        self.lines.append(stage)

    def advance(self, n: int = 1) -> None:
        """Quiet."""

    def note(self, text: str) -> None:
        self.lines.append(text)


def question(users: int = 2, items: int = 3) -> Question:
    log = Log(np.array([0, 1]), np.array([0, 1]), np.ones(2), np.array([1.0, 2.0]))
    return Question(Shape(users, items, trials=1, seconds=1), log, log, np.arange(users))


def run(folder: Path, body: str, timeout: float = 30) -> tuple[PeerAnswer, Notes]:
    script, notes = folder / "fake.py", Notes()
    script.write_text(FAKE + textwrap.dedent(body))
    python = Path(sys.executable)
    answer = run_peer(
        "als", question(), folder, python, notes, timeout=timeout, program=[str(script)]
    )
    return answer, notes


def test_an_answer_is_read_and_the_peers_notes_are_passed_on(tmp_path: Path) -> None:
    answer, notes = run(
        tmp_path,
        """
        sys.stderr.write("chatter\\npeer: trial 0: NDCG@10 0.5\\n")
        answer(scores)
        """,
    )
    assert answer.scores.shape == (2, 3)
    assert answer.report["valid_ndcg"] == 0.5
    assert notes.lines == [
        "peer als of implicit",
        "trial 0: NDCG@10 0.5",
        "als: NDCG@10 0.5000 on T2",
    ]
    assert "chatter" in (tmp_path / LOG).read_text()


def test_a_peer_sees_its_threads_and_nothing_of_palate_but_eval(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
        assert os.environ["OMP_NUM_THREADS"] == "1" and "retrieval" not in os.listdir()
        import eval.bench.peers.metric
        answer(scores)
        """,
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise RuntimeError('no more memory')", "(?s)ended with status 1.*no more memory"),
        ("os.kill(os.getpid(), 9)", "killed by signal 9"),
        ("pass", "wrote no answer"),
        ("answer(scores, {})", "wrote no answer"),
        ("answer(scores, [])", "wrote no answer"),
        ("answer(scores[:1])", r"shape \(1, 3\)"),
        ("answer(scores.astype(float))", "float64"),
        ("answer(scores * np.nan)", "not a finite number"),
    ],
)
def test_a_peer_that_fails_is_named_with_what_it_said(
    tmp_path: Path, body: str, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        run(tmp_path, body)
    assert caught.value.message.startswith("peer als")
    assert str(tmp_path / LOG) in caught.value.hint


def test_a_peer_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidInput, match=r"(?s)took longer than 1 s.*begun"):
        run(tmp_path, "sys.stderr.write('begun'); sys.stderr.flush(); time.sleep(60)", timeout=1)
    assert time.monotonic() - started < 20


def test_an_old_answer_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    run(tmp_path, "answer(scores)")
    with pytest.raises(InvalidInput, match="wrote no answer"):
        run(tmp_path, "pass")


def test_an_unknown_peer_and_a_missing_interpreter_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no peer 'svd'"):
        run_peer("svd", question(), tmp_path, Path(sys.executable), Notes(), timeout=1)
    with pytest.raises(NotFound, match="als cannot be started"):
        run_peer("als", question(), tmp_path, tmp_path / "python", Notes(), timeout=1)


@pytest.mark.skipif(
    python_of(default_folder("implicit")) is None,
    reason="the environment of the implicit peers is not made on this machine",
)
def test_a_real_peer_answers_in_its_own_environment(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(30), 6)
    items = (users % 3) * 5 + rng.integers(0, 5, len(users))
    at = np.arange(len(users), dtype=float)
    log = Log(users, items, np.ones(len(users)), at)
    asked = Question(Shape(31, 16, trials=2, seconds=5), log, log, np.arange(31))
    new = Log(users[::6], (users[::6] % 3) * 5 + 4, np.ones(30), at[::6] + 999)
    asked = Question(asked.shape, log, new, asked.targets)
    python = python_of(default_folder("implicit"))
    assert python is not None
    answer = run_peer("als", asked, tmp_path, python, Notes(), timeout=120)
    assert answer.report["trials"] == 2
    assert answer.scores[30].tolist() == [0.0] * 16, "a user without a history"
    assert (answer.scores[:30, 15] == answer.scores[:30].min(axis=1)).all(), "an item nobody took"
