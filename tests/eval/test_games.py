"""LLMRank's files in miniature: which candidates, who is asked, and what broken files say."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest

from eval.games import games_questions
from eval.pools import QuestionSet
from retrieval.errors import InvalidInput, NotFound
from tests.eval.runs.worlds import Watcher

PEOPLE, ITEMS, HISTORY = 40, 30, 7


def history(user: int) -> list[int]:
    return [(user + 3 * step) % ITEMS for step in range(HISTORY)]


def positive(user: int) -> int:
    return (user + 3 * HISTORY) % ITEMS


def listed(user: int) -> list[int]:
    return [(user * 7 + step * 11) % ITEMS for step in range(ITEMS)]


def pack(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode()))


@pytest.fixture
def games(tmp_path: Path) -> Path:
    """As published: a heading in two of the files, ids that are numbers, spaces in lists."""
    titles = "".join(f"{item}\tGame: number {item}\n" for item in range(ITEMS))
    pack(tmp_path / "Games-6k.item.gz", f"item_id:token\ttitle:token_seq\n{titles}")
    rows = "".join(
        f"{user}\t{' '.join(map(str, history(user)))}\t{positive(user)}\n" for user in range(PEOPLE)
    )
    head = "user_id:token\titem_id_list:token_seq\titem_id:token\n"
    pack(tmp_path / "Games-6k.test.inter.gz", head + rows)
    lists = "".join(f"{user}\t{' '.join(map(str, listed(user)))}\n" for user in range(PEOPLE))
    pack(tmp_path / "Games-6k.random.gz", lists)
    return tmp_path


def ask(
    folder: Path, period: str = "test", *, candidates: int = 8, limit: int | None = None,
    seed: int = 0,
) -> QuestionSet:  # fmt: skip
    return games_questions(
        folder, candidates=candidates, limit=limit, period=period, seed=seed, progress=Watcher()
    )


def test_candidates_are_the_first_of_the_list_that_are_not_the_positive_and_it(
    games: Path,
) -> None:
    found = ask(games)
    assert len(found.questions) == PEOPLE // 2
    assert found.catalogue == ITEMS
    for question in found.questions:
        user = int(question.query_id)
        others = [item for item in listed(user) if item != positive(user)][:7]
        ids = {str(item) for item in [*others, positive(user)]}
        assert {one.item_id for one in question.candidates} == ids
        assert question.relevant == {str(positive(user))}
        scores = [one.score for one in question.candidates]
        assert scores == sorted(scores, reverse=True)
        for one in question.candidates:
            assert one.score == math.fsum(one.parts.values())
            assert one.card == f"Game: number {one.item_id}"
            assert set(one.bins) == {"behaviour", "popular"} or one.bins["behaviour"] == "?"
        last = [f"Game: number {item}" for item in history(user)[::-1]]
        assert question.person_text == f"Chose: {'; '.join(last)}"


def test_the_two_periods_are_other_people_and_a_limit_is_counted(games: Path) -> None:
    tune = {one.query_id for one in ask(games, "tune").questions}
    test = {one.query_id for one in ask(games, "test").questions}
    assert not tune & test
    assert tune | test == {str(user) for user in range(PEOPLE)}
    few = ask(games, limit=5)
    assert len(few.questions) == 5
    assert few.left_out == {"over the limit": 15}
    assert {one.query_id for one in few.questions} < test


def test_a_seed_gives_the_same_questions_and_another_gives_others(games: Path) -> None:
    assert ask(games, limit=5) == ask(games, limit=5)
    assert ask(games, limit=5) != ask(games, limit=5, seed=1)


@pytest.mark.parametrize("name", ["item", "random", "test.inter"])
@pytest.mark.parametrize("how", ["missing", "cut", "plain", "flipped", "columns", "empty"])
def test_a_broken_file_is_one_clear_error(games: Path, name: str, how: str) -> None:
    path = games / f"Games-6k.{name}.gz"
    data = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(data[:-20])
    elif how == "plain":
        path.write_text("0\tGame\n")
    elif how == "flipped":
        path.write_bytes(data[:15] + bytes(255 - one for one in data[15:40]) + data[40:])
    elif how == "columns":
        pack(path, gzip.decompress(data).decode() + "only one\n")
    else:
        pack(path, "")
    with pytest.raises(NotFound if how == "missing" else InvalidInput) as caught:
        ask(games)
    assert "Games-6k" in caught.value.message or str(games) in caught.value.message
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_an_id_that_is_no_number_is_said(games: Path) -> None:
    path = games / "Games-6k.item.gz"
    pack(path, gzip.decompress(path.read_bytes()).decode() + "tetris\tTetris\n")
    with pytest.raises(InvalidInput, match="'tetris'"):
        ask(games)
