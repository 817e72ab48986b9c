"""Extracted rows to profile rows: pure code, the same result in any order and any number of steps.

There is no state to update: a profile is a function of the evidence that exists. So an
incremental build (old extractions from the cache, new ones added) equals a full rebuild,
and erasing one evidence equals never having seen it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from retrieval.types import AspectRow, Polarity, Quote, content_hash

MAX_QUOTES = 20
_SECONDS_PER_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class ExtractedRow:
    """What one evidence says of one aspect.

    ``aspect`` is the normalised key, ``label`` how the evidence put it. ``voter`` has one
    vote an aspect and polarity: the author for items, the evidence itself for a user's own
    words. ``weight`` in [0, 1] is trust times confidence. A ``timeless`` row does not age
    and is never after the cut-off: attributes and pictures have no date.
    """

    evidence_id: str
    voter: str
    at: datetime
    weight: float
    lang: str
    aspect: str
    label: str
    polarity: Polarity
    quote: str
    timeless: bool = False


def reduce_rows(
    extracted: Iterable[ExtractedRow],
    *,
    as_of: datetime,
    tau_days: float,
    subject: str = "",
    max_rows: int | None = None,
) -> tuple[AspectRow, ...]:
    """Merge rows on (aspect, polarity); strongest first, then by key.

    strength = Σ over voters of their largest weight · exp(-age/τ). Liking and disliking of
    one aspect stay two rows, each with its dates. ``n`` counts all evidence; the
    ``MAX_QUOTES`` weightiest of it keep their quotes, one each.

    Args:
        extracted: in any order; duplicates count once.
        as_of: the cut-off; rows with a later date are left out. Ages count from here.
        tau_days: τ, in days, > 0.
        subject: goes into the row ids, so that they say whose row it is.
        max_rows: the strongest that are kept; ``None`` keeps all.

    Returns:
        No row for no evidence, or where every weight is 0.
    """
    groups: dict[tuple[str, Polarity], set[ExtractedRow]] = defaultdict(set)
    for row in extracted:
        if row.weight > 0 and (row.timeless or row.at <= as_of):
            groups[row.aspect, row.polarity].add(row)
    rows = [
        _merge(aspect, polarity, list(group), as_of, tau_days, subject)
        for (aspect, polarity), group in groups.items()
    ]
    rows.sort(key=lambda row: (-row.strength, row.aspect, row.polarity))
    return tuple(rows[:max_rows])


def _merge(
    aspect: str,
    polarity: Polarity,
    group: Sequence[ExtractedRow],
    as_of: datetime,
    tau_days: float,
    subject: str,
) -> AspectRow:
    weights: dict[ExtractedRow, float] = {}
    votes: dict[str, float] = {}
    for row in group:
        age_days = 0.0 if row.timeless else (as_of - row.at).total_seconds() / _SECONDS_PER_DAY
        weights[row] = row.weight * math.exp(-max(0.0, age_days) / tau_days)
        votes[row.voter] = max(votes.get(row.voter, 0.0), weights[row])
    # One quote an evidence: the longest says most; the letters break ties.
    quotes: dict[str, ExtractedRow] = {}
    for row in sorted(group, key=lambda row: (-len(row.quote), row.quote, row.label)):
        quotes.setdefault(row.evidence_id, row)
    chosen = sorted(quotes.values(), key=lambda row: (-weights[row], row.at, row.evidence_id))
    langs = Counter(row.lang for row in quotes.values())
    lang = min(langs, key=lambda name: (-langs[name], name))
    labels = Counter(row.label for row in quotes.values() if row.lang == lang)
    return AspectRow(
        row_id=content_hash(subject, aspect, polarity)[:16],
        aspect=aspect,
        label=min(labels, key=lambda name: (-labels[name], len(name), name)),
        polarity=polarity,
        strength=math.fsum(votes.values()),
        n=len(quotes),
        first_at=min(row.at for row in group),
        last_at=max(row.at for row in group),
        lang=lang,
        quotes=tuple(Quote(row.evidence_id, row.quote) for row in chosen[:MAX_QUOTES]),
    )
