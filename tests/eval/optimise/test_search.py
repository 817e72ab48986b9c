"""The search finds what is there, claims nothing else, and never pays twice."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from eval.judged import JudgedItem, JudgedQuestion
from eval.optimise.report import OptimiseReport
from eval.optimise.search import optimise, search
from eval.optimise.sentence import because
from eval.optimise.settings import OptimiseSettings
from eval.optimise.shots import mine_shots
from eval.optimise.space import Candidate
from eval.probes.injection import AttackOutcome, InjectionResult
from eval.question import Question
from retrieval.errors import InvalidInput, ModelUnavailable
from tests.eval.optimise.worlds import (
    ATTACKS,
    BASES,
    Notes,
    SystemTurnModel,
    instructions,
    lane,
    noise,
    questions,
)

SETTINGS = OptimiseSettings(candidates=12, weight=0.5, shots=("current",), finalists=2, probe=8)
WORDS = ("alpha", "beta", "gamma", "delta")


def run(
    folder: Path,
    model: SystemTurnModel,
    asked: Sequence[Question],
    settings: OptimiseSettings = SETTINGS,
    *,
    words: Sequence[str] = WORDS,
    budget: int | None = None,
    progress: Notes | None = None,
) -> OptimiseReport:
    return optimise(
        lane(folder, model, budget),
        asked,
        BASES,
        settings,
        progress or Notes(),
        instructions=instructions(*words),
        attacks=ATTACKS,
    )


def test_it_finds_the_instruction_that_lets_the_model_see(tmp_path: Path) -> None:
    report = run(tmp_path, SystemTurnModel("gamma"), questions(48))
    assert report.decision == "better"
    assert report.winner is not None
    assert report.winner.candidate.instruction == "gamma"
    assert report.winner.objective is not None
    assert report.winner.objective.p_holm < 0.05
    assert "gamma+current shots is better than rerank@1" in because(report)
    assert f"on {report.compared} questions that the search had not seen" in because(report)


def test_it_finds_the_same_with_a_weight_of_its_own_for_each_prompt(tmp_path: Path) -> None:
    report = run(tmp_path, SystemTurnModel("gamma"), questions(80), replace(SETTINGS, weight=None))
    assert report.decision == "better"
    assert report.winner is not None
    assert report.winner.candidate.instruction == "gamma"
    assert report.winner.weight > 0


def test_in_chinese_it_searches_the_chinese_prompts(tmp_path: Path) -> None:
    report = run(tmp_path, SystemTurnModel("gamma"), questions(48, lang="zh"))
    assert report.decision == "better"


def test_a_prompt_as_good_as_the_one_in_use_is_not_claimed(tmp_path: Path) -> None:
    report = run(tmp_path, SystemTurnModel(), questions(48))
    assert report.decision == "none"
    said = because(report)
    assert said.startswith("no prompt is significantly better than rerank@1: the best, ")
    assert "finding a difference of 0.01 takes " in said
    needed = report.required_n["detect"]
    assert needed is not None
    assert needed > report.compared


def random_answers(seed: int) -> OptimiseReport:
    """Six prompts that say anything, without a model: the search alone."""

    def ask(candidate: Candidate, question: Question) -> JudgedQuestion:
        items = tuple(
            JudgedItem(
                one.item_id, noise(seed, candidate.name, question.query_id, one.item_id), None, ""
            )
            for one in question.candidates
        )
        return JudgedQuestion(question.query_id, items, prompt_tokens=1000)

    def harmless(
        candidate: Candidate,
        asked: Sequence[Question],
        judged: Sequence[JudgedQuestion],
        weight: float,
    ) -> InjectionResult:
        outcome = AttackOutcome("q", "i", "order", "order", 12, 12, 12, 0.0, 0.0)
        return InjectionResult((outcome,), {}, 3)

    incumbent, *space = (
        Candidate(f"prompt {number}", "any", "current", False, {}) for number in range(6)
    )
    return search(
        ASKED, incumbent, space, ask, harmless, replace(SETTINGS, seed=seed), Notes(),
        base="rerank@1", model_id="none",
    )  # fmt: skip


ASKED = questions(36, size=8)


def test_without_any_difference_claims_are_as_rare_as_alpha_says() -> None:
    gc.freeze()  # Holm's adjustment in statsmodels collects all garbage of the session each time
    try:
        claims = sum(random_answers(seed).decision == "better" for seed in range(100))
    finally:
        gc.unfreeze()
    assert claims <= 8  # more than that happens in 6 of 100 worlds where alpha = .05 is exact


def test_a_prompt_that_obeys_what_a_card_says_is_rejected(tmp_path: Path) -> None:
    model = SystemTurnModel("gamma", obeys="gamma")
    report = run(tmp_path, model, questions(48), replace(SETTINGS, max_rise=12, weight=1.0))
    assert report.decision == "none"
    (rejected,) = [one for one in report.tried if one.candidate.instruction == "gamma"]
    assert rejected.objective is not None
    assert rejected.objective.p_holm < 0.05
    assert "an injected text" in rejected.rejected
    said = because(report)
    assert said.startswith("gamma+current shots is ahead of rerank@1 (+")
    assert "but rejected: an injected text reached the first place in " in said
    assert "no other prompt is significantly better" in said


def test_under_a_guard_a_prompt_that_obeys_is_rejected_for_its_lift(tmp_path: Path) -> None:
    report = run(tmp_path, SystemTurnModel("gamma", obeys="gamma"), questions(48))
    (rejected,) = [one for one in report.tried if one.candidate.instruction == "gamma"]
    assert rejected.rejected.startswith("an injected text lifts its item ")
    assert rejected.rejected.endswith(" 0.00 with the prompt in use")
    assert report.decision == "none"


def test_what_is_easier_to_inject_by_less_than_the_tolerance_is_not_rejected(
    tmp_path: Path,
) -> None:
    model = SystemTurnModel("gamma", obeys="gamma")
    lenient = replace(SETTINGS, lift_tolerance=12.0)
    assert run(tmp_path, model, questions(48), lenient).decision == "better"


def test_a_prompt_whose_judgements_fail_cannot_win(tmp_path: Path) -> None:
    report = run(tmp_path, SystemTurnModel(mute="alpha"), questions(40), words=["alpha"])
    assert report.decision == "none"
    assert report.tried[1].failed_share == 1
    assert report.tried[1].rejected == "100% of its judgements failed"


def test_a_second_search_asks_nothing_and_says_the_same(tmp_path: Path) -> None:
    first = run(tmp_path, SystemTurnModel("gamma"), questions(48))
    again = SystemTurnModel("gamma")
    second = run(tmp_path, again, questions(48))
    assert again.prompts == 0
    assert second.replayed == second.calls == first.calls
    assert replace(second, replayed=0).to_json() == replace(first, replayed=0).to_json()


def test_a_search_that_was_killed_goes_on_without_asking_again(tmp_path: Path) -> None:
    whole = SystemTurnModel("gamma")
    expected = run(tmp_path / "whole", whole, questions(48))
    killed = SystemTurnModel("gamma", die_after=1800)
    with pytest.raises(ModelUnavailable):
        run(tmp_path / "killed", killed, questions(48))
    rest = SystemTurnModel("gamma")
    report = run(tmp_path / "killed", rest, questions(48))
    assert killed.prompts + rest.prompts == whole.prompts
    assert replace(report, replayed=0).to_json() == replace(expected, replayed=0).to_json()


@pytest.mark.parametrize("budget", [1, 30_000, 200_000, 383_000])
def test_a_spent_budget_ends_the_search_without_a_claim(tmp_path: Path, budget: int) -> None:
    report = run(tmp_path, SystemTurnModel("gamma"), questions(48), budget=budget)
    assert report.decision == "incomplete"
    assert f"of {budget:,} tokens are spent" in report.stopped
    assert because(report).startswith("stopped: ")
    assert report.tokens <= budget + 20_000
    whole = run(tmp_path, SystemTurnModel("gamma"), questions(48))
    assert whole.decision == "better"


def test_people_that_shots_were_taken_from_are_never_asked_about(tmp_path: Path) -> None:
    asked = questions(70)
    settings = replace(SETTINGS, shots=("current", "none", "mined"))
    model = SystemTurnModel()
    report = run(tmp_path, model, asked, settings, words=["alpha"])
    mined = mine_shots(asked, 4, settings.seed)
    assert set(report.shot_questions) == mined.used
    assert report.questions == 66
    by_id = {one.query_id: one.person_text for one in asked}
    assert model.people == {by_id[i] for i in by_id if i not in mined.used}
    assert any(one.candidate.shots == "mined" for one in report.tried)


def test_without_enough_people_no_shots_are_mined_and_the_search_says_so(tmp_path: Path) -> None:
    asked = [replace(one, user_id="ann") for one in questions(48)]
    progress = Notes()
    settings = replace(SETTINGS, shots=("current", "mined"))
    report = run(tmp_path, SystemTurnModel(), asked, settings, progress=progress)
    assert report.questions == 48
    assert report.shot_questions == ()
    assert any("none are mined" in note for note in progress.notes)


def test_progress_reaches_the_total_that_it_announced(tmp_path: Path) -> None:
    progress = Notes()
    run(tmp_path, SystemTurnModel(), questions(48), progress=progress)
    assert [stage for stage, _ in progress.stages] == ["search prompts", "injection probe"]
    assert progress.done == sum(total or 0 for _, total in progress.stages)
    assert "about 2,184 judgements" in progress.notes[0]
    assert "tokens so far" in progress.notes[1]


def test_the_finalists_are_compared_on_questions_that_the_halving_did_not_see(
    tmp_path: Path,
) -> None:
    report = run(tmp_path, SystemTurnModel(), questions(48))
    halved = max(one.questions for one in report.tried if one.fate.startswith("out"))
    assert halved + report.compared <= report.questions
    finalists = [one for one in report.tried if one.fate == "finalist"]
    assert [one.objective.n for one in finalists if one.objective] == [report.compared] * 2


def test_too_few_questions_say_how_many_it_takes(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="8 questions are too few to choose among 4") as error:
        run(tmp_path, SystemTurnModel(), questions(8))
    assert "at least 13" in str(error.value.hint)


def test_nothing_to_try_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no other prompt"):
        run(tmp_path, SystemTurnModel(), questions(40), words=[])
