"""What every (request, place) pair of the log says about another ranking of the request."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.experiments import propensity
from eval.online.log import Exposure
from eval.online.reward import FEATURES, Scales, fit, predict
from eval.online.targets import Target
from retrieval.types import LoggedRequest, content_hash

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Shape (requests, places) each; 0 where an answer is shorter.

    Attributes:
        weights: 1 / propensity where the target puts the same item there, else 0.
        rewards: 1 where the item shown was taken.
        shown_q: the reward model's probability that the item shown is taken there.
        target_q: that the target's item is; 0 for an item that was not logged.
        chance: propensity of the target's item there; NaN where the target has none.
    """

    weights: Array
    rewards: Array
    shown_q: Array
    target_q: Array
    chance: Array


def pairs_of(exposures: Sequence[Exposure], target: Target, depth: int) -> Pairs:
    """Compare what was shown with what the target would show, place by place.

    The reward model that judges a user's requests was fitted on the other half of the users.

    Args:
        exposures: with propensities; see ``eval.online.off_policy.usable``.
        target: other rankings; places beyond the length of the logged answer do not count.
        depth: places from the top.
    """
    shape = (len(exposures), depth)
    weights, rewards, shown_q, target_q = (np.zeros(shape) for _ in range(4))
    chance = np.full(shape, np.nan)
    halves = [int(content_hash(str(one.request.user_id)), 16) % 2 for one in exposures]
    scales = [Scales.of(one.request) for one in exposures]
    models = [
        _fitted([at for at, half in enumerate(halves) if half != mine], exposures, scales, depth)
        for mine in (0, 1)
    ]
    for row, (exposure, half, scale) in enumerate(zip(exposures, halves, scales, strict=True)):
        request = exposure.request
        items = {item.item_id: item for item in request.items}
        shown = request.shown[:depth]
        wanted = list(target.get(request.request_id, ()))[: len(shown)]
        for at, item in enumerate(shown):
            rewards[row, at] = item.item_id in exposure.taken
        for at, item_id in enumerate(wanted):
            chance[row, at] = _chance(request, item_id, at + 1)
            if item_id == shown[at].item_id:
                weights[row, at] = 1 / (shown[at].propensity or math.nan)
        q = [scale.row(item, at) for at, item in enumerate(shown, start=1)]
        shown_q[row, : len(shown)] = predict(q, models[half])
        known = [(at, items[item_id]) for at, item_id in enumerate(wanted) if item_id in items]
        q = [scale.row(item, at + 1) for at, item in known]
        target_q[row, [at for at, _ in known]] = predict(q, models[half])
    return Pairs(weights, rewards, shown_q, target_q, chance)


def _fitted(
    rows: Sequence[int], exposures: Sequence[Exposure], scales: Sequence[Scales], depth: int
) -> Array:
    features: list[list[float]] = []
    rewards: list[float] = []
    for row in rows:
        for place, item in enumerate(exposures[row].request.shown[:depth], start=1):
            features.append(scales[row].row(item, place))
            rewards.append(float(item.item_id in exposures[row].taken))
    return fit(np.array(features).reshape(-1, FEATURES), np.array(rewards))


def _chance(request: LoggedRequest, item_id: str, place: int) -> float:
    """Probability with which the logging policy shows the item there."""
    shown = request.shown
    for item in shown:
        if item.item_id == item_id and item.policy_rank is not None:
            return propensity(
                item.policy_rank, place, request.explore, request.explore_depth, len(shown)
            )
    return 0.0
