"""Requests and clicks of a world whose truth is known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from agent.experiments import explore, propensity
from eval.online.log import Exposure
from retrieval.types import LoggedItem, LoggedRequest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ITEMS = 6


def request(
    number: int = 0,
    shown: Sequence[str] = ("a", "b"),
    user_id: str | None = "u1",
    teams: Sequence[str] = (),
    **changes: object,
) -> LoggedRequest:
    """A request whose items are exactly those shown, in the order of S."""
    items = tuple(
        LoggedItem(
            item_id=item_id,
            base_rank=rank,
            score=-float(rank),
            parts={"s": -float(rank)},
            policy_rank=None if teams else rank,
            rank=rank,
            propensity=None if teams else 1.0,
            team=teams[rank - 1] if teams else "",
        )
        for rank, item_id in enumerate(shown, start=1)
    )
    fields: dict[str, object] = {
        "request_id": f"r{number:05}",
        "at": NOW + timedelta(hours=number),
        "user_id": user_id,
        "consent": "asked",
        "lang": "en",
        "query_text": "tea",
        "person_text": "",
        "items": items,
    }
    return LoggedRequest(**{**fields, **changes})  # type: ignore[arg-type]


def chance_of_click(appeal: float, place: int) -> float:
    """Item-position model: the place is looked at, and then the item is liked."""
    return 1 / place * 1 / (1 + math.exp(-2 * appeal + 1))


def simulate(
    requests: int,
    *,
    epsilon: float,
    depth: int = 4,
    noise: float = 0.3,
    seed: int = 0,
    per_user: int = 2,
) -> tuple[list[Exposure], list[dict[str, float]]]:
    """Exposures, and the true appeal of every item of each.

    S and the log-odds are appeal with noise; the policy ranks by S.
    """
    rng = random.Random(seed)
    exposures, appeals = [], []
    for number in range(requests):
        appeal = {f"i{at}": rng.gauss(0, 1) for at in range(ITEMS)}
        score = {item: value + rng.gauss(0, noise) for item, value in appeal.items()}
        policy = sorted(score, key=lambda item: -score[item])
        shown = explore(policy, epsilon, depth, rng)
        taken = {
            item
            for place, item in enumerate(shown, start=1)
            if rng.random() < chance_of_click(appeal[item], place)
        }
        items = tuple(
            LoggedItem(
                item_id=item,
                base_rank=rank,
                score=score[item],
                parts={"s": score[item]},
                log_odds=appeal[item] + rng.gauss(0, noise),
                policy_rank=rank,
                rank=shown.index(item) + 1,
                propensity=propensity(rank, shown.index(item) + 1, epsilon, depth, ITEMS),
            )
            for rank, item in enumerate(policy, start=1)
        )
        made = request(
            number,
            user_id=f"u{number // per_user}",
            items=items,
            explore=epsilon,
            explore_depth=depth,
        )
        exposures.append(Exposure(made, frozenset(taken)))
        appeals.append(appeal)
    return exposures, appeals


def true_value(
    appeals: Sequence[dict[str, float]],
    rank: Callable[[int, dict[str, float]], Sequence[str]],
    depth: int,
) -> float:
    """Expected clicks in the first ``depth`` places of a request under a ranking."""
    total = 0.0
    for number, appeal in enumerate(appeals):
        for place, item in enumerate(rank(number, appeal)[:depth], start=1):
            total += chance_of_click(appeal[item], place)
    return total / len(appeals)
