"""The few words about an item, and about a person, that the language model judges by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from retrieval.types import AspectRow, AttributeValue, Candidate, Item

MAX_CARD_WORDS = 45
MAX_PROFILE_WORDS = 100
_MAX_TITLE_WORDS = 16
_MAX_ATTRIBUTES = 6
_MAX_VALUE_WORDS = 5
_MAX_ROWS = 3
_HISTORY_TITLES = 8
_TITLE_WORDS = 9
_LEVELS = 5

# One Chinese character is about one token and two make a word.
_WORD = re.compile(r"[\u3400-\u9fff]{1,2}|[^\s\u3400-\u9fff]+")


def first_words(text: str, limit: int) -> str:
    """The first ``limit`` words, whitespace squeezed; a pair of Chinese characters is a word."""
    text = " ".join(text.split())
    for count, match in enumerate(_WORD.finditer(text), start=1):
        if count > limit:
            return text[: match.start()].rstrip(" ,;:，；：")
    return text


def count_words(text: str) -> int:
    """Words as ``first_words`` counts them."""
    return len(_WORD.findall(text))


def item_card(item: Item, rows: Sequence[AspectRow], bins: Mapping[str, str] | None = None) -> str:
    """Title, key attributes and the strongest opinions, at most ``MAX_CARD_WORDS`` words.

    Args:
        item: the candidate.
        rows: its profile rows; empty when no profile was built.
        bins: what each source says, e.g. ``{"behaviour": "4/5"}``; ``None`` shows none.
    """
    parts = [first_words(item.title or item.item_id, _MAX_TITLE_WORDS)]
    names = {name.casefold() for name in item.attributes}
    shown = [f"{name}: {_short(value)}" for name, value in item.attributes.items() if _says(value)]
    if shown:
        parts.append("; ".join(shown[:_MAX_ATTRIBUTES]))
    opinions = [
        row
        for row in rows
        if row.polarity in ("like", "dislike")
        and row.aspect.casefold() not in names
        and row.label.casefold() not in names
    ]
    opinions.sort(key=lambda row: (-row.strength, row.row_id))
    if opinions:
        parts.append(
            "; ".join(
                f"{'+' if r.polarity == 'like' else '-'} {r.label}" for r in opinions[:_MAX_ROWS]
            )
        )
    if bins:
        parts.append(" · ".join(f"{name} {level}" for name, level in bins.items()))
    while count_words(card := ". ".join(parts)) > MAX_CARD_WORDS and len(shown) > 1:
        shown.pop()
        parts[1] = "; ".join(shown[:_MAX_ATTRIBUTES])
    return first_words(card, MAX_CARD_WORDS)


def history_text(titles: Sequence[str], lang: str) -> str:
    """What a person without a profile chose, latest first; "" for no title.

    Args:
        titles: of liked items, latest first; the first ``_HISTORY_TITLES`` are said.
        lang: "zh" or anything else for English.
    """
    said = [first_words(title, _TITLE_WORDS) for title in titles[:_HISTORY_TITLES]]
    return ("选过：" if lang == "zh" else "Chose: ") + "; ".join(said) if said else ""


def latest_liked(liked: Mapping[str, datetime]) -> list[str]:
    """Ids of the items that ``history_text`` tells of, latest first; ties by id."""
    return sorted(liked, key=lambda item: (liked[item], item), reverse=True)[:_HISTORY_TITLES]


def source_bins(pool: Sequence[Candidate]) -> dict[str, dict[str, str]]:
    """Five-level rank of each candidate in each source, ``?`` where the source is silent.

    Returns:
        item id -> source -> "1/5" (worst fifth of the pool) to "5/5", or "?".
    """
    names = sorted({name for candidate in pool for name in candidate.scores_by_source})
    bins: dict[str, dict[str, str]] = {candidate.item_id: {} for candidate in pool}
    for name in names:
        scores = sorted(c.scores_by_source[name] for c in pool if name in c.scores_by_source)
        for candidate in pool:
            score = candidate.scores_by_source.get(name)
            if score is None:
                bins[candidate.item_id][name] = "?"
                continue
            below = sum(other < score for other in scores)
            level = 1 + min(_LEVELS - 1, below * _LEVELS // len(scores))
            bins[candidate.item_id][name] = f"{level}/{_LEVELS}"
    return bins


def _says(value: AttributeValue) -> bool:
    return isinstance(value, bool) or bool(value)


def _short(value: AttributeValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | int):
        return f"{value:g}"
    text = value if isinstance(value, str) else ", ".join(value)
    return first_words(text, _MAX_VALUE_WORDS)
