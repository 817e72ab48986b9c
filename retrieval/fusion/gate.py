"""May a ranking replace the one it is built on? Only where it is shown to be no worse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.90
LOWEST_STRATUM = 200
"""Users below which a stratum is not judged by itself: its bound would be noise."""
TOLERATED = -0.01
"""Relative loss in a stratum above which the bound has to stay."""
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of some users.

    Attributes:
        name: of the stratum, or "all".
        n: users.
        before: mean value of what stands now; NaN without users.
        after: mean value of what would replace it.
        bound: one-sided 90 % lower confidence bound of the mean difference.
        opened: whether the replacement is let through here.
        because: why, for a person.
    """

    name: str
    n: int
    before: float
    after: float
    bound: float
    opened: bool
    because: str


@dataclass(frozen=True, slots=True)
class Decision:
    """``overall`` decides first; where it opens, each of ``strata`` may still stay closed."""

    overall: Verdict
    strata: tuple[Verdict, ...]

    @property
    def opened(self) -> bool:
        """Whether the replacement is let through anywhere."""
        return self.overall.opened

    @property
    def closed_in(self) -> tuple[str, ...]:
        """Strata in which it is not, although it is elsewhere."""
        return tuple(one.name for one in self.strata if not one.opened) if self.opened else ()


def lower_bound(differences: NDArray[np.float64], seed: int = 0) -> float:
    """One-sided 90 % lower confidence bound of the mean, by the percentile bootstrap.

    Args:
        differences: paired, one a user; shape (users,), finite.
        seed: of the resampling.

    Returns:
        The bound; -inf below two users, exactly 0 where all differences are 0.
    """
    n = len(differences)
    if n < 2:
        return -math.inf
    if not differences.any():
        return 0.0
    # Users who gain nothing and lose nothing come as one count: most do, and memory is finite.
    values, counts = np.unique(differences, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, size=_RESAMPLES)
    return float(np.quantile(drawn @ values / n, 1.0 - CONFIDENCE))


def decide(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    strata: Sequence[str],
    seed: int = 0,
) -> Decision:
    """Open where the bound of the gain is above 0 and no large stratum may lose over 1 %.

    Both values come from weights that did not see the user. A stratum of 200 users or more
    whose bound is below -1 % of what it has stays closed, and keeps what it has; the others
    follow the whole.

    Args:
        before: value of each user under what stands now; shape (users,), finite.
        after: under the replacement.
        strata: of each user.
        seed: of the resampling.
    """
    overall = _verdict("all", before, after, seed)
    gain = overall.bound > 0
    whole = _settled(
        overall, gain, "its lower bound is above 0" if gain else "its gain is not shown to be above 0"
    )
    names = np.asarray(strata)
    judged = []
    for name in sorted(set(strata), key=list(strata).index):
        inside = names == name
        found = _verdict(name, before[inside], after[inside], seed)
        if not whole.opened:
            judged.append(_settled(found, False, "closed for all"))
        elif found.n < LOWEST_STRATUM:
            judged.append(_settled(found, True, f"fewer than {LOWEST_STRATUM} users: follows the whole"))
        elif found.bound < TOLERATED * found.before:
            judged.append(_settled(found, False, "it may lose more than 1 % here"))
        else:
            judged.append(_settled(found, True, "it loses at most 1 % here"))
    return Decision(whole, tuple(judged))


def _verdict(
    name: str, before: NDArray[np.float64], after: NDArray[np.float64], seed: int
) -> Verdict:
    n = len(before)
    means = (float(before.mean()), float(after.mean())) if n else (math.nan, math.nan)
    return Verdict(name, n, *means, lower_bound(after - before, seed), False, "")


def _settled(found: Verdict, opened: bool, because: str) -> Verdict:
    return Verdict(found.name, found.n, found.before, found.after, found.bound, opened, because)
