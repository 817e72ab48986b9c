"""The pool: what every source proposes under the conditions, with every source's score of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from agent.understand import Understood
from retrieval.errors import InvalidInput, PalateError
from retrieval.ports import CandidateSource, Catalog, EventLog
from retrieval.rules.conditions import describe
from retrieval.rules.filters import EVERYTHING, Allowed
from retrieval.types import Candidate

_log = logging.getLogger(__name__)
_FEW = 1000
"""Items that rules may leave out before sources are told what is allowed instead."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Candidates in the order in which sources proposed them; ``notes`` say why few or none.

    ``failed`` names the sources that could not answer; ``history`` counts the items that the
    user touched before.
    """

    candidates: tuple[Candidate, ...]
    notes: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    history: int = 0


def gather(
    asked: Understood,
    sources: Sequence[CandidateSource],
    *,
    catalog: Catalog,
    event_log: EventLog,
    per_source: int,
    rules: Allowed = EVERYTHING,
    pinned: Sequence[str] = (),
) -> Pool:
    """Union of the best ``per_source`` of every source, conditions and seen items out first.

    A source that fails is left out and named; the others answer. An empty pool is no
    error: its note says which condition leaves nothing.

    Args:
        asked: the request.
        sources: who proposes.
        catalog: knows which items satisfy the conditions.
        event_log: knows what was seen.
        per_source: how many each may propose.
        rules: what the shop's rules leave.
        pinned: joins the pool, as far as conditions and rules allow, proposed or not.

    Raises:
        InvalidInput: a condition that the catalogue cannot test.
    """
    query = asked.query
    allowed = catalog.eligible(query.constraints)
    avoided: set[str] = set()
    for condition in asked.avoid:
        avoided |= catalog.eligible((condition,)) or frozenset()
    touched = frozenset[str]() if query.user_id is None else event_log.seen(query.user_id)
    seen = frozenset[str]() if query.include_seen else touched
    excluded = seen | avoided
    if rules.kept is not None and not (rules.kept if allowed is None else allowed & rules.kept):
        if allowed is None or allowed:
            return Pool((), ("the shop's rules leave nothing that fits the request",))
    elif rules.kept is not None and (allowed is not None or len(rules.left_out) > _FEW):
        allowed = rules.kept if allowed is None else allowed & rules.kept
    else:  # a few ids are cheaper to skip than all others are to list
        excluded |= rules.left_out
    if allowed is not None and allowed <= excluded:
        conditioned = allowed if query.constraints else None
        return Pool((), (_why_nothing(asked, catalog, conditioned, seen),))
    wide = max(per_source, query.n)
    proposed: dict[str, dict[str, float]] = {}
    failed: list[str] = []
    notes: list[str] = []
    working: list[CandidateSource] = []
    for source in sources:
        try:
            for scored in source.candidates(query, wide, allowed, excluded):
                if rules.kept is None or scored.item_id in rules.kept:
                    proposed.setdefault(scored.item_id, {})[source.name] = scored.score
            working.append(source)
        except InvalidInput:
            raise
        except PalateError as error:
            _log.warning("source %s failed: %s", source.name, error.message)
            failed.append(source.name)
            notes.append(f"source {source.name} was left out: {error.message}")
    found = bool(proposed)
    for item in catalog.items(pinned) if pinned else ():
        if item.item_id not in excluded and (allowed is None or item.item_id in allowed):
            proposed.setdefault(item.item_id, {})
    _complete(proposed, working, asked)
    if not found:
        for item_id in _floor(catalog, allowed, excluded, wide):
            proposed.setdefault(item_id, {})
        if proposed:
            notes.append("nothing to go by yet: items in the order of the catalogue")
        else:
            notes.append(_why_nothing(asked, catalog, allowed, seen))
    candidates = tuple(Candidate(item_id, scores) for item_id, scores in proposed.items())
    return Pool(candidates, tuple(notes), tuple(failed), len(touched))


def _complete(
    proposed: dict[str, dict[str, float]], sources: Sequence[CandidateSource], asked: Understood
) -> None:
    """Ask each source about the items that only others proposed."""
    for source in sources:
        name = source.name
        missing = [item_id for item_id, scores in proposed.items() if name not in scores]
        if not missing:
            continue
        try:
            scores = source.scores(asked.query, missing)
        except PalateError as error:
            _log.warning("source %s could not complete the pool: %s", source.name, error.message)
            continue
        for item_id, score in scores.items():
            proposed[item_id][name] = score


def _floor(
    catalog: Catalog, allowed: frozenset[str] | None, excluded: frozenset[str], k: int
) -> list[str]:
    """The first ``k`` fitting items: what a shop without any behaviour can still show."""
    items = catalog.items() if allowed is None else catalog.items(sorted(allowed - excluded)[:k])
    ids = (item.item_id for item in items if item.item_id not in excluded)
    return list(islice(ids, k))


def _why_nothing(
    asked: Understood, catalog: Catalog, allowed: frozenset[str] | None, seen: frozenset[str]
) -> str:
    conditions = asked.query.constraints
    if not catalog.counts().get("items", 0):
        return "the catalogue is empty: bring items in with `palate ingest`"
    if allowed is None:
        if asked.avoid:
            refused = " and ".join(sorted({describe(c) for c in asked.avoid}))
            return f"nothing is left besides {refused}: refuse less, or include seen items"
        return "every item was seen already: ask with include_seen to get them again"
    if allowed:
        if allowed <= seen:
            many = f"all {len(allowed)} items that satisfy" if len(allowed) > 1 else "the only item"
            that = "" if len(allowed) > 1 else " that satisfies"
            wanted = " and ".join(describe(c) for c in conditions)
            return f"{many}{that} {wanted} were seen already: ask with include_seen, or relax it"
        return "every item that satisfies the conditions was refused or seen: relax one of them"
    for condition in conditions:
        if not catalog.eligible((condition,)):
            return f"no item satisfies {describe(condition)}: relax or drop this condition"
    return (
        f"no item satisfies {' and '.join(map(describe, conditions))} together: relax one of them"
    )
