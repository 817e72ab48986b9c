"""May a ranking replace the one it is built on? Only where it is shown to be no worse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.90
PROVEN_FROM = 1000
"""Users below which nothing can be proven and the best single source is a matter of luck."""
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
    opened = overall.bound > 0
    why = "its lower bound is above 0" if opened else "its gain is not shown to be above 0"
    judged = []
    for name in dict.fromkeys(strata):
        inside = np.asarray(strata) == name
        judged.append(_in_stratum(_verdict(name, before[inside], after[inside], seed), opened))
    return Decision(replace(overall, opened=opened, because=why), tuple(judged))


def decide_for_few(
    before: NDArray[np.float64], after: NDArray[np.float64], seed: int = 0
) -> Decision:
    """Below ``PROVEN_FROM`` users: open unless the replacement is shown to be worse.

    ``before`` is then the best single source as so few users see it, and picking it is riskier
    than a mixture that the prior holds (docs/decisions/0006-gate.md has the figures).
    """
    overall = _verdict("all", before, after, seed)
    opened = lower_bound(before - after, seed) <= 0
    why = (
        f"fewer than {PROVEN_FROM} users: nothing shows that it is worse"
        if opened
        else "it is shown to be worse"
    )
    return Decision(replace(overall, opened=opened, because=why), ())


def replaced(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    strata: Sequence[str],
    decision: Decision,
) -> NDArray[np.float64]:
    """The values of what is served once the decision is followed; shape (users,)."""
    if not decision.opened:
        return before
    return np.where(np.isin(np.asarray(strata), decision.closed_in), before, after)


def _in_stratum(found: Verdict, opened: bool) -> Verdict:
    if not opened:
        return replace(found, because="closed for all")
    if found.n < LOWEST_STRATUM:
        why = f"fewer than {LOWEST_STRATUM} users: follows the whole"
        return replace(found, opened=True, because=why)
    if found.bound < TOLERATED * found.before:
        return replace(found, because="it may lose more than 1 % here")
    return replace(found, opened=True, because="it loses at most 1 % here")


def _verdict(
    name: str, before: NDArray[np.float64], after: NDArray[np.float64], seed: int
) -> Verdict:
    n = len(before)
    means = (float(before.mean()), float(after.mean())) if n else (math.nan, math.nan)
    return Verdict(name, n, *means, lower_bound(after - before, seed), False, "")
