"""Look after every question and stop as soon as one system is surely better.

Stopping a usual test at the first p below alpha is wrong far more often than alpha. Here a
bettor starts with 1 and bets on every difference x in [-1, 1], at odds that are fair if the
true mean is m: putting a fraction g at stake multiplies the capital by

    1 - g + g (1 + x) / (1 + m)

Where the mean is m or less the capital does not grow on average, and whenever one looks it
has ever reached 2 / alpha with probability alpha / 2 at most: Ville's inequality. Every m at
which it has not is still possible; a second bettor, on -x, bounds the mean from above.
Waudby-Smith & Ramdas (2024), "Estimating means of bounded random variables by betting",
JRSS-B 86(1), arXiv 2010.09686.

The capital is split evenly over fractions from 0 to 1 ("diversified Kelly" there; the
universal portfolio of Cover (1991), Math. Finance 1(1); Orabona & Jun (2023), arXiv
2110.14099). No spread has to be known or estimated first: the share with the best fraction
soon is most of the capital. Simulated at alpha 0.05, differences normal or three quarters 0,
standard deviation 0.1 to 0.3, means 0.01 to 0.1, the median stop came 13 to 29 % earlier than
with the hedged capital of the paper, which estimates its fraction as it goes (up to a half),
and 1.6 to 2.5 times earlier than with its empirical Bernstein sequence. Estimated fractions up
to 0.9 stop sooner on large effects and far later on small ones. Looking all the time has its
price: four of five runs stop within 1.5 to 2 times the ``required_n`` of a small effect.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import logsumexp

from retrieval.errors import InvalidInput

Decision = Literal["better", "worse", "undecided"]

# Mid-points of twenty equal parts of (0, 1): never all at stake, so a loss of 1 ruins nobody.
_FRACTIONS = (np.arange(20) + 0.5) / 20
_LOWEST = -1 + 1e-12


def log_capital(deltas: NDArray[np.float64], mean: float = 0.0) -> NDArray[np.float64]:
    """Log of the capital after each question, of a bet that the true mean is above ``mean``.

    Args:
        deltas: shape (..., questions), in [-1, 1].
        mean: in (-1, 1).

    Returns:
        Same shape; lower the higher ``mean`` is.
    """
    total = np.full(deltas.shape, -math.inf)
    # One fraction at a time: a thousand simulated runs at once would not fit otherwise.
    for fraction in _FRACTIONS:
        growth = np.log1p(fraction * (deltas - mean) / (1 + mean))
        total = np.logaddexp(total, np.cumsum(growth, axis=-1))
    return total - math.log(_FRACTIONS.size)


def confidence_interval(deltas: NDArray[np.float64], alpha: float) -> tuple[float, float]:
    """Interval for the true mean that holds it after every question with 1 - ``alpha``.

    Args:
        deltas: shape (questions,), in [-1, 1].
        alpha: in (0, 1).

    Returns:
        (low, high) around the mean of ``deltas``; (-1, 1) without questions.
    """
    return _low(deltas, alpha), -_low(-deltas, alpha)


class SequentialTest:
    """Is the mean difference above or below 0, asked after every question.

    The wrong one of "better" and "worse" is ever said with probability ``alpha`` / 2 at most;
    where the mean is 0, either with ``alpha`` at most. For several variants give each
    ``alpha`` divided by their number (Bonferroni): which of them stops first is not known
    beforehand, so Holm does not apply. The mean is that over all questions one could ask, and
    those asked must be a sample of them at every moment, so shuffle them first: in the order
    of a file, which may be sorted by user, the first ones are none.

    One can also give up at any time, say when the upper end of ``interval`` has fallen below
    the gain that is worth having. The interval holds at all times at once, so that costs no
    error; the decision then stays "undecided".

    Args:
        alpha: two-sided error rate, in (0, 1).

    Raises:
        InvalidInput: ``alpha`` outside its range.
    """

    def __init__(self, alpha: float = 0.05) -> None:
        if not 0 < alpha < 1:
            raise InvalidInput(
                f"alpha = {alpha} is no error rate", "give one between 0 and 1, such as 0.05"
            )
        self._alpha = alpha
        self._deltas: list[float] = []
        self._up = np.zeros(_FRACTIONS.size)
        self._down = np.zeros(_FRACTIONS.size)
        self._decision: Decision = "undecided"

    @property
    def n(self) -> int:
        """Questions that had a difference."""
        return len(self._deltas)

    @property
    def decision(self) -> Decision:
        """What was decided first; later questions do not take it back."""
        return self._decision

    @property
    def interval(self) -> tuple[float, float]:
        """Of the true mean, after the questions so far: see ``confidence_interval``."""
        return confidence_interval(np.array(self._deltas), self._alpha)

    def add(self, delta: float) -> None:
        """Count one question.

        Args:
            delta: value of the system minus that of the baseline, in [-1, 1]; NaN, nothing to
                measure, is no observation.

        Raises:
            InvalidInput: a difference outside its range.
        """
        if math.isnan(delta):
            return
        if not -1 <= delta <= 1:
            raise InvalidInput(
                f"a difference of {delta} is not between -1 and 1",
                "stop early on a metric in [0, 1], such as ndcg@10",
            )
        self._deltas.append(delta)
        self._up += np.log1p(_FRACTIONS * delta)
        self._down += np.log1p(_FRACTIONS * -delta)
        if self._decision == "undecided":
            enough = math.log(_FRACTIONS.size * 2 / self._alpha)
            if logsumexp(self._up) >= enough:
                self._decision = "better"
            elif logsumexp(self._down) >= enough:
                self._decision = "worse"


def _low(deltas: NDArray[np.float64], alpha: float) -> float:
    """Smallest mean that the bettor on larger ones has not ruled out."""
    stakes = _FRACTIONS[:, np.newaxis]
    enough = math.log(_FRACTIONS.size * 2 / alpha)

    def above(mean: float) -> float:
        growth = np.log1p(stakes * (deltas - mean) / (1 + mean)).sum(axis=1)
        return float(logsumexp(growth)) - enough

    # Falls in the mean, and is below 0 at that of the deltas: there no bet has gained.
    if not deltas.size or above(_LOWEST) <= 0:
        return -1.0
    return float(brentq(above, _LOWEST, float(deltas.mean())))
