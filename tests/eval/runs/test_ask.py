"""Everybody is asked once under every variant, controls see strangers, early stops stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.scripted import ScriptedModel, data_blocks
from eval.answers.cassette import Cassette
from eval.answers.judge import card_of, judge_question, judged_candidates
from eval.answers.lane import Budget, Lane
from eval.prompt_config import PromptRunConfig
from eval.question import Question
from eval.runs.ask import SHUFFLED, AskedRun, ask_all, shuffled_people
from retrieval.errors import ModelOutputError, ModelUnavailable
from tests.eval.runs.worlds import (
    CANDIDATES,
    RERANK,
    Judge,
    Watcher,
    config,
    lane,
    looks_at_cards,
    questions,
    reads,
    says_nothing,
)

V1 = "v1|m|0"
SEQUENTIAL = {"sequential": True, "block": 10}


def ask(
    wanted: PromptRunConfig,
    asked: Sequence[Question],
    lanes: Mapping[str, Lane] | Lane,
    watcher: Watcher | None = None,
) -> AskedRun:
    by_model = {"m": lanes} if isinstance(lanes, Lane) else lanes
    prompts = {one.name: RERANK for one in wanted.variants}
    return ask_all(wanted, asked, by_model, prompts, watcher or Watcher())


def people_seen(model: Judge) -> set[tuple[str, str]]:
    """(person, card) of every prompt."""
    blocks = [data_blocks(text) for text in model.asked]
    return {(one[0], one[-1]) for one in blocks}


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x", "y", "z"]), st.booleans()),
        max_size=8,
    ),
    st.integers(0, 5),
)
def test_nobody_is_shown_their_own_text_as_a_strangers(
    people: list[tuple[str, str, bool]], seed: int
) -> None:
    base = questions(1)[0]
    asked = [
        replace(base, query_id=f"q{at}", user_id=user, person_text=text, lang="zh" if zh else "en")
        for at, (user, text, zh) in enumerate(people)
    ]
    found = shuffled_people(asked, seed)
    assert found == shuffled_people(asked, seed)
    others = [
        [o for o in asked if o.user_id != q.user_id and o.person_text not in ("", q.person_text)]
        for q in asked
    ]
    assert (found is None) == any(not one for one in others)
    for question, text, its in zip(asked, found or [], others, strict=False):
        same = [one.person_text for one in its if one.lang == question.lang]
        assert text in (same or [one.person_text for one in its])


def test_the_control_asks_about_the_same_cards_for_somebody_else(tmp_path: Path) -> None:
    model = Judge(looks_at_cards)
    asked = questions(6)
    watcher = Watcher()
    run = ask(config(), asked, lane(tmp_path, model), watcher)
    own = {(q.person_text, c.card) for q in asked for c in q.candidates}
    seen = people_seen(model)
    assert own < seen
    strangers = seen - own
    assert len(strangers) == len(own) == 6 * CANDIDATES
    owner = {c.card: q.person_text for q in asked for c in q.candidates}
    assert all(owner[card] != person for person, card in strangers)
    assert model.calls == watcher.done == 12
    assert set(run.answers) == {V1, V1 + SHUFFLED}
    assert not run.incomplete
    assert not run.tests


def test_one_person_alone_has_no_control_and_the_run_says_so(tmp_path: Path) -> None:
    watcher = Watcher()
    run = ask(config(), questions(1), lane(tmp_path, Judge()), watcher)
    assert set(run.answers) == {V1}
    assert any("nobody else has another text" in note for note in watcher.notes)
    without = config(controls={"shuffled_profile": False})
    assert set(ask(without, questions(3), lane(tmp_path, Judge())).answers) == {V1}


def test_every_variant_model_and_seed_is_asked_and_equal_prompts_are_shared(
    tmp_path: Path,
) -> None:
    variants = [
        {"name": "v1", "prompt": "rerank@1", "weight": 1.0},
        {"name": "light", "prompt": "rerank@1", "weight": 0.1},
        {"name": "bins", "prompt": "rerank@1", "bins": True},
    ]
    wanted = config(
        variants=variants,
        models=[{"name": "m"}, {"name": "n"}],
        seeds=[0, 5],
        controls={"shuffled_profile": False},
    )
    m, n = Judge(looks_at_cards, "m"), Judge(looks_at_cards, "n")
    asked = questions(4)
    run = ask(wanted, asked, {"m": lane(tmp_path, m), "n": lane(tmp_path, n)})
    assert list(run.answers) == wanted.system_names()
    assert len(run.answers) == 12
    # v1 and light show the same; bins does not; every seed asks anew.
    assert len(m.asked) == len(n.asked) == 4 * CANDIDATES * 2 * 2
    assert len(set(m.asked)) == 4 * CANDIDATES * 2
    assert any("behaviour 5/5" in text for text in m.asked)
    again = Judge(looks_at_cards, "m")
    ask(wanted, asked, {"m": lane(tmp_path, again), "n": lane(tmp_path, n)})
    assert again.calls == 0


def test_questions_under_way_at_once_give_the_same_answers(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    asked = questions(12)
    one = ask(config(), asked, lane(tmp_path, Judge(reads)))
    many = ask(config(parallel=8), asked, lane(tmp_path / "p", Judge(reads, delay=0.002)))
    for name, answers in one.answers.items():
        assert [a and a.items for a in answers] == [a and a.items for a in many.answers[name]]


def test_who_is_unknown_and_wishes_nothing_is_not_asked_about(tmp_path: Path) -> None:
    model = Judge()
    stranger = replace(questions(1)[0], person_text="", user_id=None)
    on = lane(tmp_path, model)
    answer = judge_question(on, stranger, RERANK, candidates=5)
    assert (answer.items, answer.calls, answer.failed) == ((), 0, 0)
    wishing = replace(stranger, query_text="something word0")
    assert len(judge_question(on, wishing, RERANK, candidates=5).items) == 5
    assert model.calls == 1


def test_only_the_best_with_a_card_are_judged_and_bins_stand_last() -> None:
    question = questions(1)[0]
    bare = replace(question.candidates[1], card="")
    question = replace(
        question, candidates=(question.candidates[0], bare, *question.candidates[2:])
    )
    assert [one.item_id for one in judged_candidates(question, 3)] == ["i0-0", "i0-2"]
    first = question.candidates[0]
    assert card_of(first, bins=True) == f"{first.card}. behaviour 5/5"
    assert card_of(first, bins=False) == first.card
    assert card_of(replace(first, bins={}), bins=True) == first.card


def test_the_budget_ends_the_run_and_what_was_answered_counts(tmp_path: Path) -> None:
    model = Judge(looks_at_cards)
    run = ask(config(), questions(30), lane(tmp_path, model, budget=500))
    assert "of 500 tokens are spent" in run.incomplete
    assert model.calls == 4  # 132 tokens each: the fourth begins with 396 spent
    assert sum(one is not None for one in run.answers[V1]) == 4


def test_a_run_that_met_its_budget_goes_on_with_the_next(tmp_path: Path) -> None:
    calls = 0
    for _ in range(9):
        model = Judge(looks_at_cards)
        run = ask(config(), questions(12), lane(tmp_path, model, budget=500))
        calls += model.calls
        if not run.incomplete:
            break
    assert not run.incomplete
    assert calls == 24


def test_more_failures_than_allowed_end_the_run_with_the_share(tmp_path: Path) -> None:
    def fails(blocks: Sequence[str]) -> float | None:
        return None if int(blocks[-1].split("x")[-1].removeprefix("Thing of word")) % 3 == 0 else 1

    asked = questions(20)
    with pytest.raises(ModelOutputError, match=r"v1\|m\|0: \d+ of 120 judgements failed \(3\d%\)"):
        ask(config(), asked, lane(tmp_path, Judge(fails)))
    run = ask(config(max_failed=0.5), asked, lane(tmp_path, Judge(fails)))
    failed = sum(one.failed for one in run.answers[V1] if one)
    assert failed / (20 * CANDIDATES) == pytest.approx(0.33, abs=0.06)


def test_a_model_that_answers_white_space_is_no_model_that_says_zero(tmp_path: Path) -> None:
    with pytest.raises(ModelOutputError, match="no usable probability of the labels") as caught:
        ask(config(), questions(3), lane(tmp_path, Judge(says_nothing)))
    assert "36 of 36 judgements failed (100%)" in caught.value.message
    assert "max_failed" in caught.value.hint


def test_a_control_that_fails_ends_the_run_as_well(tmp_path: Path) -> None:
    def own_only(blocks: Sequence[str]) -> float | None:
        own = blocks[0].split()[1].removeprefix("word")
        return 1.0 if own in blocks[-1] and f"r{own}x" in blocks[-1] else None

    asked = questions(9)
    allowed = config(max_failed=0.3)
    with pytest.raises(ModelOutputError, match=r"v1\|m\|0~shuffled: .* judgements failed"):
        ask(allowed, asked, lane(tmp_path, Judge(own_only)))


def test_a_call_that_does_not_fit_leaves_s_and_is_counted(tmp_path: Path) -> None:
    asked = questions(12)
    long = replace(asked[3], query_text="far too long a wish " * 40)
    asked[3] = long
    model = ScriptedModel(context_tokens=270)
    on = Lane(model, Cassette(tmp_path / "a.jsonl", model.info), Budget())
    with pytest.raises(ModelOutputError, match="the first: context_overflow"):
        ask(config(), asked, on)
    run = ask(config(max_failed=0.1), asked, on)
    (whole,) = [one for one in run.answers[V1] if one and one.failed_because]
    assert whole.query_id == "q3"
    assert whole.failed == CANDIDATES
    assert all(one.conversation for one in whole.items)


def test_a_model_that_dies_keeps_what_it_answered(tmp_path: Path) -> None:
    dying = ScriptedModel(die_after=5 * CANDIDATES)
    on = Lane(dying, Cassette(tmp_path / "a.jsonl", dying.info), Budget())
    with pytest.raises(ModelUnavailable):
        ask(config(), questions(8), on)
    alive = ScriptedModel()
    ask(config(), questions(8), Lane(alive, Cassette(tmp_path / "a.jsonl", alive.info), Budget()))
    assert alive.calls == 16 - 5


def test_a_decided_variant_is_not_asked_any_more(tmp_path: Path) -> None:
    variants = [
        {"name": name, "prompt": "rerank@1", "weight": weight, "max_rise": 11, "bins": bins}
        for name, weight, bins in (("v1", 2.0, False), ("none", 0.0, True))
    ]
    wanted = config(variants=variants, stats=SEQUENTIAL, controls={"shuffled_profile": False})
    model = Judge(reads)
    run = ask(wanted, questions(80), lane(tmp_path, model))
    test = run.tests[V1]
    assert test.decision == "better"
    assert test.n < 80
    assert test.n % 10 == 0
    assert sum(one is not None for one in run.answers[V1]) == test.n
    assert run.tests["none|m|0"].decision == "undecided"
    assert all(one is not None for one in run.answers["none|m|0"])
    assert model.calls == test.n + 80


def test_early_stops_ask_in_a_shuffled_order(tmp_path: Path) -> None:
    model = Judge(reads)
    wanted = config(stats=SEQUENTIAL, controls={"shuffled_profile": False})
    run = ask(wanted, questions(80), lane(tmp_path, model))
    first = [at for at, one in enumerate(run.answers[V1]) if one is not None]
    assert max(first) > len(first) + 10


def test_what_the_run_cost_is_said_as_it_goes(tmp_path: Path) -> None:
    watcher = Watcher()
    ask(config(), questions(40), lane(tmp_path, Judge(looks_at_cards)), watcher)
    said = [note for note in watcher.notes if "tokens asked for" in note]
    assert said[-1] == "40 of 40 questions; 10,560 tokens asked for so far"
    assert len(said) == 4
