"""How many questions a comparison needs, asked before the run.

Normal approximation of the paired test, Cohen (1988), "Statistical Power Analysis", ch. 2;
for rankings Sakai (2018), "Laboratory Experiments in Information Retrieval", ch. 6.
"""

from __future__ import annotations

import math

from statsmodels.stats.power import NormalIndPower

from retrieval.errors import InvalidInput

# ratio=0 below makes it the one-sample test, of the differences.
_TEST = NormalIndPower(ddof=0)


def required_n(*, sd: float, detect: float, alpha: float, power: float) -> int:
    """Questions needed to find a true mean difference with the given probability.

    Args:
        sd: standard deviation of the per-question difference, in (0, 1]; 0.1 is usual for NDCG.
        detect: the mean difference that must not be missed, in (0, 1].
        alpha: two-sided error rate, in (0, 1).
        power: probability of finding it, in (alpha, 1).

    Returns:
        At least the number below which the randomisation test cannot reach ``alpha``.

    Raises:
        InvalidInput: a value outside its range.
    """
    _check_rates(alpha, power)
    _check_unit("sd", sd)
    _check_unit("detect", detect)
    return max(_fewest(alpha), math.ceil((_effect_of_one(alpha, power) * sd / detect) ** 2))


def detectable(*, n: int, sd: float, alpha: float, power: float) -> float:
    """Smallest true mean difference that ``n`` questions find with the given probability.

    Args:
        n: questions, at least 1.
        sd: as in ``required_n``, and so are the next.
        alpha: two-sided error rate.
        power: probability of finding it.

    Returns:
        In units of the metric; NaN where ``n`` is so small that nothing reaches ``alpha``.

    Raises:
        InvalidInput: a value outside its range.
    """
    _check_rates(alpha, power)
    _check_unit("sd", sd)
    if n < 1:
        raise InvalidInput(f"n = {n} is no number of questions", "give at least 1")
    if n < _fewest(alpha):
        return math.nan
    return sd * _effect_of_one(alpha, power) / math.sqrt(n)


def _effect_of_one(alpha: float, power: float) -> float:
    """Effect, in standard deviations, that a single question finds with this power.

    ``n`` questions find it divided by the root of ``n``, and at one question the solver
    always arrives; asked for ``n`` it fails on effects above 1.
    """
    return float(_TEST.solve_power(nobs1=1, alpha=alpha, power=power, ratio=0))


def _fewest(alpha: float) -> int:
    """Questions below which even the same sign everywhere, p = 2 / 2**n, is above ``alpha``."""
    return math.ceil(1 - math.log2(alpha))


def _check_rates(alpha: float, power: float) -> None:
    if not 0 < alpha < 1:
        raise InvalidInput(
            f"alpha = {alpha} is no error rate", "give one between 0 and 1, such as 0.05"
        )
    if not alpha < power < 1:
        raise InvalidInput(
            f"power = {power} is not between alpha = {alpha} and 1",
            "give the probability of finding the difference, such as 0.8",
        )


def _check_unit(name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise InvalidInput(
            f"{name} = {value} is not between 0 and 1",
            "metrics are in [0, 1]: give it in their units, such as 0.1 for sd, 0.01 for detect",
        )
