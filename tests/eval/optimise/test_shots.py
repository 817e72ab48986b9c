"""Mined shots: true answers, other people each, and nobody in them is measured."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from eval.optimise.shots import Mined, mine_shots
from tests.eval.optimise.worlds import questions


@given(count=st.integers(9, 30), half=st.integers(1, 4), seed=st.integers(0, 99))
def test_half_say_yes_and_each_is_about_somebody_else(count: int, half: int, seed: int) -> None:
    asked = questions(count, size=8)
    mined = mine_shots(asked, 2 * half, seed)
    assert sum(shot.yes for shot in mined.shots) == half
    assert len({shot.person for shot in mined.shots}) == 2 * half
    assert all(("wanted" in shot.card) == shot.yes for shot in mined.shots)
    by_person = {one.person_text: one.query_id for one in asked}
    assert mined.used == {by_person[shot.person] for shot in mined.shots}


def test_a_no_comes_from_the_end_of_the_pool() -> None:
    mined = mine_shots(questions(20, size=8), 4, 0)
    numbers = [int(shot.card.split()[1]) for shot in mined.shots if not shot.yes]
    assert min(numbers) >= 6


def test_all_questions_of_a_user_in_a_shot_are_used_up() -> None:
    asked = questions(20)
    twice = [*asked, *(replace(one, query_id=f"{one.query_id}-again") for one in asked)]
    used = mine_shots(twice, 4, 3).used
    assert len(used) == 8
    assert {i.removesuffix("-again") for i in used} == {i for i in used if "-" not in i}


def test_the_same_seed_takes_the_same_shots() -> None:
    assert mine_shots(questions(30), 4, 5) == mine_shots(questions(30), 4, 5)
    assert mine_shots(questions(30), 4, 5) != mine_shots(questions(30), 4, 6)


def test_bins_stand_on_the_same_shots_of_the_other_kind() -> None:
    asked = [
        replace(
            one,
            candidates=tuple(replace(c, bins={"behaviour": "4/5"}) for c in one.candidates),
        )
        for one in questions(10)
    ]
    mined = mine_shots(asked, 2, 0)
    assert [shot.card for shot in mined.with_bins] == [
        f"{shot.card}. behaviour 4/5" for shot in mined.shots
    ]


def test_nobody_known_or_too_few_people_give_no_shots() -> None:
    silent = [replace(one, person_text="") for one in questions(20)]
    assert mine_shots(silent, 4, 0) == Mined()
    assert mine_shots(questions(3), 4, 0) == Mined()
    assert mine_shots(questions(4), 4, 0) == Mined()  # nothing would be left to measure
    assert mine_shots([], 4, 0) == Mined()


def test_every_question_of_a_stranger_stands_for_itself() -> None:
    asked = [replace(one, user_id=None, query_text="a gift") for one in questions(20)]
    assert len(mine_shots(asked, 4, 0).used) == 4
