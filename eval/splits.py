"""Who is trained on what, and tested on what.

Leave-last-out compares with published tables; the global temporal split is the one
that counts, since leave-last-out lets a model learn from other users' future
(Meng et al. 2020; Ji et al. 2023).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from retrieval.errors import InvalidInput
from retrieval.types import Interaction


@dataclass(frozen=True, slots=True)
class Split:
    """``train`` interactions, and per tested user the items to find.

    ``cut`` is the instant nothing in ``train`` is newer than; ``None`` for leave-last-out,
    where every user has a cut of their own. ``left_out`` counts users not tested, by reason.
    """

    train: Sequence[Interaction]
    relevant: Mapping[str, frozenset[str]]
    cut: datetime | None
    left_out: Mapping[str, int]


def leave_last_out(interactions: Sequence[Interaction], *, min_interactions: int = 3) -> Split:
    """Each user's last interaction is tested, all others train.

    Users with fewer than ``min_interactions`` only train. Among interactions of the same
    instant the later one in the given order is the last: the log's own order decides.
    An empty log gives an empty split.
    """
    by_user: dict[str, list[int]] = defaultdict(list)
    for position, interaction in enumerate(interactions):
        by_user[interaction.user_id].append(position)
    held: dict[int, Interaction] = {}
    for positions in by_user.values():
        if len(positions) >= min_interactions:
            last = max(positions, key=lambda p: (interactions[p].at, p))
            held[last] = interactions[last]
    return Split(
        train=[x for position, x in enumerate(interactions) if position not in held],
        relevant={x.user_id: frozenset({x.item_id}) for x in held.values()},
        cut=None,
        left_out={"fewer than min_interactions": len(by_user) - len(held)},
    )


def global_temporal(interactions: Sequence[Interaction], *, test_fraction: float = 0.2) -> Split:
    """One instant for everybody: the newest ``test_fraction`` of interactions is tested.

    Tested are users with a history before the cut; what they already had is not asked
    for again. Items first seen after the cut stay in the question: a system that
    cannot find them loses, as it would in production.

    Raises:
        InvalidInput: ``test_fraction`` is not in (0, 1), or the log has fewer than two instants.
    """
    if not 0 < test_fraction < 1:
        raise InvalidInput(f"test_fraction = {test_fraction}", "use a share between 0 and 1")
    instants = sorted(x.at for x in interactions)
    if not instants or instants[0] == instants[-1]:
        raise InvalidInput(
            "a temporal split needs interactions at two instants or more",
            "use kind = 'leave-last-out' for logs without times",
        )
    cut = instants[max(0, int(len(instants) * (1 - test_fraction)) - 1)]
    train = [x for x in interactions if x.at <= cut]
    known: dict[str, set[str]] = defaultdict(set)
    for x in train:
        known[x.user_id].add(x.item_id)
    future: dict[str, set[str]] = defaultdict(set)
    for x in interactions:
        if x.at > cut:
            future[x.user_id].add(x.item_id)
    strangers = sum(user not in known for user in future)
    relevant = {
        user: frozenset(items - known[user])
        for user, items in future.items()
        if user in known and items - known[user]
    }
    return Split(
        train=train,
        relevant=relevant,
        cut=cut,
        left_out={
            "no history before the cut": strangers,
            "nothing new after the cut": len(future) - strangers - len(relevant),
        },
    )
