"""Labelled pools out of the event log: what the past would have proposed, and what came true.

The log is cut once in time. Sources are fitted on what lies before the cut (T1); users
with history before and new items after it (T2) are the labels.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from retrieval.candidates.matrix import KIND_WEIGHTS
from retrieval.ports import CandidateSource
from retrieval.types import Candidate, Interaction, Query


@dataclass(frozen=True, slots=True)
class TemporalSplit:
    """The log cut at ``cut``: ``before`` is at or earlier than it, ``after`` is later."""

    cut: datetime | None
    before: tuple[Interaction, ...]
    after: tuple[Interaction, ...]


@dataclass(frozen=True, slots=True)
class LabelledUser:
    """What the user had touched before the cut, and what they took up after it."""

    user_id: str
    seen: frozenset[str]
    positives: frozenset[str]


def split_by_time(interactions: Sequence[Interaction], share_after: float) -> TemporalSplit:
    """Cut so that about ``share_after`` of the events are later than the cut.

    Events at the instant of the cut stay before it; a log without two distinct times
    has nothing after it.
    """
    events = sorted(interactions, key=lambda event: event.at)
    if not events:
        return TemporalSplit(None, (), ())
    cut = events[max(0, int(len(events) * (1 - share_after)) - 1)].at
    return TemporalSplit(
        cut,
        tuple(event for event in events if event.at <= cut),
        tuple(event for event in events if event.at > cut),
    )


def labelled_users(
    split: TemporalSplit, catalogue: frozenset[str], max_users: int, seed: int
) -> list[LabelledUser]:
    """Users with history before the cut and new, positive items after it, in id order.

    A user's positives are those of their strongest kind after the cut: purchases count
    for a buyer, views for somebody who only looked. Above ``max_users`` a seeded sample.
    """
    seen: dict[str, set[str]] = {}
    known: set[str] = set()
    for event in split.before:
        seen.setdefault(event.user_id, set()).add(event.item_id)
        if KIND_WEIGHTS[event.kind] > 0 and event.item_id in catalogue:
            known.add(event.user_id)
    took: dict[str, dict[float, set[str]]] = {}
    for event in split.after:
        weight = KIND_WEIGHTS[event.kind]
        new = event.item_id not in seen.get(event.user_id, ())
        if event.user_id in known and weight > 0 and new and event.item_id in catalogue:
            took.setdefault(event.user_id, {}).setdefault(weight, set()).add(event.item_id)
    users = sorted(took)
    if len(users) > max_users:
        users = sorted(random.Random(seed).sample(users, max_users))
    return [
        LabelledUser(user, frozenset(seen[user]), frozenset(took[user][max(took[user])]))
        for user in users
    ]


def pool_for(
    user: LabelledUser, sources: Sequence[CandidateSource], per_source: int
) -> list[Candidate]:
    """Union of the sources' best, each scored by all, in id order. The positive is never added."""
    query = Query(user_id=user.user_id)
    union = {
        one.item_id
        for source in sources
        for one in source.candidates(query, per_source, None, user.seen)
    }
    item_ids = sorted(union)
    columns: Mapping[str, Mapping[str, float]] = {
        source.name: source.scores(query, item_ids) for source in sources
    }
    return [
        Candidate(item, {name: got[item] for name, got in columns.items() if item in got})
        for item in item_ids
    ]
