"""What is searched: every combination once, the prompt in use not among them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.optimise.race import plan_race
from eval.optimise.settings import OptimiseSettings, shots_kinds
from eval.optimise.shots import Mined, mine_shots
from eval.optimise.space import Candidate, build_space, incumbent_of, read_instructions
from retrieval.errors import InvalidInput
from tests.eval.optimise.worlds import BASES, instructions, questions


def space(
    *,
    shots: str = "current,none,mined",
    mined: Mined | None = None,
    bins: tuple[bool, ...] = (False,),
) -> list[Candidate]:
    found = mine_shots(questions(20), 4, 0) if mined is None else mined
    return build_space(
        BASES,
        instructions("alpha"),
        shots=shots_kinds(shots),
        mined={"en": found},
        bins=bins,
        asked=frozenset({"en"}),
        incumbent=incumbent_of(BASES, False),
    )


def test_it_is_every_combination_but_the_prompt_in_use() -> None:
    assert [one.name for one in space()] == [
        "current+none shots",
        "current+mined shots",
        "alpha+current shots",
        "alpha+none shots",
        "alpha+mined shots",
    ]
    assert len(space(bins=(False, True))) == 11


def test_a_language_that_is_not_asked_about_keeps_its_shots() -> None:
    for one in space():
        assert len(one.prompts["zh"].turns) == len(BASES["zh"].turns)
        assert one.prompts["zh"].number == 2


def test_without_mined_shots_the_kind_is_left_out() -> None:
    assert {one.shots for one in space(mined=Mined())} == {"current", "none"}


def test_both_languages_carry_the_counterpart_instruction() -> None:
    alpha = next(one for one in space() if one.name == "alpha+none shots")
    assert alpha.prompt_for("zh").turns[0][1] == "按alpha规则判断。只回答是或否。"
    assert alpha.prompt_for("fr") is alpha.prompt_for("en")


@given(challengers=st.integers(1, 60), count=st.integers(0, 400), finalists=st.integers(1, 5))
def test_a_race_never_uses_more_than_its_share_for_halving(
    challengers: int, count: int, finalists: int
) -> None:
    settings = OptimiseSettings(finalists=finalists)
    try:
        plan = plan_race(challengers, count, settings)
    except InvalidInput:
        return
    assert plan.fresh_from <= settings.search_share * count
    assert plan.survivors[-1] == min(finalists, challengers)
    for before, after in pairwise(plan.survivors):
        assert before > after
        assert after == finalists or after >= before / 2
    assert plan.block >= 5 or len(plan.survivors) == 1


def test_a_file_of_instructions_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for text, said in {
        "x = ": "cannot be read",
        "[always]\nen = 'a'\nzh = 'b'": "instructions: Field required",
        "instructions = []\n[always]\nen = 'a'\nzh = 'b'": "instructions: List should have",
        "[always]\nen = 'a'\n[[instructions]]\nid = 'x'\nabout = ''\n"
        "en = {system = 's', question = 'q'}\nzh = {system = 's', question = 'q'}": "no 'zh'",
        "[always]\nen = 'a'\nzh = 'b'\n[[instructions]]\nid = 'current'\nabout = ''\n"
        "en = {system = 's', question = 'q'}\nzh = {system = 's', question = 'q'}": "'current'",
    }.items():
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InvalidInput, match=said):
            read_instructions(path)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_instructions(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("text", ["", "none,some", ","])
def test_unknown_shots_name_what_there_is(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        shots_kinds(text)
    assert error.value.hint == "choose from current, none, mined"


@pytest.mark.parametrize(
    "wrong",
    [{"price": -1.0}, {"shot_count": 3}, {"probe": 0}, {"search_share": 1.0}, {"weight": 0.0}],
)
def test_settings_that_cannot_be_searched_with_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput):
        OptimiseSettings(**wrong)  # type: ignore[arg-type]
