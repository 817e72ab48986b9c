"""From a ranked order to the list that is shown: one of each kind, mixed, then by the rules.

Near-duplicates go first, so that neither diversity nor a cap counts a thing twice; rules go
last, so that what they promise holds of what is shown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.settings import RetrievalSettings
from retrieval.diversity.duplicates import Collapsed, collapse, worth_comparing
from retrieval.diversity.mmr import mmr
from retrieval.diversity.similarity import intra_list_diversity, similarities
from retrieval.errors import PalateError
from retrieval.fusion.score import FusedCandidate
from retrieval.rules.arrange import arrange
from retrieval.rules.filters import Filters, counted
from retrieval.rules.rules import NO_RULES, Rules
from retrieval.types import Item, TradeOff

_log = logging.getLogger(__name__)
_DEEP = 100
"""Places from the top that are compared with each other; below, only rules move items."""

ItemsOf = Callable[[Sequence[str]], Iterable[Item]]
VectorsOf = Callable[[Sequence[str]], Mapping[str, NDArray[np.float32]]]


def no_vectors(_: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
    """Of a shop without profiles."""
    return {}


@dataclass(frozen=True)
class Shelf:
    """What arranging needs to know of a shop.

    Attributes:
        rules: all of them.
        filters: those that filter, worked out over the catalogue.
        vectors: of items, those that have one.
    """

    rules: Rules = NO_RULES
    filters: Filters = field(default_factory=Filters)
    vectors: VectorsOf = no_vectors


@dataclass(frozen=True, slots=True)
class ArrangedList:
    """A list as it is shown.

    Attributes:
        order: best first.
        into: id that is shown -> near-duplicates that it stands for.
        sentences: what was done to the list.
        trade_off: of diversity; ``None`` when none was asked for or there is too little to mix.
        free: leading places that may be shuffled without breaking a rule.
    """

    order: tuple[FusedCandidate, ...]
    into: Mapping[str, tuple[str, ...]]
    sentences: tuple[str, ...]
    trade_off: TradeOff | None
    free: int


def arrange_list(
    order: Sequence[FusedCandidate],
    *,
    items_of: ItemsOf,
    rules: Rules,
    vectors: VectorsOf,
    settings: RetrievalSettings,
    diversity: float,
    n: int,
) -> ArrangedList:
    """Collapse, mix, and apply the rules that move items.

    Args:
        order: the ranked candidates, best first.
        items_of: what the catalogue says of some of them.
        rules: those that apply to the request.
        vectors: where they cannot be read the answer does without, and says so.
        settings: what counts as a near-duplicate.
        diversity: in [0, 1].
        n: length of a page, for the trade-off.
    """
    ids = [one.item_id for one in order]
    deep = max(_DEEP, n)
    moves = bool(rules.caps or rules.pins or rules.buries)
    if len(ids) < 2 or not (settings.duplicates or diversity or moves):
        return ArrangedList(tuple(order), {}, (), None, len(ids))
    items = {item.item_id: item for item in items_of(ids if moves else ids[:deep])}
    top = [items.get(one) or Item(one, "") for one in ids[:deep]]
    sentences: list[str] = []
    alike_by = ids[:deep] if diversity else []
    if settings.duplicates and not diversity:
        alike_by = worth_comparing(top, settings.duplicates_may_differ)
    known: Mapping[str, NDArray[np.float32]] = {}
    try:
        known = vectors(alike_by) if alike_by else {}
    except PalateError as error:
        _log.warning("no vectors to compare items by: %s", error.message)
        sentences.append(f"vectors could not be read, so they compare nothing: {error.message}")
    shown = Collapsed(tuple(ids[:deep]), {})
    if settings.duplicates:
        shown = collapse(
            ids[:deep],
            items,
            known,
            threshold=settings.duplicates,
            may_differ=settings.duplicates_may_differ,
            stays=frozenset(rules.pinned),
        )
        if shown.into:
            hidden = sum(map(len, shown.into.values()))
            sentences.append(f"near-duplicates: {counted(hidden)} behind {len(shown.into)} shown")
    by_id = {one.item_id: one for one in order}
    trade_off = None
    mixed = [by_id[one] for one in shown.order]
    if diversity:
        lowest = min(one.score for one in order)
        mixed, trade_off = _mixed(mixed, items, known, diversity, lowest, n)
    placed = arrange([*(one.item_id for one in mixed), *ids[deep:]], items, rules)
    return ArrangedList(
        tuple(by_id[one] for one in placed.order),
        shown.into,
        (*sentences, *placed.sentences),
        trade_off,
        placed.free,
    )


def _mixed(
    ranked: Sequence[FusedCandidate],
    items: Mapping[str, Item],
    vectors: Mapping[str, NDArray[np.float32]],
    diversity: float,
    lowest: float,
    n: int,
) -> tuple[list[FusedCandidate], TradeOff | None]:
    alike = similarities(
        [items.get(one.item_id) or Item(one.item_id, "") for one in ranked], vectors
    )
    scores = np.array([one.score for one in ranked], dtype=np.float64)
    places = mmr(scores.tolist(), alike, diversity)
    before = intra_list_diversity(alike, np.arange(len(ranked))[:n])
    after = intra_list_diversity(alike, places[:n])
    trade_off = None
    if before is not None and after is not None:
        above = scores - lowest
        best = float(np.sort(above)[::-1][:n].sum())
        share = float(above[places[:n]].sum()) / best if best > 0 else 1.0
        trade_off = TradeOff(diversity, min(share, 1.0), before, after)
    return [ranked[at] for at in places], trade_off
