"""Differences with their certainty, and whether the config's bars hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.prompt_config import OF_METRICS, PromptRunConfig, StatsConfig, Threshold
from eval.ranking import BASE
from eval.records.record import Comparison, Probes, RequiredN, System
from eval.records.record import Threshold as ThresholdResult
from eval.runs.ask import SHUFFLED, AskedRun, Contender
from eval.runs.measured import Measured
from eval.stats.family import with_holm
from eval.stats.paired import Comparison as Compared
from eval.stats.paired import compare
from eval.stats.power import detectable, required_n
from eval.stats.sequential import confidence_interval
from retrieval.errors import NotFound

_PILOT = 10
"""Questions from which on the measured standard deviation is believed more than the guess."""


def needed_questions(stats: StatsConfig, have: int, sd: float | None = None) -> RequiredN:
    """How many questions it takes to see ``stats.detect``, and what ``have`` can see."""
    spread = stats.sd if sd is None else sd
    usable = 0 < spread <= 1
    return RequiredN(
        sd=spread,
        detect=stats.detect,
        alpha=stats.alpha,
        power=stats.power,
        needed=required_n(sd=spread, detect=stats.detect, alpha=stats.alpha, power=stats.power)
        if usable
        else None,
        have=have,
        detectable=detectable(n=have, sd=spread, alpha=stats.alpha, power=stats.power)
        if usable
        else math.nan,
    )


def measured_spread(measured: Mapping[str, Measured], name: str, primary: str) -> float | None:
    """Standard deviation of a system's paired difference to S; ``None`` from too few."""
    deltas = measured[name].values[primary] - measured[BASE].values[primary]
    deltas = deltas[np.isfinite(deltas)]
    return float(deltas.std(ddof=1)) if deltas.size >= _PILOT and deltas.std() > 0 else None


def comparisons_of(
    config: PromptRunConfig, measured: Mapping[str, Measured], run: AskedRun
) -> dict[str, list[Comparison]]:
    """Every variant against S, its controls and the first variant, in the primary metric.

    Holm goes over all variants that meet the same kind of opponent. With early stops the
    number of questions depends on what was seen, so the sequential interval stands in place
    of the bootstrap one, and no p is given.
    """
    families: dict[str, list[Compared]] = {}
    for one in run.contenders:
        for role, opponent in _opponents(config, one, measured):
            families.setdefault(role, []).append(
                compare(
                    one.name,
                    opponent,
                    config.primary,
                    measured[one.name].values[config.primary],
                    measured[opponent].values[config.primary],
                    seed=config.seed,
                )
            )
    found: dict[str, list[Comparison]] = {one.name: [] for one in run.contenders}
    for family in families.values():
        for pair in with_holm(family):
            stated = Comparison.model_validate(pair)
            if pair.system in run.tests:
                ours, theirs = (measured[one].values[pair.metric] for one in _sides(pair))
                stated = _with_early_stop(stated, ours - theirs, config.stats.alpha / len(family))
            found[pair.system].append(stated)
    return found


def _opponents(
    config: PromptRunConfig, one: Contender, measured: Mapping[str, Measured]
) -> list[tuple[str, str]]:
    """Role and name of every system that a variant is compared with."""
    first = f"{config.variants[0].name}|{one.model}|{one.seed}"
    roles = {
        BASE: BASE,
        "shuffled": one.name + SHUFFLED,
        "random": "random",
        "popularity": "popularity",
        "first": first,
    }
    return [(role, name) for role, name in roles.items() if name in measured and name != one.name]


def _sides(pair: Compared) -> tuple[str, str]:
    return pair.system, pair.against


def _with_early_stop(stated: Comparison, deltas: NDArray[np.float64], alpha: float) -> Comparison:
    low, high = confidence_interval(deltas[np.isfinite(deltas)], alpha)
    return stated.model_copy(update={"low": low, "high": high, "p": None, "p_holm": None})


def check_thresholds(
    thresholds: Sequence[Threshold], systems: Sequence[System], primary: str
) -> list[ThresholdResult]:
    """Every bar on every system that it names; a figure that was not measured does not pass."""
    return [
        _check(bar, system, bar.metric or primary)
        for bar in thresholds
        for system in _named(bar.system, systems)
    ]


def _named(name: str, systems: Sequence[System]) -> list[System]:
    return [
        one
        for one in systems
        if one.name == name or (one.kind == "variant" and one.variant == name)
    ]


def _check(bar: Threshold, system: System, metric: str) -> ThresholdResult:
    measured = figure_of(system, bar.figure, metric)
    if bar.at_least is not None:
        sign, limit = ">=", bar.at_least
    else:
        sign, limit = "<=", bar.at_most if bar.at_most is not None else math.nan
    passed = measured is not None and (measured >= limit if sign == ">=" else measured <= limit)
    what = f"{metric} {bar.figure}" if bar.figure in OF_METRICS else bar.figure
    return ThresholdResult(
        text=f"{system.name} {what} {sign} {limit:g}",
        measured=measured,
        passed=passed,
    )


def figure_of(system: System, figure: str, metric: str) -> float | None:
    """One figure of a system's record by the name that thresholds use; ``None`` = unmeasured.

    Raises:
        NotFound: there is no such figure.
    """
    if figure in ("mean", "low", "high"):
        stated = system.figures.get(metric)
        found: float | None = None if stated is None else getattr(stated, figure)
        return found
    if figure not in _FIGURES:
        raise NotFound(f"no figure {figure!r}", f"there are {', '.join(_FIGURES)}")
    value = _FIGURES[figure](system)
    return None if value is None or not math.isfinite(value) else float(value)


def _compared(ending: str, name: str) -> Callable[[System], float | None]:
    """Reads the comparison with the opponent whose name ends so; no other name ends in S."""

    def read(system: System) -> float | None:
        found = next((one for one in system.comparisons if one.against.endswith(ending)), None)
        value: float | None = None if found is None else getattr(found, name)
        return value

    return read


def _probe(name: str, key: str = "") -> Callable[[System], float | None]:
    def read(system: System) -> float | None:
        probes: Probes = system.probes
        value: Any = getattr(probes, name)
        found: float | None = value.get(key) if key and value is not None else value
        return found

    return read


_FIGURES: Mapping[str, Callable[[System], float | None]] = {
    "delta": _compared(BASE, "mean"),
    "delta_low": _compared(BASE, "low"),
    "delta_high": _compared(BASE, "high"),
    "p_holm": _compared(BASE, "p_holm"),
    "over_shuffled_low": _compared(SHUFFLED, "low"),
    "failed_share": lambda system: system.failed / system.judged if system.judged else None,
    "tokens_per_query": lambda system: system.cost.tokens_per_query,
    "p95_ms": lambda system: system.cost.p95_ms,
    "ece": _probe("calibration", "ece"),
    "kendall_tau": _probe("kendall_tau"),
    "max_lift": _probe("injection", "max_lift"),
    "mean_lift": _probe("injection", "mean_lift"),
}
