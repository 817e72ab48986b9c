"""Settings of a source, chosen on T2 under a budget: the only file that imports optuna."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import optuna

from eval.bench.quality.spaces import OneOf, Range, Value, Whole
from retrieval.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search found.

    Attributes:
        settings: the best.
        value: NDCG@10 on T2 under them.
        default: the same under the first settings tried.
        trials: that came to their end.
        seconds: of all of them.
    """

    settings: Mapping[str, Value]
    value: float
    default: float
    trials: int
    seconds: float


def tune(
    space: Mapping[str, Range],
    first: Mapping[str, Value],
    measure: Callable[[Mapping[str, Value]], float],
    *,
    trials: int,
    seconds: float,
    seed: int = 0,
) -> Tuned:
    """The best settings of at most so many trials; after ``seconds`` none is started.

    Optuna's TPE (Bergstra et al., NeurIPS 2011). The first settings are always measured, and
    another is better only if it is better: ties keep the earlier one.

    Args:
        space: what may be chosen.
        first: tried before all others; inside the space.
        measure: the higher the better; NaN = nothing to measure.
        trials: >= 1.
        seconds: > 0.
        seed: of the search.

    Raises:
        InvalidInput: a budget of nothing, or nothing could be measured.
    """
    if trials < 1 or not seconds > 0:
        raise InvalidInput(f"trials={trials}, seconds={seconds}", "both are positive")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(dict(first))

    def objective(trial: optuna.Trial) -> float:
        settings = {name: _suggested(trial, name, one) for name, one in space.items()}
        trial.set_user_attr("settings", settings)
        return measure(settings)

    began = time.monotonic()
    study.optimize(objective, trials, timeout=seconds)
    # A NaN fails its trial.
    ended = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    if not ended:
        raise InvalidInput("no trial could be measured", "T2 needs users with new items")
    default = study.trials[0].value
    return Tuned(
        dict(study.best_trial.user_attrs["settings"]),
        float(study.best_value),
        math.nan if default is None else float(default),
        len(ended),
        time.monotonic() - began,
    )


def _suggested(trial: optuna.Trial, name: str, one: Range) -> Value:
    if isinstance(one, OneOf):
        chosen: Value = trial.suggest_categorical(name, one.values)
        return chosen
    if isinstance(one, Whole):
        return trial.suggest_int(name, one.low, one.high, log=one.log)
    return trial.suggest_float(name, one.low, one.high, log=one.log)
