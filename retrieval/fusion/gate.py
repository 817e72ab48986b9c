"""May a ranking replace the one it is built on? Only where it is shown to be no worse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.90
STRICT = 0.99
"""For a scorer that may know nothing: at 0.90 one of ten that guess would pass."""
PROVEN_FROM = 3000
"""Users from which a usual gain can be proven: at a paired standard deviation of 0.1, showing
0.004 takes about so many. Below, the best single source is a matter of luck."""
LOWEST_STRATUM = 200
"""Users below which a stratum is not judged by itself: its bound would be noise."""
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of some users.

    Attributes:
        name: of the stratum, or "all".
        n: users.
        before: mean value of what stands now; NaN without users.
        after: mean value of what would replace it.
        bound: one-sided lower confidence bound of the mean difference.
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


def lower_bound(
    differences: NDArray[np.float64], seed: int = 0, confidence: float = CONFIDENCE
) -> float:
    """One-sided lower confidence bound of the mean, by the percentile bootstrap.

    Args:
        differences: paired, one a user; shape (users,), finite.
        seed: of the resampling.
        confidence: in (0, 1).

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
    return float(np.quantile(drawn @ values / n, 1.0 - confidence))


def decide(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    strata: Sequence[str],
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Decision:
    """Open where the bound of the gain is above 0, but for large strata that are shown to lose.

    Both values come from weights that did not see the user. A stratum of 200 users or more
    stays closed, and keeps what it has, where a loss is shown with the same confidence; the
    others follow the whole. Closing every stratum that might lose 1 % would close those that
    gain: among some hundred users the bound lies far below any mean
    (docs/decisions/0006-gate.md).

    Args:
        before: value of each user under what stands now; shape (users,), finite.
        after: under the replacement.
        strata: of each user.
        seed: of the resampling.
        confidence: of the bounds.
    """
    overall = _verdict("all", before, after, seed, confidence)
    opened = overall.bound > 0
    why = "its lower bound is above 0" if opened else "its gain is not shown to be above 0"
    judged = []
    for name in dict.fromkeys(strata):
        inside = np.asarray(strata) == name
        found = _verdict(name, before[inside], after[inside], seed, confidence)
        lost = lower_bound(before[inside] - after[inside], seed, confidence) > 0
        judged.append(_in_stratum(found, opened, lost))
    return Decision(replace(overall, opened=opened, because=why), tuple(judged))


def decide_for_few(
    before: NDArray[np.float64], after: NDArray[np.float64], seed: int = 0
) -> Decision:
    """Below ``PROVEN_FROM`` users: open unless the replacement is shown to be worse.

    ``before`` is then the best single source as so few users see it, and picking it is riskier
    than a mixture that the prior holds (docs/decisions/0006-gate.md has the figures).
    """
    overall = _verdict("all", before, after, seed)
    opened = lower_bound(before - after, seed, STRICT) <= 0
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


def _in_stratum(found: Verdict, opened: bool, lost: bool) -> Verdict:
    if not opened:
        return replace(found, because="closed for all")
    if found.n < LOWEST_STRATUM:
        why = f"fewer than {LOWEST_STRATUM} users: follows the whole"
        return replace(found, opened=True, because=why)
    if lost:
        return replace(found, because="it is shown to lose here")
    return replace(found, opened=True, because="no loss is shown here")


def _verdict(
    name: str,
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    seed: int,
    confidence: float = CONFIDENCE,
) -> Verdict:
    n = len(before)
    means = (float(before.mean()), float(after.mean())) if n else (math.nan, math.nan)
    bound = lower_bound(after - before, seed, confidence)
    return Verdict(name, n, *means, bound, False, "")
