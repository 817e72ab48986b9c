"""A log in which taste beats popularity, and somebody who watches a fit."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from retrieval.types import Interaction, InteractionKind

START = datetime(2024, 1, 1, tzinfo=UTC)
ITEMS = [f"i{at:02d}" for at in range(40)]


def event(user: str, item: str, day: float, kind: InteractionKind = "purchase") -> Interaction:
    return Interaction(user, item, kind, 1.0, START + timedelta(days=day))


def shop(users: int, seed: int = 0) -> list[Interaction]:
    """People of four tastes buy six things of their kind, evenly over 100 days."""
    rng = random.Random(seed)
    events = []
    for user in range(users):
        taste = ITEMS[user % 4 :: 4]
        for step, item in enumerate(rng.sample(taste, 6)):
            events.append(event(f"u{user:03d}", item, step * 16 + rng.random() * 16))
    return events


class Watcher:
    """Collects what a person would see."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.done = 0

    def start(self, stage: str, total: int | None) -> None:
        self.stages.append(stage)

    def advance(self, n: int = 1) -> None:
        self.done += n

    def note(self, text: str) -> None:
        self.stages.append(text)
