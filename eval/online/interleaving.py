"""Team-draft interleaving: whose items people take when both rankings are in one list.

Radlinski, Kurup & Joachims (2008), CIKM. It finds differences with a fraction of the
requests that an A/B test needs, since every user compares both (Chapelle, Joachims,
Radlinski & Yue 2012, "Large-Scale Validation and Analysis of Interleaved Search
Evaluation", TOIS 30(1)); it says which ranking is better, not by how many purchases.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.online.log import Exposure
from eval.stats.paired import Comparison, compare
from retrieval.errors import InvalidInput
from retrieval.types import LoggedRequest


@dataclass(frozen=True, slots=True)
class Interleaved:
    """What an interleaving experiment says.

    Attributes:
        system: the arm compared.
        against: the baseline.
        requests: that took part.
        wins: requests in which more items of ``system`` were taken.
        losses: in which fewer were.
        ties: in which as many were; nearly always none at all.
        unexposed: requests left out because an arm could not be applied.
        comparison: over users, since requests of one user are not independent: the user's
            share of requests won minus the share lost, in [-1, 1].
    """

    system: str
    against: str
    requests: int
    wins: int
    losses: int
    ties: int
    unexposed: int
    comparison: Comparison


def credit(exposure: Exposure, system: str, against: str) -> int:
    """1 when more taken items came from ``system``, -1 when fewer, 0 when as many."""
    teams = [item.team for item in exposure.request.shown if item.item_id in exposure.taken]
    more = teams.count(system) - teams.count(against)
    return (more > 0) - (more < 0)


def analyse(exposures: Sequence[Exposure], *, seed: int = 0) -> Interleaved:
    """Compare the two arms of one interleaving experiment.

    Args:
        exposures: of one experiment; those of another design are ignored.
        seed: of the resampling.

    Raises:
        InvalidInput: no request of the experiment, or its arms were changed on the way.
    """
    requests = [one for one in exposures if one.request.design == "interleave"]
    against, system = _arms([one.request for one in requests])
    used = [one for one in requests if one.request.exposed and one.request.shown]
    by_user: dict[str, list[int]] = defaultdict(list)
    for one in used:
        by_user[str(one.request.user_id)].append(credit(one, system, against))
    votes = [vote for user in by_user.values() for vote in user]
    won = np.array([np.mean([vote > 0 for vote in user]) for user in by_user.values()])
    lost = np.array([np.mean([vote < 0 for vote in user]) for user in by_user.values()])
    return Interleaved(
        system=system,
        against=against,
        requests=len(used),
        wins=votes.count(1),
        losses=votes.count(-1),
        ties=votes.count(0),
        unexposed=sum(not one.request.exposed for one in requests),
        comparison=compare(system, against, "requests won", won, lost, seed=seed),
    )


def _arms(requests: Sequence[LoggedRequest]) -> tuple[str, str]:
    arms = {request.arms for request in requests}
    if not arms:
        raise InvalidInput("no request was interleaved", "see docs/online.md for how to start")
    if len(arms) > 1:
        raise InvalidInput(
            f"experiment {requests[0].experiment!r} ran with the arms "
            + " and ".join(", ".join(one) for one in sorted(arms)),
            "give an experiment a new name when its arms change",
        )
    ((against, system),) = arms
    return against, system
