"""A/B: do users of one arm take something more often than those of another.

The user is the unit, as in the assignment: requests of one user are not independent, and
counting them as if they were finds differences where there are none. Kohavi, Tang & Xu
(2020), "Trustworthy Online Controlled Experiments", ch. 14, 17 and 21.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chisquare, permutation_test
from statsmodels.stats.multitest import multipletests

from agent.measure import mean_and_interval
from eval.online.log import Exposure
from retrieval.errors import InvalidInput
from retrieval.types import LoggedRequest

SAMPLE_RATIO_ALPHA = 0.0005
"""A healthy experiment warns once in 2,000 times: this check must not cry wolf."""

_RESAMPLES = 10_000
_BATCH_VALUES = 10_000_000  # of resampled users in memory at once: 80 MB

Rates = NDArray[np.float64]
"""Per user the share of requests after which anything shown was taken, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm: users and requests that saw it, and the mean of the users' rates.

    ``assigned`` users also include those who never saw the arm as it should be;
    ``unexposed`` counts the requests in which it could not be applied.
    """

    name: str
    assigned: int
    users: int
    requests: int
    unexposed: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """An arm minus the baseline: mean difference of rates with its 95 % interval.

    ``p`` is two-sided, of the randomisation test over users; ``p_holm`` adjusts it for the
    number of arms; NaN where an arm has fewer than two users. ``effect`` is Cohen's d.
    """

    arm: str
    against: str
    mean: float
    low: float
    high: float
    p: float
    p_holm: float
    effect: float


@dataclass(frozen=True, slots=True)
class AB:
    """What an A/B experiment says. ``ratio_p`` is of the sample-ratio check; see ``warnings``."""

    arms: tuple[Arm, ...]
    differences: tuple[Difference, ...]
    ratio_p: float
    warnings: tuple[str, ...]


def analyse(exposures: Sequence[Exposure], *, seed: int = 0) -> AB:
    """Compare every arm of one A/B experiment with the first.

    Args:
        exposures: of one experiment; those of another design are ignored.
        seed: of the resampling.

    Raises:
        InvalidInput: no request of the experiment, or its arms or weights were changed on
            the way.
    """
    requests = [one for one in exposures if one.request.design == "ab"]
    names, weights = _plan([one.request for one in requests])
    by_user: dict[str, list[Exposure]] = defaultdict(list)
    for one in requests:
        by_user[str(one.request.user_id)].append(one)
    of_arm: dict[str, list[list[Exposure]]] = {name: [] for name in names}
    for of_user in by_user.values():
        of_arm[of_user[0].request.arm].append(of_user)
    rates = {name: _rates(users) for name, users in of_arm.items()}
    arms = tuple(_arm(name, of_arm[name], rates[name], seed) for name in names)
    ratio_p, warnings = _check_ratio(arms, weights)
    return AB(arms, _differences(names, rates, seed), ratio_p, warnings)


def _plan(requests: Sequence[LoggedRequest]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    plans = {(request.arms, request.weights) for request in requests}
    if not plans:
        raise InvalidInput("no request took part in an A/B experiment", "see docs/online.md")
    if len(plans) > 1:
        raise InvalidInput(
            f"experiment {requests[0].experiment!r} ran with {len(plans)} sets of arms or weights",
            "users changed arms on the way; give an experiment a new name when it changes",
        )
    return plans.pop()


def _rates(users: Sequence[Sequence[Exposure]]) -> Rates:
    seen = [[one for one in user if one.request.exposed] for user in users]
    return np.array([np.mean([bool(one.taken) for one in user]) for user in seen if user])


def _arm(name: str, users: Sequence[Sequence[Exposure]], rates: Rates, seed: int) -> Arm:
    requests = [one for user in users for one in user]
    exposed = sum(one.request.exposed for one in requests)
    mean, low, high = mean_and_interval(rates, seed=seed)
    return Arm(name, len(users), rates.size, exposed, len(requests) - exposed, mean, low, high)


def _check_ratio(arms: Sequence[Arm], weights: Sequence[float]) -> tuple[float, tuple[str, ...]]:
    """How likely such a split of the users is, and what to say when it is not."""
    warnings: list[str] = []
    worst = math.nan
    for what, counts in (
        ("were assigned", [arm.assigned for arm in arms]),
        ("saw their arm", [arm.users for arm in arms]),
    ):
        total = sum(counts)
        if not total:
            continue
        expected = np.array(weights) / sum(weights) * total
        p = float(chisquare(counts, expected).pvalue)
        worst = p if math.isnan(worst) else min(worst, p)
        if p < SAMPLE_RATIO_ALPHA:
            split = ", ".join(
                f"{arm.name} {count} (planned {plan:.0f})"
                for arm, count, plan in zip(arms, counts, expected, strict=True)
            )
            warnings.append(
                f"SAMPLE RATIO MISMATCH (p = {p:.1g}): users who {what}: {split}. Something "
                "loses users of one arm; do not believe the difference until it is found"
            )
    for arm in arms:
        if arm.unexposed:
            warnings.append(
                f"{arm.unexposed} requests of {arm.name} were answered without it and left out"
            )
    return worst, tuple(warnings)


def _differences(
    names: Sequence[str], rates: dict[str, Rates], seed: int
) -> tuple[Difference, ...]:
    against = names[0]
    found = [_difference(name, against, rates[name], rates[against], seed) for name in names[1:]]
    tested = [at for at, one in enumerate(found) if not math.isnan(one.p)]
    adjusted = [math.nan] * len(found)
    if tested:
        holm = multipletests([found[at].p for at in tested], method="holm")[1]
        for at, p in zip(tested, holm, strict=True):
            adjusted[at] = float(p)
    return tuple(
        Difference(one.arm, one.against, one.mean, one.low, one.high, one.p, p_holm, one.effect)
        for one, p_holm in zip(found, adjusted, strict=True)
    )


def _difference(name: str, against: str, rates: Rates, base: Rates, seed: int) -> Difference:
    if not rates.size or not base.size:
        return Difference(name, against, *[math.nan] * 6)
    draws = _bootstrap(rates, seed) - _bootstrap(base, seed + 1)
    low, high = np.quantile(draws, [0.025, 0.975])
    spread = math.sqrt((rates.var() + base.var()) / 2)
    mean = float(rates.mean() - base.mean())
    return Difference(
        arm=name,
        against=against,
        mean=mean,
        low=float(low),
        high=float(high),
        p=_randomisation(rates, base, seed),
        p_holm=math.nan,
        effect=mean / spread if spread else math.nan,
    )


def _bootstrap(rates: Rates, seed: int, resamples: int = 1000) -> Rates:
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(rates.size, np.full(rates.size, 1 / rates.size), size=resamples)
    means: Rates = counts @ rates / rates.size
    return means


def _randomisation(rates: Rates, base: Rates, seed: int) -> float:
    """Two-sided p that the arm's name makes no difference to a user's rate; NaN for one user."""
    if np.ptp(np.concatenate([rates, base])) == 0:
        return 1.0
    if min(rates.size, base.size) < 2:
        return math.nan
    result = permutation_test(
        (rates, base),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        permutation_type="independent",
        vectorized=True,
        n_resamples=_RESAMPLES,
        batch=max(1, _BATCH_VALUES // (rates.size + base.size)),
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)
