"""Near-duplicates in a ranked list: the same thing listed twice, not two sizes of it.

Two items are one when nothing says that they differ and something says that they are the same:

- no attribute that both have differs, apart from those named in ``may_differ``, and
- their titles hold the same words, in any order, whatever case, width and punctuation; or their
  vectors are nearly equal, they have the same attributes, and one title only adds words to the
  other, none of them with a digit.

So "Coffee 250 g" and "Coffee 1 kg" stay two items, by their titles and by their weights, and
so do "Merlot Rosé" and "Merlot Blanc", whose vectors are close: each has a word of its own.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.diversity.similarity import similarities
from retrieval.rules.conditions import folded_values
from retrieval.store.values import fold
from retrieval.types import Item

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Collapsed:
    """A list with every near-duplicate behind the one that is shown.

    Attributes:
        order: ids that are shown, best first; a duplicate that had to stay takes the place of
            the best of its kind.
        into: id that is shown -> the others that it stands for, in their order.
    """

    order: tuple[str, ...]
    into: Mapping[str, tuple[str, ...]]


def collapse(
    order: Sequence[str],
    items: Mapping[str, Item],
    vectors: Mapping[str, NDArray[np.float32]],
    *,
    threshold: float,
    may_differ: Collection[str] = (),
    stays: Collection[str] = (),
) -> Collapsed:
    """Keep the best-ranked of each set of near-duplicates.

    Args:
        order: ids, best first.
        items: the items; an id without one stays as it is.
        vectors: of the items that are to be compared by vector too.
        threshold: cosine in (0, 1] from which vectors are nearly equal.
        may_differ: attributes in which duplicates may differ, such as the price of two sellers.
        stays: ids that are never collapsed, such as pinned ones.

    Returns:
        Ids of ``order``, each either shown or behind exactly one that is shown.
    """
    words = {one: _words(items[one].title) for one in order if one in items}
    close = _close_pairs([items[one] for one in order if one in items], vectors, threshold)
    same_words: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    shown_as: dict[str, str] = {}
    # What has to stay is looked at first, so that the others collapse into it.
    for one in sorted(order, key=lambda each: each not in stays):
        bag = words.get(one, ())
        rivals = [*same_words[bag], *close.get(one, ())] if bag else []
        kept = next(
            (
                other
                for other in rivals
                if shown_as.get(other) == other
                and one not in stays
                and _agree(items[one], items[other], may_differ)
                and (words[other] == bag or _differ_little(items[one], items[other], may_differ))
            ),
            one,
        )
        shown_as[one] = kept
        if kept == one and bag:
            same_words[bag].append(one)
    into: defaultdict[str, list[str]] = defaultdict(list)
    placed: dict[str, None] = {}
    for one in order:
        placed.setdefault(shown_as[one])
        if shown_as[one] != one:
            into[shown_as[one]].append(one)
    return Collapsed(tuple(placed), {kept: tuple(others) for kept, others in into.items()})


def worth_comparing(items: Sequence[Item], may_differ: Collection[str] = ()) -> list[str]:
    """Ids of the items that a vector could show to be near-duplicates: usually very few."""
    bags = [frozenset(_words(item.title)) for item in items]
    found: dict[str, None] = {}
    for at, bag in enumerate(bags):
        for other in range(at):
            if not (bag < bags[other] or bags[other] < bag) or not (bag and bags[other]):
                continue
            pair = items[at], items[other]
            if _agree(*pair, may_differ) and _differ_little(*pair, may_differ):
                found.update(dict.fromkeys(item.item_id for item in pair))
    return list(found)


def _words(title: str) -> tuple[str, ...]:
    return tuple(sorted(_WORD.findall(fold(title))))


def _differ_little(left: Item, right: Item, may_differ: Collection[str]) -> bool:
    """Whether both have the same attributes, and one title is the other with more plain words."""
    if (left.attributes.keys() ^ right.attributes.keys()) - set(may_differ):
        return False
    one, other = Counter(_words(left.title)), Counter(_words(right.title))
    more, less = one - other, other - one
    if more and less:
        return False
    return not any(letter.isdigit() for word in [*more, *less] for letter in word)


def _agree(left: Item, right: Item, may_differ: Collection[str]) -> bool:
    """Whether every attribute that both have holds the same values; numbers exactly."""
    shared = left.attributes.keys() & right.attributes.keys() - set(may_differ)
    return all(
        set(folded_values(left.attributes[name])) == set(folded_values(right.attributes[name]))
        for name in shared
    )


def _close_pairs(
    items: Sequence[Item], vectors: Mapping[str, NDArray[np.float32]], threshold: float
) -> dict[str, list[str]]:
    """Id -> ids of the items whose vectors are nearly equal, in the order of ``items``."""
    known = [item for item in items if item.item_id in vectors]
    if len(known) < 2:
        return {}
    bare = [Item(item.item_id, "") for item in known]
    alike = similarities(bare, vectors)
    np.fill_diagonal(alike, 0.0)
    close: defaultdict[str, list[str]] = defaultdict(list)
    for row, column in np.argwhere(alike >= np.float32(threshold)):
        close[known[row].item_id].append(known[column].item_id)
    return close
