"""What another ranking would have earned, from requests that were answered by this one.

Value of a policy: the expected number of shown items taken from the first ``depth`` places
of a request. The estimators weigh what was observed by how much likelier the other policy
shows it:

    w(x, p) = [target puts the item shown at place p there too] / P(it was shown at p | x)

Item-position model (Li, Abbasi-Yadkori, Kveton, Muthukrishnan, Vinay & Wen 2018, "Offline
Evaluation of Ranking Policies with Click Models", KDD): whether an item is taken depends on
the request, the item and its place, not on the other items shown. For ``depth`` = 1 that
assumes nothing: it is the usual estimator for one action.

* IPS = mean over requests of Σ_p w r. Unbiased where every (item, place) of the target had
  a chance; its variance grows with 1 / that chance.
* SNIPS = Σ_p (Σ_x w r) / (Σ_x w). Slightly biased, mostly steadier (Swaminathan & Joachims
  2015, "The Self-Normalized Estimator for Counterfactual Learning", NeurIPS).
* DR = mean of Σ_p [q(x, target's item at p) + w (r - q(x, item shown at p))]. Unbiased as IPS
  is, with less variance the better the reward model q is (Dudík, Langford & Li 2011, "Doubly
  Robust Policy Evaluation and Learning", ICML); q is cross-fitted over two halves of users.

Propensities come from the log: the epsilon-shuffle makes them exact (``agent.experiments``).
They are conditional on the arm, which is fixed by a hash and not drawn a request. Weights
are clipped, which trades variance for a bias towards 0; how many were is reported. Intervals
are percentile bootstraps over users.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.online.log import Exposure
from eval.online.pairs import Array, Pairs, pairs_of
from eval.online.targets import Target
from retrieval.errors import InvalidInput

LOW_OVERLAP = 0.1
CLIP = 100.0
_RESAMPLES = 1000
_BATCH = 50  # resamples of all users in memory at once


@dataclass(frozen=True, slots=True)
class Estimate:
    """Value of the target by one estimator with its 95 % interval; NaN where it has none."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of the log speaks about the target.

    Attributes:
        requests: usable ones that the target ranks.
        effective: effective sample size (Σw)² / Σw² of the place where its share is smallest.
        share: that of the requests with an item at the place, in [0, 1].
        unsupported: share of the target's (request, place) pairs that had no chance.
        clipped: weights that were cut.
        largest: the largest weight before cutting.
    """

    requests: int
    effective: float
    share: float
    unsupported: float
    clipped: int
    largest: float


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """``logged`` is what was really earned, ``estimates`` are IPS, SNIPS and DR."""

    logged: Estimate
    estimates: tuple[Estimate, ...]
    overlap: Overlap
    left_out: int
    warnings: tuple[str, ...]


def usable(exposures: Sequence[Exposure]) -> list[Exposure]:
    """Requests of known users with propensities, whose arm was applied."""
    return [
        one
        for one in exposures
        if one.request.user_id is not None
        and one.request.exposed
        and one.request.shown
        and all(item.propensity is not None for item in one.request.shown)
    ]


def estimate(
    exposures: Sequence[Exposure],
    target: Target,
    *,
    depth: int = 1,
    clip: float = CLIP,
    seed: int = 0,
) -> OffPolicy:
    """Value of the target, by three estimators, and how far to trust them.

    Args:
        exposures: the log; what is not ``usable`` is left out.
        target: other rankings of the same requests. Requests after which nothing was taken
            may be missing: they add 0 to IPS whatever the target does, but SNIPS and DR have
            no value then.
        depth: places that count, from the top.
        clip: largest weight.
        seed: of the bootstrap.

    Raises:
        InvalidInput: no usable request, ``depth`` or ``clip`` below 1, or the target does not
            rank a request that earned something.
    """
    if depth < 1 or not 1 <= clip < math.inf:
        raise InvalidInput(f"depth = {depth}, clip = {clip}", "both are at least 1")
    used = usable(exposures)
    if not used:
        raise InvalidInput(
            "no logged request has propensities",
            "log with [experiment] explore > 0; interleaved requests have none",
        )
    unranked = [one for one in used if one.request.request_id not in target]
    if any(one.taken for one in unranked):
        raise InvalidInput(
            f"the target does not rank {sum(bool(one.taken) for one in unranked)} requests "
            "after which something was taken",
            "estimates over chosen requests mislead: rank all of them",
        )
    depth = min(depth, max(len(one.request.shown) for one in used))
    pairs = pairs_of(used, target, depth)
    users = [str(one.request.user_id) for one in used]
    weights = np.minimum(pairs.weights, clip)
    each = np.ones_like(weights)
    earned = weights * pairs.rewards
    ips = _ratio("IPS", earned, each, users, seed)
    if unranked:
        rest = [Estimate(name, math.nan, math.nan, math.nan) for name in ("SNIPS", "DR")]
    else:
        # A place that some answers lack counts for the share of requests that have it.
        has = np.isfinite(pairs.chance).mean(axis=0)
        places = has > 0
        robust = pairs.target_q + weights * (pairs.rewards - pairs.shown_q)
        rest = [
            _ratio(
                "SNIPS",
                earned[:, places],
                (weights / np.where(places, has, 1))[:, places],
                users,
                seed,
            ),
            _ratio("DR", robust, each, users, seed),
        ]
    overlap = _overlap(pairs, weights, clip)
    return OffPolicy(
        logged=_ratio("logged", pairs.rewards, each, users, seed),
        estimates=(ips, *rest),
        overlap=overlap,
        left_out=len(exposures) - len(used),
        warnings=tuple(_warnings(overlap, used, len(unranked))),
    )


def _ratio(name: str, above: Array, below: Array, users: Sequence[str], seed: int) -> Estimate:
    """Σ over places of the ratio of two sums over requests; NaN where one is 0 / 0.

    The interval resamples users: what a user takes in one request and in the next hangs
    together.
    """
    numbers = {user: number for number, user in enumerate(dict.fromkeys(users))}
    of_request = np.array([numbers[user] for user in users])
    sums = np.zeros((2, len(numbers), above.shape[1]))
    np.add.at(sums[0], of_request, above)
    np.add.at(sums[1], of_request, below)
    rng = np.random.default_rng(seed)
    shares = np.full(len(numbers), 1 / len(numbers))
    draws: list[float] = []
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float((sums[0].sum(axis=0) / sums[1].sum(axis=0)).sum())
        for _ in range(_RESAMPLES // _BATCH):
            counts = rng.multinomial(len(numbers), shares, size=_BATCH).astype(np.float64)
            draws += ((counts @ sums[0]) / (counts @ sums[1])).sum(axis=1).tolist()
    found = [draw for draw in draws if math.isfinite(draw)]
    if not found or math.isnan(value):
        return Estimate(name, math.nan, math.nan, math.nan)
    low, high = np.quantile(found, [0.025, 0.975])
    return Estimate(name, value, float(low), float(high))


def _overlap(pairs: Pairs, weights: Array, clip: float) -> Overlap:
    total, squared = weights.sum(axis=0), (weights**2).sum(axis=0)
    sizes = np.divide(total**2, squared, out=np.zeros_like(total), where=squared > 0)
    ranked = np.isfinite(pairs.chance)
    having = ranked.sum(axis=0)
    shares = np.divide(sizes, having, out=np.full_like(sizes, np.inf), where=having > 0)
    place = int(np.argmin(shares))
    anything = bool(ranked.any())
    return Overlap(
        requests=int(ranked.any(axis=1).sum()),
        effective=float(sizes[place]),
        share=float(shares[place]) if anything else 0.0,
        unsupported=float(np.mean(pairs.chance[ranked] == 0)) if anything else 0.0,
        clipped=int(np.sum(pairs.weights > clip)),
        largest=float(pairs.weights.max()),
    )


def _warnings(overlap: Overlap, used: Sequence[Exposure], unranked: int) -> list[str]:
    said = []
    if overlap.share < LOW_OVERLAP:
        said.append(
            f"LOW OVERLAP: {overlap.requests} requests count as {overlap.effective:.0f} "
            f"({overlap.share:.1%}): the target seldom does what was logged, and a few requests "
            "decide the estimate"
        )
    if overlap.unsupported > 0:
        said.append(
            f"NO SUPPORT: {overlap.unsupported:.1%} of what the target shows could not have been "
            "shown: IPS and SNIPS know nothing of it, and DR believes its reward model"
        )
    if overlap.clipped:
        said.append(f"{overlap.clipped} weights were clipped: IPS and DR lean towards less")
    if all(one.request.explore == 0 for one in used):
        said.append("nothing was explored: what was logged says nothing about other orders")
    if unranked:
        said.append(
            f"the target does not rank {unranked} requests after which nothing was taken: "
            "only IPS has a value"
        )
    return said
