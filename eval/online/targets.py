"""Policies whose value is estimated: how each logged request would have been ranked instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from eval.online.log import Exposure
from retrieval.errors import InvalidInput
from retrieval.fusion.guard import guarded_order
from retrieval.fusion.score import FusedCandidate, combine

Target = Mapping[str, Sequence[str]]
"""Items by request id, best first. A request may be missing: nothing is known of it then."""


def as_logged(exposures: Sequence[Exposure]) -> Target:
    """The rankings that answered, before anything was shuffled; what exploring costs shows here."""
    return {
        one.request.request_id: [
            item.item_id
            for item in sorted(one.request.shown, key=lambda item: item.policy_rank or 0)
        ]
        for one in exposures
    }


def reweighted(exposures: Sequence[Exposure], *, weight: float, max_rise: int) -> Target:
    """F = S + weight * clip(z of the logged log-odds), within the guard; weight 0 gives S alone.

    Only the logged candidates take part: what lay deeper in the pool cannot rise.

    Args:
        exposures: requests to rank again.
        weight: lambda >= 0.
        max_rise: m of the guard.

    Raises:
        InvalidInput: a value outside its range.
    """
    return {one.request.request_id: _ranked(one, weight, max_rise) for one in exposures}


def _ranked(exposure: Exposure, weight: float, max_rise: int) -> list[str]:
    items = exposure.request.items
    base = [FusedCandidate(item.item_id, item.score, item.parts) for item in items]
    told = {item.item_id: item.log_odds for item in items if item.log_odds is not None}
    scores = {one.item_id: one.score for one in combine(base, told, weight)}
    return guarded_order([item.item_id for item in items], scores, max_rise)


def from_run(run: Path, system: str) -> Target:
    """A system of an evaluation run whose questions came from the log.

    Raises:
        NotFound, InvalidInput: no such run or system, or a bad file.
    """
    from eval.records.trec import read_trec_run

    target = read_trec_run(run, system)
    if not target:
        raise InvalidInput(f"system {system!r} of {run} ranks nothing", "choose another")
    return target
