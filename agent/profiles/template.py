"""Profile sentences without a model: always possible, every word from a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from retrieval.types import AspectRow, ProfileSentence, Subject

WORD_LIMITS: dict[Subject, int] = {"user": 100, "item": 200}
_PER_SENTENCE = 4
_QUOTE_CHARS = 80
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")

# {0} is a list of aspects with quotes, or a list of quotes.
_PHRASES: dict[str, dict[tuple[Subject, str], str]] = {
    "en": {
        ("user", "like"): "Likes {0}.",
        ("user", "dislike"): "Dislikes {0}.",
        ("user", "need"): "Needs {0}.",
        ("user", "price"): "On price: {0}.",
        ("user", "context"): "In their words: {0}.",
        ("user", "choice"): "Often chooses {0}.",
        ("user", "fact"): "Facts: {0}.",
        ("item", "like"): "People like {0}.",
        ("item", "dislike"): "People dislike {0}.",
        ("item", "need"): "People need {0}.",
        ("item", "price"): "On price: {0}.",
        ("item", "context"): "What people say of it: {0}.",
        ("item", "choice"): "Chosen for {0}.",
        ("item", "fact"): "Facts: {0}.",
    },
    "zh": {
        ("user", "like"): "喜欢{0}。",
        ("user", "dislike"): "不喜欢{0}。",
        ("user", "need"): "需要{0}。",
        ("user", "price"): "关于价格：{0}。",
        ("user", "context"): "原话：{0}。",
        ("user", "choice"): "常选{0}。",
        ("user", "fact"): "属性：{0}。",
        ("item", "like"): "用户喜欢{0}。",
        ("item", "dislike"): "用户不喜欢{0}。",
        ("item", "need"): "用户需要{0}。",
        ("item", "price"): "关于价格：{0}。",
        ("item", "context"): "相关描述：{0}。",
        ("item", "choice"): "因{0}而被选。",
        ("item", "fact"): "属性：{0}。",
    },
}


def is_fact(row: AspectRow) -> bool:
    """Whether the row is an attribute of its item ("name: value")."""
    return row.polarity == "context" and all(
        quote.text.casefold().replace("_", " ").startswith(f"{row.label}: ") for quote in row.quotes
    )


def is_choice(row: AspectRow) -> bool:
    """Whether the row was derived from what a user chose."""
    return " = " in row.aspect


def template_sentences(
    subject: Subject, rows: Sequence[AspectRow], lang: str
) -> tuple[ProfileSentence, ...]:
    """Sentences over all rows in their order, each with the ids of its rows.

    Likes, dislikes, needs, prices, other words, then choices and facts; at most
    ``WORD_LIMITS`` words (a Chinese character counts as 0.6), what is beyond is left out.
    """
    phrases = _PHRASES["zh" if lang == "zh" else "en"]
    sentences: list[ProfileSentence] = []
    for kind, some in _grouped(rows):
        tell = _teller(kind, lang)
        text = phrases[subject, kind].format(_joined([tell(row) for row in some], kind, lang))
        sentences.append(ProfileSentence(text, tuple(row.row_id for row in some)))
    return within_limit(subject, sentences)


def within_limit(
    subject: Subject, sentences: Sequence[ProfileSentence]
) -> tuple[ProfileSentence, ...]:
    """The sentences that fit into the subject's word limit, in order."""
    kept: list[ProfileSentence] = []
    left = float(WORD_LIMITS[subject])
    for sentence in sentences:
        size = count_words(sentence.text)
        if size <= left:
            kept.append(sentence)
            left -= size
    return tuple(kept)


def count_words(text: str) -> float:
    """Words; a Chinese character counts as 0.6 of one."""
    return len(_WORD.findall(_HAN.sub(" ", text))) + 0.6 * len(_HAN.findall(text))


def clipped(quote: str, limit: int = _QUOTE_CHARS) -> str:
    """A quote on one line, cut at a word with "…" when it is longer than ``limit``."""
    quote = " ".join(quote.split())
    if len(quote) <= limit:
        return quote
    head = quote[:limit]
    at = head.rfind(" ")
    return (head[:at] if at > limit // 2 else head).rstrip(" ,.;，。；") + "…"


def _grouped(rows: Sequence[AspectRow]) -> Iterator[tuple[str, list[AspectRow]]]:
    groups: dict[str, list[AspectRow]] = {
        kind: [] for kind in ("like", "dislike", "need", "price", "context", "choice", "fact")
    }
    for row in rows:
        kind: str = "choice" if is_choice(row) else "fact" if is_fact(row) else row.polarity
        groups[kind].append(row)
    for kind, found in groups.items():
        # Facts are short and belong together; quotes need room.
        size = 2 * _PER_SENTENCE if kind in ("choice", "fact") else _PER_SENTENCE
        for start in range(0, len(found), size):
            yield kind, found[start : start + size]


def _teller(kind: str, lang: str) -> Callable[[AspectRow], str]:
    chinese = lang == "zh"
    if kind == "fact":
        return lambda row: clipped(row.quotes[0].text.replace("_", " "))
    if kind == "choice":
        return lambda row: f"{row.label}（{row.n}次）" if chinese else f"{row.label} ({row.n}×)"
    if kind in ("price", "context"):
        return lambda row: f"“{clipped(row.quotes[0].text)}”"
    if chinese:
        return lambda row: f"{row.label}（“{clipped(row.quotes[0].text)}”）"
    return lambda row: f"{row.label} (“{clipped(row.quotes[0].text)}”)"


def _joined(parts: Sequence[str], kind: str, lang: str) -> str:
    if lang == "zh":
        return ("；" if kind == "fact" else "、").join(parts)
    if kind in ("fact", "choice", "context", "price") or len(parts) == 1:
        return "; ".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
