"""Ask every model every question under every prompt, block by block.

Whatever is asked goes over a lane that replays what is on record, so that a run which was
killed goes on where it stopped. Between blocks the run looks at what it has: too many
failures end it, a decided variant is not asked any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agent.parallel import in_threads
from eval.answers.judge import PromptFor, judge_question
from eval.answers.lane import BudgetSpent, Lane
from eval.judged import JudgedQuestion
from eval.prompt_config import PromptRunConfig, VariantConfig, system_name
from eval.question import Question
from eval.ranking import base_candidates, fused_ranking, measure
from eval.stats.sequential import SequentialTest
from retrieval.errors import ModelOutputError
from retrieval.ports import Progress

SHUFFLED = "~shuffled"
_ENOUGH = 40
"""Judgements before a share of failures means anything."""

Answers = list[JudgedQuestion | None]
"""Aligned with the questions; ``None`` where nobody asked."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One variant on one model under one seed."""

    name: str
    variant: VariantConfig
    model: str
    seed: int


@dataclass
class AskedRun:
    """What came back.

    Attributes:
        contenders: in the order of the config.
        answers: by system name; controls with another person's text end in ``~shuffled``.
        tests: early stops by system name; empty unless the config asked for them.
        incomplete: why the run ended early; "" when it did not.
    """

    contenders: Sequence[Contender]
    answers: dict[str, Answers]
    tests: dict[str, SequentialTest] = field(default_factory=dict)
    incomplete: str = ""


def contenders_of(config: PromptRunConfig) -> list[Contender]:
    """Every variant on every model under every seed."""
    return [
        Contender(system_name(variant.name, model.name, seed), variant, model.name, seed)
        for variant in config.variants
        for model in config.models
        for seed in config.seeds
    ]


def shuffled_people(questions: Sequence[Question], seed: int) -> list[str] | None:
    """For each question the text of somebody else, of the same language where there is one.

    ``None`` when nobody else has another text: there is nothing to shuffle. A person's other
    questions are no other person.
    """
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    for question in questions:
        others = [
            q
            for q in questions
            if q.person_text not in ("", question.person_text)
            and (q.user_id is None or q.user_id != question.user_id)
        ]
        same = [q for q in others if q.lang == question.lang]
        pool = same or others
        if not pool:
            return None
        texts.append(pool[int(rng.integers(len(pool)))].person_text)
    return texts


def ask_all(
    config: PromptRunConfig,
    questions: Sequence[Question],
    lanes: Mapping[str, Lane],
    prompts: Mapping[str, PromptFor],
    progress: Progress,
) -> AskedRun:
    """Ask in blocks of ``stats.block`` questions, in a seeded order.

    Args:
        config: of the run.
        questions: each with an id of its own.
        lanes: by model name.
        prompts: by variant name.
        progress: a unit is one question judged by one contender.

    Raises:
        ModelUnavailable: a model went away; what it answered is on record.
        ModelOutputError: more than ``max_failed`` of the judgements failed.
    """
    contenders = contenders_of(config)
    run = AskedRun(contenders, {one.name: [None] * len(questions) for one in contenders})
    if config.stats.sequential:
        alpha = config.stats.alpha / len(contenders)
        run.tests = {one.name: SequentialTest(alpha) for one in contenders}
    people: dict[str, list[str] | None] = {}
    if config.controls.shuffled_profile:
        for one in contenders:
            people[one.name] = shuffled_people(questions, config.seed + one.seed)
            if people[one.name] is not None:
                run.answers[one.name + SHUFFLED] = [None] * len(questions)
        if not all(people.values()):
            progress.note("no shuffled profiles: nobody else has another text")
    order = np.random.default_rng(config.seed).permutation(len(questions))
    progress.start(f"judge {config.name}", len(questions) * len(run.answers))
    spent = _Spent(lanes, progress)
    for start in range(0, len(order), config.stats.block):
        block = [int(at) for at in order[start : start + config.stats.block]]
        for one in contenders:
            test = run.tests.get(one.name)
            if test is not None and test.decision != "undecided":
                continue
            lane = lanes[one.model].view(salt_of(one, config))
            prompt_for, texts = prompts[one.variant.name], people.get(one.name)
            try:
                ask = _asker(lane, questions, prompt_for, one, config, None)
                _fill(run.answers[one.name], block, ask, config, progress)
                if texts is not None:
                    ask = _asker(lane, questions, prompt_for, one, config, texts)
                    _fill(run.answers[one.name + SHUFFLED], block, ask, config, progress)
            except BudgetSpent as end:
                run.incomplete = str(end)
                return run
            for name in (one.name, one.name + SHUFFLED):
                _check_failures(run.answers.get(name, ()), name, config.max_failed)
            if test is not None:
                _look(test, one, block, questions, run.answers[one.name], config)
        spent.say(min(start + config.stats.block, len(order)), len(order))
    return run


