"""The folders that a benchmark and a peer pass to each other."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.bench.peers.exchange import (
    SCORES,
    Log,
    Question,
    Shape,
    read_question,
    write_question,
    write_scores,
)


def log_of(rows: list[tuple[int, int, float, float]]) -> Log:
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Log(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2], table[:, 3])


def columns(log: Log) -> list[list[float]]:
    return [column.tolist() for column in (log.user, log.item, log.value, log.at)]


ROWS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.integers(0, 9),
        st.floats(0.5, 5),
        st.floats(-1e10, 2e10, allow_nan=False),
    ),
    max_size=12,
)


@settings(max_examples=15)
@given(train=ROWS, valid=ROWS, targets=st.lists(st.integers(0, 9), max_size=4))
def test_a_question_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    train: list[tuple[int, int, float, float]],
    valid: list[tuple[int, int, float, float]],
    targets: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("question")
    question = Question(
        Shape(10, 10, seed=3, threads=2, trials=4, seconds=1.5),
        log_of(train),
        log_of(valid),
        np.array(targets, dtype=np.int64),
    )
    write_question(folder, question)
    read = read_question(folder)
    assert read.shape == question.shape
    assert columns(read.train) == columns(question.train)
    assert columns(read.valid) == columns(question.valid)
    assert read.targets.tolist() == targets
    assert read.image_vectors is None


def test_image_vectors_travel_and_do_not_stay_behind(tmp_path: Path) -> None:
    vectors = np.array([[0.5, 1.0], [np.nan, np.nan]], dtype=np.float32)
    log, targets = log_of([(0, 0, 1.0, 2.0)]), np.array([0])
    write_question(tmp_path, Question(Shape(1, 2), log, log, targets, vectors))
    np.testing.assert_array_equal(read_question(tmp_path).image_vectors, vectors)
    write_question(tmp_path, Question(Shape(1, 2), log, log, targets))
    assert read_question(tmp_path).image_vectors is None
    assert not list(tmp_path.glob("*.partial"))


def test_a_log_of_another_format_is_refused(tmp_path: Path) -> None:
    log = log_of([(0, 0, 1.0, 2.0)])
    write_question(tmp_path, Question(Shape(1, 1), log, log, np.array([0])))
    (tmp_path / "valid.csv").write_text("who,what\n0,0\n")
    with pytest.raises(ValueError, match=r"valid\.csv starts with 'who,what'"):
        read_question(tmp_path)


def test_histories_are_in_order_of_time_and_ties_keep_the_order_of_the_log() -> None:
    log = log_of([(1, 7, 1, 5.0), (0, 2, 1, 9.0), (1, 3, 1, 5.0), (0, 4, 1, 1.0), (1, 8, 1, 2.0)])
    assert [items.tolist() for items in log.items_by_user(3)] == [[4, 2], [8, 7, 3], []]


def test_scores_are_written_block_by_block(tmp_path: Path) -> None:
    asked = []

    def scores(users: np.ndarray) -> np.ndarray:
        asked.append(len(users))
        return np.tile(users[:, None], (1, 3)).astype(np.float32)

    write_scores(tmp_path, np.arange(600), 3, scores)
    written = np.load(tmp_path / SCORES)
    assert max(asked) < 600
    assert written.dtype == np.float32
    assert written.tolist() == [[user] * 3 for user in range(600)]
