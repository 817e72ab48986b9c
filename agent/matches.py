"""Which rows of a person and an item speak to each other; pure.

The pairs are what reasons are made of: same aspect, same value, the words of the request,
and what other buyers hold against the item.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.grounding import content_words
from retrieval.candidates.tokens import query_terms
from retrieval.types import AspectRow, Evidence, Quote

MatchKind = Literal["asked", "same", "value", "contrast", "warning", "disagrees"]
POSITIVE: frozenset[MatchKind] = frozenset({"asked", "same", "value", "contrast"})
_WANTED = ("like", "need")
_FACTS = ("attribute", "caption")
_HAN = re.compile("[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Match:
    """An item row that concerns this request, with the user row it answers, if any.

    ``word`` is the word of the query for ``asked``; ``weight`` orders matches of a kind.
    """

    kind: MatchKind
    item_row: AspectRow
    item_quote: Quote
    user_row: AspectRow | None = None
    user_quote: Quote | None = None
    word: str = ""
    weight: float = 0.0


def spoken_value(text: str) -> str:
    """One spelling of an attribute line such as ``Country: France``, for comparison."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().replace("_", " ").split())


def shared_value(user_row: AspectRow, user_quote: Quote, item_quote: Quote) -> str:
    """The attribute line that a preference and an item share; "" when they share none.

    ``country: France`` for equal lines. Of lists only the preferred entry counts:
    ``taste: cocoa`` for a row so labelled and an item with ``taste: herbal, cocoa``.
    """
    if spoken_value(user_quote.text) == spoken_value(item_quote.text):
        return item_quote.text
    name, _, values = item_quote.text.partition(":")
    for value in values.split(","):
        if spoken_value(f"{name}: {value}") == spoken_value(user_row.label):
            return f"{name}: {value.strip()}"
    return ""


def query_words(query: str) -> dict[str, str]:
    """Stem -> the word as the shopper wrote it; content words that say what is wanted."""
    telling = set(query_terms(query))
    found: dict[str, str] = {}
    for surface in query.split():
        stems = content_words(surface)
        for stem in stems:
            if not _HAN.search(stem) and stem not in telling:
                continue  # "something", "want": words of asking
            shown = surface.strip(".,;:!?\"'()，。；：！？、“”「」") if len(stems) == 1 else stem
            found.setdefault(stem, shown)
    return found


def find_matches(
    user_rows: Sequence[AspectRow],
    item_rows: Sequence[AspectRow],
    words: Mapping[str, str],
    known: Mapping[str, Evidence],
    lang: str,
) -> list[Match]:
    """Every pair worth a sentence: positive kinds first, heaviest first within a kind.

    Args:
        user_rows: the user's profile rows; empty for a stranger.
        item_rows: the item's.
        words: of the query, see ``query_words``.
        known: evidence by id; a quote whose evidence is not there is not used.
        lang: of the answer; quotes in it are preferred.
    """
    matches: list[Match] = []
    users = [(row, quotes[0]) for row in user_rows if (quotes := _quotes(row, known, lang))]
    for row in item_rows:
        quotes = _quotes(row, known, lang)
        if not quotes:
            continue
        quote = quotes[0]
        kind = known[quote.evidence_id].kind
        asked, answer = _asked(row, quotes, words)
        if asked and (row.polarity == "like" or kind in _FACTS):
            weight = len(asked) + row.strength / (1.0 + row.strength)
            matches.append(Match("asked", row, answer, word=words[asked[0]], weight=weight))
        if row.polarity == "dislike" and kind not in _FACTS:
            matches.append(Match("disagrees", row, quote, weight=row.strength))
        for user_row, user_quote in users:
            relation = _relation(user_row, user_quote, row, quote, known)
            if relation is not None:
                weight = user_row.strength * row.strength
                matches.append(Match(relation, row, quote, user_row, user_quote, weight=weight))
    order: Sequence[MatchKind] = ("asked", "same", "value", "contrast", "warning", "disagrees")
    return sorted(matches, key=lambda m: (order.index(m.kind), -m.weight, m.item_row.row_id))


def _relation(
    user_row: AspectRow,
    user_quote: Quote,
    item_row: AspectRow,
    item_quote: Quote,
    known: Mapping[str, Evidence],
) -> MatchKind | None:
    user_listed = known[user_quote.evidence_id].kind == "attribute"
    item_listed = known[item_quote.evidence_id].kind == "attribute"
    if user_listed and item_listed:
        shared = shared_value(user_row, user_quote, item_quote)
        return "value" if shared and user_row.polarity in _WANTED else None
    if user_listed or user_row.aspect != item_row.aspect:
        return None
    if user_row.polarity in _WANTED:
        return "same" if item_row.polarity == "like" else None
    if user_row.polarity == "dislike":
        answers: dict[str, MatchKind] = {"like": "contrast", "dislike": "warning"}
        return answers.get(item_row.polarity)
    return None


def _quotes(row: AspectRow, known: Mapping[str, Evidence], lang: str) -> list[Quote]:
    """Quotes that stand literally in existing evidence; of ``lang`` first, then by weight."""
    usable = [
        quote
        for quote in row.quotes
        if quote.evidence_id in known
        and quote.text.strip()
        and spoken_value(quote.text) in spoken_value(known[quote.evidence_id].text)
    ]
    return sorted(usable, key=lambda quote: known[quote.evidence_id].lang != lang)


def _asked(
    row: AspectRow, quotes: Sequence[Quote], words: Mapping[str, str]
) -> tuple[list[str], Quote]:
    """Words of the query that the row is about, and the quote that holds most of them."""
    if not words:
        return [], quotes[0]
    spoken = [(_meant(quote.text, words), quote) for quote in quotes]
    said, best = max(spoken, key=lambda one: len(one[0]))
    label = _meant(row.label, words)
    return [stem for stem in words if stem in said or stem in label], best


def _meant(text: str, words: Mapping[str, str]) -> set[str]:
    """Which of the query's words occur in a text; Chinese words also inside longer ones."""
    said = set(content_words(text, everything=True))
    han = [word for word in said if len(word) > 1 and _HAN.search(word)]
    return {
        stem
        for stem in words
        if stem in said
        or (len(stem) > 1 and _HAN.search(stem) and any(w in stem or stem in w for w in han))
    }
