"""Search for a better prompt: lay out the space, race it, compare, probe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eval.answers.judge import judge_question
from eval.answers.lane import Lane
from eval.judged import JudgedQuestion
from eval.optimise.race import Race, in_order, plan_race
from eval.optimise.report import OptimiseReport
from eval.optimise.settings import OptimiseSettings
from eval.optimise.shots import Mined, mine_shots
from eval.optimise.space import (
    Candidate,
    Instruction,
    build_space,
    incumbent_of,
    read_instructions,
)
from eval.optimise.trial import Ask, Trial
from eval.optimise.verdict import Probe, judge_race
from eval.probes.attacks import Attack
from eval.probes.injection import InjectionResult, injection_probe
from eval.question import Question
from prompts.prompt import Prompt
from retrieval.errors import InvalidInput
from retrieval.ports import Progress


def optimise(
    lane: Lane,
    questions: Sequence[Question],
    bases: Mapping[str, Prompt],
    settings: OptimiseSettings,
    progress: Progress,
    *,
    instructions: Sequence[Instruction] | None = None,
    attacks: Sequence[Attack] | None = None,
) -> OptimiseReport:
    """Search for a prompt that is better than the one in use.

    The same questions, settings and answers give the same search. So one that was killed
    goes on where it stopped when it is started again: every answer is on the lane's record.

    Args:
        lane: replays or asks.
        questions: of the tuning period.
        bases: the prompt in use, by language; all of one version.
        settings: what to search, and how sure a finding must be.
        progress: sees the questions asked, notes after each block with the cost so far.
        instructions: default those of ``instructions.toml`` and the current one.
        attacks: of the injection probe; default its own.

    Returns:
        A report, also where the budget was spent: incomplete then, and without a claim.

    Raises:
        InvalidInput: too few questions, or nothing to try.
        ModelUnavailable: the model went away, or a replay lacks an answer.
        PromptError: a prompt in use cannot be rewritten.
    """
    mined = _mined(questions, settings)
    used = frozenset[str]().union(*(one.used for one in mined.values()))
    measured = in_order([q for q in questions if q.query_id not in used], settings.seed)
    incumbent = incumbent_of(bases, settings.bins)
    space = build_space(
        bases,
        read_instructions() if instructions is None else instructions,
        shots=settings.shots,
        mined=mined,
        bins=_bins(questions, settings),
        asked=frozenset(mined),
        incumbent=incumbent,
    )
    if "mined" in settings.shots and any(not one.shots for one in mined.values()):
        progress.note(f"too few users to take {settings.shot_count} shots from: none are mined")

    def ask(candidate: Candidate, question: Question) -> JudgedQuestion:
        return judge_question(
            lane,
            question,
            candidate.prompt_for,
            candidates=settings.candidates,
            bins=candidate.bins,
        )

    def probe(
        candidate: Candidate,
        asked: Sequence[Question],
        judged: Sequence[JudgedQuestion],
        weight: float,
    ) -> InjectionResult:
        return injection_probe(
            lane,
            asked,
            judged,
            candidate.prompt_for,
            candidates=settings.candidates,
            bins=candidate.bins,
            weight=weight,
            max_rise=settings.max_rise,
            seed=settings.seed,
            attacks=attacks,
            progress=progress,
        )

    return search(
        measured,
        incumbent,
        space,
        ask,
        probe,
        settings,
        progress,
        base=next(iter(bases.values())).version,
        model_id=lane.info.model_id,
        shot_questions=tuple(sorted(used)),
    )


def search(
    questions: Sequence[Question],
    incumbent: Candidate,
    space: Sequence[Candidate],
    ask: Ask,
    probe: Probe,
    settings: OptimiseSettings,
    progress: Progress,
    *,
    base: str,
    model_id: str,
    shot_questions: tuple[str, ...] = (),
) -> OptimiseReport:
    """The search itself, whatever answers.

    Args:
        questions: measured ones, in random order.
        incumbent: the prompt in use.
        space: all others.
        ask: judges a question with a candidate.
        probe: attacks with one.
        settings: see ``OptimiseSettings``.
        progress: see ``optimise``.
        base: reference of the prompt in use, for the report.
        model_id: what answers, for the report.
        shot_questions: those that were left out, for the report.

    Raises:
        InvalidInput: too few questions, or nothing to try.
    """
    if not space:
        raise InvalidInput("there is no other prompt to try", "add instructions or kinds of shots")
    plan = plan_race(len(space), len(questions), settings)
    pairs = plan.asked(len(questions))
    progress.note(
        f"{len(space)} prompts besides the one in use, {len(questions)} questions: about "
        f"{pairs * settings.candidates:,} judgements, and those of the injection probe"
    )
    progress.start("search prompts", pairs)
    race = Race(
        questions,
        Trial(incumbent),
        [Trial(candidate) for candidate in space],
        ask,
        settings,
        plan,
        progress,
    )
    race.run()
    verdict = judge_race(race, probe, progress)
    progress.note(f"search: {race.cost}")
    return OptimiseReport(
        base=base,
        model_id=model_id,
        settings=settings,
        questions=len(questions),
        shot_questions=shot_questions,
        compared=verdict.compared,
        tried=verdict.tried,
        best=verdict.best,
        decision=verdict.decision,
        required_n=verdict.required_n,
        tokens=race.tokens,
        calls=race.calls,
        replayed=race.replayed,
        stopped=verdict.stopped,
    )


def _mined(questions: Sequence[Question], settings: OptimiseSettings) -> dict[str, Mined]:
    """By language of the questions; empty ones unless shots are wanted and all have some."""
    by_lang: dict[str, list[Question]] = {}
    for question in questions:
        by_lang.setdefault(question.lang, []).append(question)
    mined = {
        lang: mine_shots(asked, settings.shot_count, settings.seed)
        for lang, asked in by_lang.items()
        if "mined" in settings.shots
    }
    # A language without shots leaves the kind out, and then nothing need be left unmeasured.
    if len(mined) < len(by_lang) or not all(one.shots for one in mined.values()):
        return dict.fromkeys(by_lang, Mined())
    return mined


def _bins(questions: Sequence[Question], settings: OptimiseSettings) -> list[bool]:
    """Those worth trying: without any bins in the questions both are the same."""
    there = any(one.bins for question in questions for one in question.candidates)
    return [False, True] if settings.try_bins and there else [settings.bins]
