"""Which finalist may be called better than the prompt in use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eval.answers.lane import BudgetSpent
from eval.judged import JudgedQuestion
from eval.optimise.race import Race
from eval.optimise.report import Decision, Tried
from eval.optimise.settings import OptimiseSettings
from eval.optimise.space import Candidate
from eval.optimise.trial import METRIC, Trial, Worth
from eval.probes.injection import InjectionResult
from eval.question import Question
from eval.stats.family import with_holm
from eval.stats.paired import compare
from eval.stats.power import required_n
from retrieval.ports import Progress

Probe = Callable[[Candidate, Sequence[Question], Sequence[JudgedQuestion], float], InjectionResult]
"""Attacks some questions with a prompt and its λ; their judgements are given."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """See ``OptimiseReport`` for the fields; ``tried`` has the prompt in use first."""

    tried: tuple[Tried, ...]
    best: str
    decision: Decision
    stopped: str
    compared: int
    required_n: Mapping[str, int | None]


def judge_race(race: Race, probe: Probe, progress: Progress) -> Verdict:
    """Compare what a race left with the prompt in use, and probe it.

    A claim takes a whole race, ``p_holm`` below alpha over all finalists, a gain that is not
    in tokens alone, few failed judgements, and an injection lift that is not above that of
    the prompt in use.
    """
    settings, incumbent, stopped = race.settings, race.incumbent, race.stopped
    start, stop = race.compared
    worth = {
        trial.candidate.name: trial.worth(race.questions, start, stop, settings)
        for trial in (incumbent, *race.running)
    }
    ours = worth[incumbent.candidate.name]
    used = _tried(incumbent, "in use", ours)
    finalists = [
        _rejected_for_failures(_tried(trial, "finalist", worth[trial.candidate.name]), settings)
        for trial in race.running
    ]
    if stop > start:
        finalists = _compared(finalists, used, worth, settings)
    if not stopped:
        try:
            used, *finalists = _probed([used, *finalists], race, probe, progress)
        except BudgetSpent as spent:
            stopped = str(spent)
    best = _best(finalists, settings) if stop > start else None
    by_name = {one.candidate.name: one for one in finalists}
    tried = (
        used,
        *(by_name.get(trial.candidate.name) or _out(trial, race) for trial in race.challengers),
    )
    decision: Decision = "none"
    if stopped:
        decision = "incomplete"
    elif best is not None and claimable(best, settings):
        decision = "better"
    return Verdict(
        tried,
        "" if best is None else best.candidate.name,
        decision,
        stopped,
        stop - start,
        _needed(None if best is None else worth[best.candidate.name], ours, settings),
    )


def significant(one: Tried, settings: OptimiseSettings) -> bool:
    """Better in the objective, by the numbers alone."""
    told = one.objective
    return told is not None and told.mean > 0 and told.p_holm < settings.alpha


def claimable(one: Tried, settings: OptimiseSettings) -> bool:
    """Significant, and nothing speaks against it."""
    return significant(one, settings) and not one.rejected


def _tried(trial: Trial, fate: str, worth: Worth) -> Tried:
    return Tried(
        trial.candidate,
        fate,
        len(trial.judged),
        tuple(trial.means),
        worth.weight,
        worth.tokens,
        worth.failed_share,
    )


def _out(trial: Trial, race: Race) -> Tried:
    return _tried(
        trial, trial.fate, trial.worth(race.questions, 0, len(trial.judged), race.settings)
    )


def _rejected_for_failures(one: Tried, settings: OptimiseSettings) -> Tried:
    if not one.failed_share > settings.max_failed:
        return one
    return replace(one, rejected=f"{one.failed_share:.0%} of its judgements failed")


def _compared(
    finalists: Sequence[Tried],
    used: Tried,
    worth: Mapping[str, Worth],
    settings: OptimiseSettings,
) -> list[Tried]:
    against = used.candidate.name
    ours = worth[against]
    family = with_holm(
        [
            compare(
                one.candidate.name,
                against,
                "objective",
                worth[one.candidate.name].objective,
                ours.objective,
                seed=settings.seed,
            )
            for one in finalists
        ]
    )
    compared = []
    for one, told in zip(finalists, family, strict=True):
        name = one.candidate.name
        gain = compare(name, against, METRIC, worth[name].gains, ours.gains, seed=settings.seed)
        cheaper = told.mean > 0 >= gain.mean
        why = one.rejected or ("it saves tokens and ranks no better" if cheaper else "")
        compared.append(replace(one, objective=told, gain=gain, rejected=why))
    return compared


def _probed(tried: Sequence[Tried], race: Race, probe: Probe, progress: Progress) -> list[Tried]:
    """With figures of the probe, the first one's as the measure for the others."""
    start = race.plan.fresh_from
    questions = race.questions[start : start + race.settings.probe]
    judged = {
        trial.candidate.name: trial.judged[start : start + race.settings.probe]
        for trial in (race.incumbent, *race.running)
    }
    progress.start("injection probe", len(tried) * len(questions))
    used, *others = (
        replace(
            one,
            injection=probe(
                one.candidate, questions, judged[one.candidate.name], one.weight
            ).figures(),
        )
        for one in tried
    )
    allowed = used.injection or {}
    return [
        used,
        *(
            replace(one, rejected=one.rejected or _regression(one, allowed, race.settings))
            for one in others
        ),
    ]


def _regression(one: Tried, allowed: Mapping[str, float], settings: OptimiseSettings) -> str:
    """Why the probe speaks against a prompt; "" when it does not."""
    figures = one.injection or {}
    lift, limit = figures.get("mean_lift", math.nan), allowed.get("mean_lift", math.nan)
    if math.isnan(lift) or math.isnan(limit):
        return "no injection could be judged"
    if figures.get("into_top1", 0.0) > 0:
        return f"an injected text reached the first place in {figures['into_top1']:.0%} of cases"
    if lift > limit + settings.lift_tolerance:
        return (
            f"an injected text lifts its item {lift:.2f} places on average "
            f"[{figures['low']:.2f}, {figures['high']:.2f}], {limit:.2f} with the prompt in use"
        )
    return ""


def _best(finalists: Sequence[Tried], settings: OptimiseSettings) -> Tried | None:
    """Claimable ones first, then those that nothing speaks against, then by the objective."""
    return max(
        finalists,
        key=lambda one: (
            claimable(one, settings),
            not one.rejected,
            -math.inf if one.objective is None else one.objective.mean,
        ),
        default=None,
    )


def _needed(best: Worth | None, used: Worth, settings: OptimiseSettings) -> dict[str, int | None]:
    """Fresh questions for a difference worth finding, and for the one that was seen."""
    needed: dict[str, int | None] = {"detect": None, "seen": None}
    if best is None or best.objective.size < 2:
        return needed
    deltas = best.objective - used.objective
    sd = min(1.0, float(np.std(deltas, ddof=1)))
    for name, detect in (("detect", settings.detect), ("seen", float(deltas.mean()))):
        if sd > 0 and 0 < detect <= 1:
            needed[name] = required_n(
                sd=sd, detect=detect, alpha=settings.alpha, power=settings.power
            )
    return needed
