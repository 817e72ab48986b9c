"""What requests share, and what one request is after ranking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.arrange import Shelf
from agent.gazetteer import Gazetteer
from agent.pool import Pool
from agent.rerank import Judgement
from agent.stopwatch import Stopwatch
from agent.understand import Understood
from retrieval.fusion.score import FusedCandidate
from retrieval.fusion.weights import FusionWeights
from retrieval.ports import CandidateSource
from retrieval.rules.rules import Asker
from retrieval.types import Profile, Query


@dataclass(frozen=True)
class Snapshot:
    """All that is computed from the stores and shared by requests; replaced whole, never edited.

    Attributes:
        sources: fitted, in the order in which they propose.
        weights: of the fused score.
        gazetteer: the catalogue's vocabulary.
        notes: what is missing, for every trace.
        shelf: the shop's rules, and what arranging needs besides.
    """

    sources: tuple[CandidateSource, ...]
    weights: FusionWeights
    gazetteer: Gazetteer
    notes: tuple[str, ...] = ()
    shelf: Shelf = field(default_factory=Shelf)


@dataclass(frozen=True)
class Ranked:
    """A request after ranking: what its answer is made from.

    Attributes:
        query: the request as it was sent.
        asked: the request as it was understood.
        asker: who asks, as far as rules care.
        profile: of the user, if one was built.
        pool: the candidates.
        base: all of them in the order of S.
        order: all of them in the order of F, within the guard.
        judgement: what the language model said.
        snapshot: what was shared when it was ranked.
        watch: the time it took.
        filtered: what the rules left out, in sentences.
    """

    query: Query
    asked: Understood
    asker: Asker
    profile: Profile | None
    pool: Pool
    base: Sequence[FusedCandidate]
    order: Sequence[FusedCandidate]
    judgement: Judgement
    snapshot: Snapshot
    watch: Stopwatch
    filtered: tuple[str, ...] = ()