def salt_of(one: Contender, config: PromptRunConfig) -> str | None:
    """Repeats under other seeds ask again; the first seed shares its answers with other runs."""
    return None if one.seed == config.seeds[0] else f"seed {one.seed}"


def _asker(
    lane: Lane,
    questions: Sequence[Question],
    prompt_for: PromptFor,
    one: Contender,
    config: PromptRunConfig,
    people: Sequence[str] | None,
) -> Callable[[int], JudgedQuestion]:
    """Judges the question at a place; with ``people``, for somebody else."""

    def ask(at: int) -> JudgedQuestion:
        return judge_question(
            lane,
            questions[at],
            prompt_for,
            candidates=config.pool.judged,
            bins=one.variant.bins,
            person=None if people is None else people[at],
        )

    return ask


def _fill(
    answers: Answers,
    block: Sequence[int],
    ask: Callable[[int], JudgedQuestion],
    config: PromptRunConfig,
    progress: Progress,
) -> None:
    found = in_threads(
        lambda place: ask(block[place]), len(block), parallel=config.parallel, ends=None
    )
    for place, judged in found:
        answers[block[place]] = judged
        progress.advance()


def _check_failures(answers: Sequence[JudgedQuestion | None], name: str, most: float) -> None:
    asked = [one for one in answers if one is not None]
    judged = sum(len(one.items) for one in asked)
    failed = sum(one.failed for one in asked)
    if judged < _ENOUGH and any(one is None for one in answers):
        return
    if judged and failed > most * judged:
        whole = next((one.failed_because for one in asked if one.failed_because), "")
        why = whole or "the model gave no usable probability of the labels"
        raise ModelOutputError(
            f"{name}: {failed} of {judged} judgements failed ({failed / judged:.0%}), "
            f"max_failed is {most:.0%}; the first: {why}",
            "mend the model or the prompt, or raise max_failed",
        )


def _look(
    test: SequentialTest,
    one: Contender,
    block: Sequence[int],
    questions: Sequence[Question],
    answers: Answers,
    config: PromptRunConfig,
) -> None:
    weight = one.variant.weight
    if isinstance(weight, str):  # the config refuses it together with early stops
        return
    for at in block:
        question, judged = questions[at], answers[at]
        if judged is None:
            continue
        ranked = fused_ranking(question, judged.log_odds, weight, one.variant.max_rise)
        values = [
            measure([c.item_id for c in order], question, [config.primary])[config.primary]
            for order in (ranked, base_candidates(question))
        ]
        test.add(values[0] - values[1])


class _Spent:
    """Says every now and then what the run has cost."""

    def __init__(self, lanes: Mapping[str, Lane], progress: Progress) -> None:
        self._lanes, self._progress = lanes, progress
        self._said = 0

    def say(self, done: int, total: int) -> None:
        """After a block; at most ten times in a run, and only where something was asked."""
        if done * 10 // total == self._said:
            return
        self._said = done * 10 // total
        spent = sum({id(lane.budget): lane.budget.spent for lane in self._lanes.values()}.values())
        self._progress.note(f"{done} of {total} questions; {spent:,} tokens asked for so far")
