"""One system against another on the same questions.

The questions differ far more from each other than two systems do on one question, so only
the per-question differences are looked at. Which tests suit rankings: Smucker, Allan &
Carterette (2007), "A Comparison of Statistical Significance Tests for Information Retrieval
Evaluation", CIKM; Urbano, Lima & Hanjalic (2019), SIGIR, arXiv 1905.11096.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import permutation_test

from agent.measure import mean_and_interval
from retrieval.errors import InvalidInput

Deltas = NDArray[np.float64]
"""Value of the system minus that of the baseline, one per question; NaN where either has none."""

# Sign patterns in memory at once: 10,000 of them over 2,000 questions would be 160 MB.
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Comparison:
    """A system against a baseline in one metric, paired by question.

    Attributes:
        system: what is compared.
        against: the baseline.
        metric: for example ``ndcg@10``.
        n: questions on which both have a value.
        mean: of the differences, system minus baseline; NaN for ``n`` = 0, as all figures are.
        low: lower end of the 95 % interval of ``mean``.
        high: upper end.
        p: two-sided, of the paired randomisation test.
        p_holm: ``p`` adjusted for the family that it was tested in; NaN until ``with_holm``.
        effect: Cohen's d_z; NaN also for ``n`` = 1 and for differences that are all the same.
        wins: questions on which the system is strictly better.
        ties: on which both are equal.
        losses: on which it is strictly worse.
    """

    system: str
    against: str
    metric: str
    n: int
    mean: float
    low: float
    high: float
    p: float
    p_holm: float
    effect: float
    wins: int
    ties: int
    losses: int


def compare(
    system: str,
    against: str,
    metric: str,
    values: NDArray[np.float64],
    baseline_values: NDArray[np.float64],
    *,
    seed: int,
) -> Comparison:
    """Compare two systems question by question.

    Args:
        system: name of the one compared.
        against: name of the baseline.
        metric: what the values are.
        values: shape (questions,), of the system; NaN where there was nothing to measure.
        baseline_values: of the baseline, for the same questions in the same order.
        seed: of the resampling. Swapping the systems mirrors the result at the same seed.

    Raises:
        InvalidInput: the two do not have one value per question each.
    """
    if values.ndim != 1 or values.shape != baseline_values.shape:
        raise InvalidInput(
            f"{system!r} has values of shape {values.shape} and {against!r} of shape "
            f"{baseline_values.shape}, so they cannot be paired",
            "give both one value per question, in the same order; NaN where there is none",
        )
    deltas = _finite(values - baseline_values)
    mean, low, high = bootstrap_difference(deltas, seed=seed)
    return Comparison(
        system=system,
        against=against,
        metric=metric,
        n=deltas.size,
        mean=mean,
        low=low,
        high=high,
        p=paired_randomisation(deltas, seed=seed),
        p_holm=math.nan,
        effect=effect_size(deltas),
        wins=int(np.sum(deltas > 0)),
        ties=int(np.sum(deltas == 0)),
        losses=int(np.sum(deltas < 0)),
    )


def paired_randomisation(deltas: Deltas, *, seed: int, resamples: int = 10_000) -> float:
    """Two-sided p that the two systems are interchangeable on every question.

    If they are, each difference could as well have had the other sign. The p is the share of
    sign patterns whose sum is at least as far from 0; Fisher (1935), "The Design of
    Experiments", §21. All patterns are tried where there are at most ``resamples`` (up to 13
    questions that differ), else that many are drawn, and p is never below 1 / (1 + resamples);
    Phipson & Smyth (2010), arXiv 1603.05766.

    Args:
        deltas: shape (questions,); NaNs are left out.
        seed: of the drawn patterns.
        resamples: how many to draw.

    Returns:
        p in (0, 1]; 1 where nothing differs, NaN without questions.
    """
    finite = _finite(deltas)
    if not finite.size:
        return math.nan
    # A zero keeps its value under either sign: without it the sums are the same, and fewer.
    moved = finite[finite != 0]
    if moved.size < 2:
        return 1.0
    result = permutation_test(
        (moved,),
        _distance_of_sum,
        permutation_type="samples",
        alternative="greater",
        vectorized=True,
        n_resamples=resamples,
        batch=_BATCH,
        rng=np.random.default_rng(seed),
    )
    return float(result.pvalue)


def bootstrap_difference(deltas: Deltas, *, seed: int) -> tuple[float, float, float]:
    """Mean difference and its 95 % interval, resampled by question.

    The same bootstrap as of a single system's figures; Efron & Tibshirani (1993), "An
    Introduction to the Bootstrap", ch. 13.

    Returns:
        (mean, low, high); three NaNs without questions.
    """
    return mean_and_interval(deltas, seed=seed)


def effect_size(deltas: Deltas) -> float:
    """Mean difference in standard deviations of the difference: Cohen's d_z, unbounded.

    Says how large an effect is whatever the number of questions, which p does not; Cohen
    (1988), "Statistical Power Analysis", §2.3.5; Sakai (2014), SIGIR Forum 48(1).

    Returns:
        NaN for fewer than two questions, and for differences that are all the same.
    """
    finite = _finite(deltas)
    if finite.size < 2 or np.ptp(finite) == 0:
        return math.nan
    return float(finite.mean() / finite.std(ddof=1))


def _distance_of_sum(deltas: Deltas, axis: int) -> NDArray[np.float64]:
    # Counting both tails at once halves the noise of doubling the smaller one.
    distance: NDArray[np.float64] = np.abs(deltas.sum(axis=axis))
    return distance


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    finite: NDArray[np.float64] = values[np.isfinite(values)]
    return finite
