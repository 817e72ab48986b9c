"""Successive halving: every prompt sees the same questions, and the worse half goes.

Karnin, Koren & Somekh (2013), "Almost Optimal Exploration in Multi-Armed Bandits", ICML;
Jamieson & Talwalkar (2016), arXiv 1502.07943. The halving looks at means only, many times,
so what survives looks better than it is. Therefore it may use a share of the questions, and
the finalists are compared with the prompt in use on the others alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from eval.answers.lane import BudgetSpent
from eval.judged import JudgedQuestion
from eval.optimise.settings import OptimiseSettings
from eval.optimise.trial import Ask, Trial
from eval.question import Question
from eval.ranking import FOLDS
from retrieval.errors import InvalidInput
from retrieval.ports import Progress


@dataclass(frozen=True, slots=True)
class Plan:
    """How many prompts see how many questions.

    Attributes:
        survivors: prompts without the incumbent before each block, and at the end.
        block: questions a block.
        fresh_from: the first question that the halving does not see.
    """

    survivors: tuple[int, ...]
    block: int
    fresh_from: int

    def asked(self, questions: int) -> int:
        """Pairs of prompt and question that the whole race asks about."""
        halving = sum((left + 1) * self.block for left in self.survivors[:-1])
        return halving + (self.survivors[-1] + 1) * (questions - self.fresh_from)


def plan_race(challengers: int, questions: int, settings: OptimiseSettings) -> Plan:
    """Lay out the blocks.

    Raises:
        InvalidInput: too few questions; says how many are needed.
    """
    survivors = [challengers]
    while survivors[-1] > settings.finalists:
        survivors.append(max(settings.finalists, math.ceil(survivors[-1] / 2)))
    blocks = len(survivors) - 1
    share = settings.search_share
    # Fewer than one question a fold and λ is 0, as if the model had said nothing.
    needed = max(math.ceil(blocks * FOLDS / share), math.ceil(FOLDS / (1 - share)))
    if questions < needed:
        raise InvalidInput(
            f"{questions} questions are too few to choose among {challengers} prompts",
            f"give at least {needed}, or try fewer shots",
        )
    block = min(settings.block, math.floor(share * questions / blocks)) if blocks else 0
    return Plan(tuple(survivors), block, blocks * block)


@dataclass
class Race:
    """The state of one search; ``run`` may be called once.

    Attributes:
        questions: in the order of the search.
        incumbent: the prompt in use, measured throughout.
        challengers: all others, those that are out included.
        ask: judges one question with one candidate.
        settings: of the search.
        plan: its blocks.
        progress: a unit a prompt and question; its stage has been started.
        stopped: why it ended early; "" when it did not.
    """

    questions: Sequence[Question]
    incumbent: Trial
    challengers: Sequence[Trial]
    ask: Ask
    settings: OptimiseSettings
    plan: Plan
    progress: Progress
    stopped: str = ""
    calls: int = field(default=0, init=False)
    replayed: int = field(default=0, init=False)
    tokens: int = field(default=0, init=False)

    @property
    def running(self) -> list[Trial]:
        """Challengers that are still in."""
        return [trial for trial in self.challengers if not trial.fate]

    @property
    def compared(self) -> tuple[int, int]:
        """First and last but one question on which what is running can be compared.

        Fresh ones when any was answered by all, else those of the halving.
        """
        done = min(len(trial.judged) for trial in (self.incumbent, *self.running))
        return (self.plan.fresh_from if done > self.plan.fresh_from else 0), done

    def run(self) -> None:
        """Halve, then measure what is left on the fresh questions."""
        try:
            for number in range(len(self.plan.survivors) - 1):
                self._block(number)
            self._all(self.plan.fresh_from, len(self.questions))
        except BudgetSpent as spent:
            self.stopped = str(spent)

    def _block(self, number: int) -> None:
        plan = self.plan
        stop = (number + 1) * plan.block
        self._all(number * plan.block, stop)
        for trial in (self.incumbent, *self.running):
            worth = trial.worth(self.questions, 0, stop, self.settings)
            trial.means.append(float(worth.objective.mean()))
        ranked = sorted(self.running, key=lambda trial: -trial.means[-1])
        for trial in ranked[plan.survivors[number + 1] :]:
            trial.fate = f"out after block {number + 1}"
        best = ranked[0]
        ahead = best.means[-1] - self.incumbent.means[-1]
        self.progress.note(
            f"block {number + 1}: {len(ranked)} prompts on {stop} questions, "
            f"{plan.survivors[number + 1]} go on; best {best.candidate.name}, {ahead:+.4f} "
            f"against the one in use; {self.cost}"
        )

    @property
    def cost(self) -> str:
        """So far, in words."""
        replayed = f"{self.replayed:,} of {self.calls:,} judgements replayed"
        return f"{self.tokens:,} tokens so far, {replayed}"

    def _all(self, start: int, stop: int) -> None:
        """Question by question, so that a spent budget leaves equally many of each prompt."""
        for question in self.questions[start:stop]:
            for trial in (self.incumbent, *self.running):
                judged = self.ask(trial.candidate, question)
                trial.judged.append(judged)
                self._count(judged)
                self.progress.advance()

    def _count(self, judged: JudgedQuestion) -> None:
        self.calls += len(judged.items)
        self.replayed += judged.replayed
        self.tokens += judged.prompt_tokens + judged.completion_tokens


def in_order(questions: Sequence[Question], seed: int) -> list[Question]:
    """Shuffled: a file may be sorted by user, and its first questions would be no sample."""
    order = np.random.default_rng(seed).permutation(len(questions))
    return [questions[int(at)] for at in order]
