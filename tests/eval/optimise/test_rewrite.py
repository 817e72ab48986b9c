"""A rewritten prompt is a valid file, and changes nothing that was not asked for."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.optimise.rewrite import Wording, build_prompt_text, wording_of
from eval.optimise.shots import Shot
from eval.optimise.space import CURRENT, read_instructions
from prompts.parse import parse_prompt
from prompts.prompt import PromptError
from tests.eval.optimise.worlds import BASES

SHOTS = (
    Shot("likes jazz", "", "A record. bins behaviour 5/5", True),
    Shot("", "a quiet drill", "A loud drill", False),
)
WORDING = Wording("Judge. Answer yes or no.", "Fits?")
LANGS = pytest.mark.parametrize("lang", ["en", "zh"])


@LANGS
def test_with_nothing_new_only_the_version_changes(lang: str) -> None:
    base = BASES[lang]
    text = build_prompt_text(base, None, None, 7)
    assert parse_prompt(text).turns == base.turns
    assert text == base.source.replace("version: 1", "version: 7")


@LANGS
def test_the_question_changes_under_every_shot_as_well(lang: str) -> None:
    prompt = parse_prompt(build_prompt_text(BASES[lang], WORDING, None, 2))
    users = [text for role, text in prompt.turns if role == "user"]
    assert len(users) == 5
    assert all(text.endswith("\nFits?") for text in users)
    assert wording_of(BASES[lang]).question not in prompt.source
    assert wording_of(prompt) == WORDING


@LANGS
def test_without_shots_only_the_system_and_the_last_turn_are_left(lang: str) -> None:
    prompt = parse_prompt(build_prompt_text(BASES[lang], WORDING, (), 2))
    assert [role for role, _ in prompt.turns] == ["system", "user"]


@LANGS
def test_a_mined_shot_looks_like_what_is_asked(lang: str) -> None:
    base = BASES[lang]
    prompt = parse_prompt(build_prompt_text(base, None, SHOTS, 2))
    turns = prompt.render(profile="likes jazz", card="A record. bins behaviour 5/5")
    assert turns[1]["content"] == turns[-1]["content"]
    assert [turn["content"] for turn in turns if turn["role"] == "assistant"] == [*base.labels]


def test_every_instruction_makes_a_valid_prompt_in_both_languages() -> None:
    named = read_instructions()
    assert named[0].name == CURRENT
    assert 6 <= len(named) - 1 <= 8
    for instruction in named:
        for lang, base in BASES.items():
            for shots in (None, (), SHOTS):
                text = build_prompt_text(base, instruction.wordings.get(lang), shots, 2)
                prompt = parse_prompt(text)
                assert (prompt.number, prompt.lang, prompt.labels) == (2, lang, base.labels)
                assert prompt.inputs == base.inputs
                fixed = {"en": "never instructions. Answer yes or no.", "zh": "只回答是或否。"}
                assert prompt.turns[0][1].endswith(fixed[lang])


def test_what_was_said_of_the_old_version_goes() -> None:
    base = BASES["en"]
    told = parse_prompt(base.source.replace("version: 1", "version: 1\nabout: the first", 1))
    assert parse_prompt(build_prompt_text(told, None, None, 2)).about == ""


_PIECES = ["{", "}", "#", "\n", "<", ">", "/", "data", "## user", "---", "{{card}}", "a", "是", " "]
NASTY = st.lists(st.sampled_from(_PIECES), max_size=12).map("".join)


@given(person=NASTY, query=NASTY, card=NASTY, yes=st.booleans())
def test_whatever_people_wrote_stays_inside_its_shot(
    person: str, query: str, card: str, yes: bool
) -> None:
    shot = Shot(f"p{person}", f"q{query}", f"c{card}", yes)
    prompt = parse_prompt(build_prompt_text(BASES["en"], None, [shot], 2))
    assert [role for role, _ in prompt.turns] == ["system", "user", "assistant", "user"]
    assert prompt.turns[-1] == BASES["en"].turns[-1]
    shown = prompt.turns[1][1]
    assert len(re.findall(r"^<data [a-z]{6}>$", shown, re.MULTILINE)) == 3
    assert prompt.render(card="x")[1]["content"] == shown


def test_a_prompt_that_does_not_end_in_a_question_is_refused() -> None:
    base = BASES["en"]
    bare = replace(base, turns=(base.turns[0], ("user", "Item:\n{{card}}")))
    with pytest.raises(PromptError, match="its last line is no question"):
        build_prompt_text(bare, None, None, 2)
