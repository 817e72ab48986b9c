"""Many questions at once: order, errors, deadlines."""

import threading
import time

import pytest

from agent.parallel import in_threads
from retrieval.errors import ModelTimeout


def test_every_answer_comes_once_with_its_index() -> None:
    assert sorted(in_threads(lambda i: i * i, 50, parallel=7, ends=None)) == [
        (i, i * i) for i in range(50)
    ]


def test_an_answer_may_be_none() -> None:
    assert list(in_threads(lambda i: None, 1, parallel=3, ends=None)) == [(0, None)]


def test_no_questions_give_nothing() -> None:
    assert list(in_threads(lambda i: i, 0, parallel=3, ends=None)) == []


def test_an_error_stops_new_questions_but_not_those_under_way() -> None:
    asked: list[int] = []
    failed = threading.Event()

    def ask(index: int) -> int:
        asked.append(index)
        if index == 0:
            failed.set()
            raise ValueError("first")
        failed.wait(5)
        time.sleep(0.1)
        return index

    answers: list[tuple[int, int]] = []

    def collect() -> None:
        for answer in in_threads(ask, 100, parallel=2, ends=None):
            answers.append(answer)

    with pytest.raises(ValueError, match="first"):
        collect()
    assert len(asked) <= 2
    assert answers == [(index, index) for index in asked if index]


def test_the_deadline_does_not_wait_for_a_question_that_hangs() -> None:
    release = threading.Event()
    began = time.monotonic()
    with pytest.raises(ModelTimeout, match="0 of 1"):
        list(in_threads(lambda i: release.wait(20), 1, parallel=1, ends=began + 0.05))
    assert time.monotonic() - began < 3
    release.set()


def test_walking_away_stops_new_questions() -> None:
    asked: list[int] = []

    def ask(index: int) -> int:
        asked.append(index)
        time.sleep(0.01)
        return index

    answers = in_threads(ask, 1000, parallel=2, ends=None)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    time.sleep(0.1)
    assert len(asked) < 10
