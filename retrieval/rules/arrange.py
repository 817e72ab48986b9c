"""Rules that move items of a ranked list: buries, caps and pins, in this order of yielding.

A pin wins over a bury, and a cap over both: what a cap promises holds in every prefix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieval.rules.conditions import folded_values, holds
from retrieval.rules.filters import counted
from retrieval.rules.rules import Bury, Cap, Pin, Rules
from retrieval.types import Item


@dataclass(frozen=True, slots=True)
class Arranged:
    """A list after the rules.

    Attributes:
        order: what is left of the ids, best first; all of them unless a strict cap took some.
        sentences: what each rule did; nothing of those that changed nothing.
        free: how many leading places may be shuffled among themselves without breaking a rule.
    """

    order: tuple[str, ...]
    sentences: tuple[str, ...]
    free: int


def arrange(order: Sequence[str], items: Mapping[str, Item], rules: Rules) -> Arranged:
    """Apply the rules that move items.

    Args:
        order: ids, best first, each once.
        items: the items; an id without one has no attributes, so only its id can match.
        rules: those that apply to the request; their filters are not looked at.
    """
    if not (rules.caps or rules.pins or rules.buries):
        return Arranged(tuple(order), (), len(order))
    return _Arranging(order, items, rules).run()


class _Arranging:
    """One list on its way; used once."""

    def __init__(self, order: Sequence[str], items: Mapping[str, Item], rules: Rules) -> None:
        self._order = list(order)
        self._items = {one: items.get(one) or Item(one, "") for one in order}
        self._rules = rules
        self._values = [
            {one: folded_values(self._items[one].attributes.get(cap.field)) for one in order}
            for cap in rules.caps
        ]
        self._counts = [Counter[str]() for _ in rules.caps]
        self._held_back: list[set[str]] = [set() for _ in rules.caps]
        self._relaxed: list[int] = [0 for _ in rules.caps]
        self._accepted: list[tuple[Pin, str]] = []
        self._sentences: list[str] = []

    def run(self) -> Arranged:
        pins = self._pinned()
        pinned = set(pins.values())
        buried = self._buried(pinned)
        line = [one for one in self._order if one not in pinned and one not in buried]
        line += [one for one in self._order if one in buried]
        out = self._filled(line, pins)
        place_of = {one: place for place, one in enumerate(out)}
        self._say_what_caps_did(place_of)
        self._sentences += [
            f"{pin.label}: {one} put at {place_of[one] + 1}"
            for pin, one in self._accepted
            if one in place_of
        ]
        ends = [place for place, one in enumerate(out) if one in pinned or one in buried][:1]
        ends += [cap.within for cap in self._rules.caps]
        return Arranged(tuple(out), tuple(self._sentences), min([len(out), *ends]))

    def _pinned(self) -> dict[int, str]:
        """Place, from 0, of every pin that can be kept; they count for the caps at once."""
        places: dict[int, str] = {}
        for pin in self._rules.pins:
            place = pin.position - 1
            for one in pin.item_ids:
                if one in places.values():
                    continue
                if one not in self._items:
                    self._sentences.append(f"{pin.label}: {one} may not be shown here")
                    continue
                while place in places:
                    place += 1
                full = self._full(one, place)
                if full is not None:
                    self._sentences.append(f"{pin.label}: {one} not pinned, {full.label} is full")
                    continue
                places[place] = one
                self._count(one, place)
                self._accepted.append((pin, one))
                place += 1
        return places

    def _buried(self, pinned: set[str]) -> set[str]:
        buried: set[str] = set()
        for rule in self._rules.buries:
            found = {one for one in self._order if self._meets(rule, one)} - pinned
            if found:
                self._sentences.append(f"{rule.label}: moved {counted(len(found))} to the end")
            buried |= found
        return buried

    def _meets(self, rule: Bury, one: str) -> bool:
        if one in rule.item_ids:
            return True
        return bool(rule.where) and all(holds(each, self._items[one]) for each in rule.where)

    def _filled(self, line: list[str], pins: dict[int, str]) -> list[str]:
        out: list[str] = []
        beyond = max((cap.within for cap in self._rules.caps), default=0)
        while line or pins:
            place = len(out)
            if place in pins:
                out.append(pins.pop(place))
                continue
            if place >= beyond and line:
                out.append(line.pop(0))
                continue
            at = self._first_that_fits(line, place)
            if at is not None:
                one = line.pop(at)
                self._count(one, place)
                out.append(one)
            elif pins:  # the list is too short to reach the place of the next one
                planned = min(pins)
                one = pins.pop(planned)
                self._count(one, planned, -1)
                line.insert(0, one)
            else:
                break
        return out

    def _first_that_fits(self, line: list[str], place: int) -> int | None:
        """Index of the next item; one above a cap only when nothing else is left."""
        spare: int | None = None
        for at, one in enumerate(line):
            full = [
                number
                for number, cap in enumerate(self._rules.caps)
                if self._is_full(number, cap, one, place)
            ]
            if not full:
                return at
            for number in full:
                self._held_back[number].add(one)
            if spare is None and not any(self._rules.caps[number].strict for number in full):
                spare = at
        if spare is not None:
            for number, cap in enumerate(self._rules.caps):
                self._relaxed[number] += self._is_full(number, cap, line[spare], place)
        return spare

    def _full(self, one: str, place: int) -> Cap | None:
        caps = enumerate(self._rules.caps)
        return next((cap for at, cap in caps if self._is_full(at, cap, one, place)), None)

    def _is_full(self, number: int, cap: Cap, one: str, place: int) -> bool:
        if place >= cap.within:
            return False
        counts = self._counts[number]
        return any(counts[value] >= cap.most for value in self._values[number][one])

    def _count(self, one: str, place: int, by: int = 1) -> None:
        for number, cap in enumerate(self._rules.caps):
            if place < cap.within:
                for value in self._values[number][one]:
                    self._counts[number][value] += by

    def _say_what_caps_did(self, after: Mapping[str, int]) -> None:
        before = {one: at for at, one in enumerate(self._order)}
        for number, cap in enumerate(self._rules.caps):
            did = Counter[str]()
            for one in self._held_back[number]:
                if one not in after:
                    did["left out"] += 1
                elif after[one] > before[one]:
                    did["moved down"] += 1
            told = [f"{what} {counted(n)}" for what, n in sorted(did.items())]
            if self._relaxed[number]:
                told.append(f"let {counted(self._relaxed[number])} pass, nothing else was left")
            if told:
                self._sentences.append(f"{cap.label}: {', '.join(told)}")
