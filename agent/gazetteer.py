"""The catalogue's own vocabulary: which words are attribute values, which attributes are numbers.

Lets free text be understood without a model: "not plastic" means something only because
items of this catalogue say ``material: plastic``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agent.bilingual import ENGLISH_OF
from retrieval.types import Constraint, Item

_MAX_PHRASE_CHARACTERS = 40
_MAX_PHRASES = 200_000
_CJK = re.compile(r"[\u3400-\u9fff]")
_NEGATIVE_VALUE = re.compile(r"(?:no|not|non|without|free of)\b|(?:无|不|非|没|未|零)")
_SAYS_NOTHING = frozenset({"yes", "no", "true", "false", "other", "any", "n/a", "unknown"})
_ABSENT = frozenset({"none", "free", "zero", "无", "不含", "零"})
_PRICE_NAMES = ("price", "cost", "价格", "售价", "单价")


def fold(text: str) -> str:
    """One spelling for comparisons: NFKC, case-folded, single spaces, no underscores."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().replace("_", " ").split())


@dataclass(frozen=True)
class Gazetteer:
    """What the catalogue calls things.

    Attributes:
        phrases: folded phrase -> the conditions that items with this value meet. A value
            is also known by its last words ("plastic" for "recycled plastic").
        numbers: folded name -> name, of attributes that hold numbers.
        attributes: all attribute names.
        longest: characters of the longest phrase.
    """

    phrases: Mapping[str, tuple[Constraint, ...]] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    attributes: frozenset[str] = frozenset()
    longest: int = 0

    @property
    def price(self) -> str | None:
        """Name of the numeric attribute that is the price; ``None`` when there is none."""
        return next((self.numbers[name] for name in _PRICE_NAMES if name in self.numbers), None)


def build_gazetteer(items: Iterable[Item]) -> Gazetteer:
    """Read every attribute of the catalogue once. An empty catalogue knows no word."""
    found: dict[str, dict[Constraint, None]] = {}
    numbers: dict[str, str] = {}
    attributes: set[str] = set()
    for item in items:
        for name, value in item.attributes.items():
            attributes.add(name)
            if isinstance(value, bool):
                if value:
                    _learn(found, name, Constraint(name, "eq", True))
            elif isinstance(value, float | int):
                numbers.setdefault(fold(name), name)
            elif isinstance(value, str):
                _learn(found, value, Constraint(name, "eq", value))
            else:
                for entry in value:
                    _learn(found, entry, Constraint(name, "contains", entry))
    _learn_absences(found, attributes)
    for chinese, english in ENGLISH_OF.items():
        for known, other in ((chinese, english), (english, chinese)):
            if known in found:
                found.setdefault(other, {}).update(found[known])
    phrases = {phrase: tuple(conditions) for phrase, conditions in found.items()}
    return Gazetteer(phrases, numbers, frozenset(attributes), max(map(len, phrases), default=0))


def _learn_absences(found: dict[str, dict[Constraint, None]], attributes: set[str]) -> None:
    """Where ``caffeine: none`` is a value, refusing caffeine refuses its other values."""
    by_attribute: dict[str, list[Constraint]] = {}
    for conditions in found.values():
        for condition in conditions:
            by_attribute.setdefault(condition.field, []).append(condition)
    for name in attributes:
        stated = by_attribute.get(name, [])
        other = [c for c in stated if fold(str(c.value)) not in _ABSENT]
        if other and len(other) < len(stated):
            found.setdefault(fold(name), {}).update(dict.fromkeys(other))


def _learn(found: dict[str, dict[Constraint, None]], value: str, condition: Constraint) -> None:
    phrase = fold(value)
    if not 0 < len(phrase) <= _MAX_PHRASE_CHARACTERS or len(found) >= _MAX_PHRASES:
        return
    if phrase in _SAYS_NOTHING or phrase.replace(".", "").isdigit():
        return
    found.setdefault(phrase, {})[condition] = None
    if _NEGATIVE_VALUE.match(phrase):
        return  # "no sugar" must not be known as "sugar"
    for shorter in _last_words(phrase):
        found.setdefault(shorter, {})[condition] = None


def _last_words(phrase: str) -> list[str]:
    """Shorter names whose meaning the phrase keeps: its head stands last, also in Chinese."""
    if _CJK.search(phrase):
        without_has = phrase.removeprefix("含")
        names = [phrase[at:] for at in range(1, len(phrase) - 1)]
        return [*names, without_has] if without_has != phrase and without_has else names
    words = phrase.split()
    return [" ".join(words[at:]) for at in range(1, len(words)) if len(words[at]) > 2]
