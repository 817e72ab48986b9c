"""Does a sentence say only what the texts that it cites say? Decided without a judge model.

Four questions, each answered by code: do its numbers occur in the cited texts, do its
names, do enough of its content words (English stems, Chinese words), and does it praise
what was praised and blame what was blamed. Used for profile texts and for explanations.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any, Literal

from retrieval.language import chinese_words, english_stems

CONTAINMENT = 0.6

Stance = Literal["like", "dislike", "mixed", ""]

_CJK = r"\u3400-\u4dbf\u4e00-\u9fff"
_HAN = re.compile(f"[{_CJK}]+")
_WORD = re.compile(rf"(?:(?![{_CJK}])[^\W\d_])+(?:['’-](?:(?![{_CJK}])[^\W\d_])+)*")
_MODEL_NAME = re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\b", re.ASCII)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*", re.ASCII)
_HAN_NUMBER = re.compile(
    r"([两二三四五六七八九十百千万]+)(?=[个年月天次块元岁件种人位杯瓶本只条周小])"
)
_HAN_DIGITS = {"一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8}
_HAN_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_SENTENCE_START = re.compile(r"(?:^|[.!?:;。！？：；\n]|[\"“”「『(])\s*$")


@dataclass(frozen=True)
class _Words:
    stop: frozenset[str]
    frame: frozenset[str]
    like_verbs: frozenset[str]
    dislike_verbs: frozenset[str]
    positive: frozenset[str]
    negative: frozenset[str]
    negators: frozenset[str]


def check_sentence(sentence: str, cited: Sequence[str], *, polarity: str | None = None) -> str:
    """Why a sentence is not supported by the texts it cites; "" when it is.

    Args:
        sentence: one sentence, English or Chinese.
        cited: quotes and labels that it rests on; none supports nothing.
        polarity: that of the cited rows when they agree, ``"mixed"`` when both liking
            and disliking are cited, ``None`` to leave the question out.

    Returns:
        A reason for people and counters, or "".
    """
    sentence = _fold_width(sentence).strip()
    source = _fold_width("\n".join(text for text in cited if text.strip()))
    if not sentence:
        return "the sentence is empty"
    if not source.strip():
        return "nothing is cited"
    unknown = sorted(set(_numbers(sentence)) - set(_numbers(source)))
    if unknown:
        return f"number {unknown[0]} is not in the cited text"
    known = {word.casefold() for word in _latin(source)}
    for name in _names(sentence):
        if name.casefold() not in known:
            return f"name {name} is not in the cited text"
    words = content_words(sentence)
    if not words:
        return "the sentence has no content"
    stems = set(content_words(source, everything=True))
    folded = source.casefold()
    found = sum(
        word in stems or (_HAN.search(word) is not None and word in folded) for word in words
    )
    if found / len(words) < CONTAINMENT:
        return f"only {found} of {len(words)} content words are in the cited text"
    return _polarity_conflict(sentence, polarity)


def content_words(text: str, *, everything: bool = False) -> tuple[str, ...]:
    """English stems and Chinese words that carry meaning, in order, each once.

    Args:
        text: any text; the empty text has none.
        everything: keep also the words of the frame ("person", "likes") and stop words.
    """
    text = _fold_width(text)
    english, chinese = _lexicon("en"), _lexicon("zh")
    words: dict[str, None] = {}
    for word in _latin(text):
        folded = word.casefold().replace("’", "'").removesuffix("'s")
        if everything or (folded not in english.stop and folded not in english.frame):
            words.update(dict.fromkeys(english_stems([folded])))
            if everything and "-" in folded:
                words.update(dict.fromkeys(english_stems(folded.split("-"))))
    for run in _HAN.findall(text):
        for word in chinese_words(run):
            if everything or (word not in chinese.stop and word not in chinese.frame):
                words[word] = None
    return tuple(words)


def stance(text: str) -> Stance:
    """Whether a text likes, dislikes, both, or neither, by verbs first, by adjectives else."""
    text = _fold_width(text)
    return _sum_up(_opinions(text, verbs=True)) or _sum_up(_opinions(text, verbs=False))


def _polarity_conflict(sentence: str, polarity: str | None) -> str:
    if polarity is None:
        return ""
    verbs = _sum_up(_opinions(sentence, verbs=True))
    heard = verbs or _sum_up(_opinions(sentence, verbs=False))
    if polarity in ("like", "dislike"):
        opposite = "dislike" if polarity == "like" else "like"
        if heard == opposite or verbs == "mixed":
            return f"the sentence says {heard} where the cited rows say {polarity}"
    elif polarity == "mixed" and heard in ("like", "dislike"):
        return f"the sentence says {heard} where the cited rows say both"
    elif polarity in ("need", "context") and verbs == "dislike":
        return f"the sentence says dislike where the cited rows say {polarity}"
    return ""


def _sum_up(opinions: Iterator[bool]) -> Stance:
    heard = set(opinions)
    if len(heard) == 2:
        return "mixed"
    return ("like" if heard.pop() else "dislike") if heard else ""


def _opinions(text: str, *, verbs: bool) -> Iterator[bool]:
    """True for each good word, False for each bad one, negation applied."""
    english, chinese = _lexicon("en"), _lexicon("zh")
    good = english.like_verbs if verbs else english.positive
    bad = english.dislike_verbs if verbs else english.negative
    breaks = _raw()["en"]["breaks"].split()
    # A negator reaches three words on, and not across punctuation or "but".
    reach = 0
    tokens = re.findall(r"[^\W\d_]+|[.,;:!?]", text.casefold())
    for token, following in pairwise([*tokens, ""]):
        if token in english.negators:
            reach = 4
        elif token in breaks or not token.isalpha():
            reach = 0
        elif token in good or token in bad:
            yield (token in good) != (reach > 0)
        elif token == "too" and not verbs and following.isalpha() and following not in english.stop:
            yield reach > 0  # "too heavy" blames, "not too heavy" does not
        reach = max(0, reach - 1)
    for match in _han_pattern(verbs).finditer(text):
        word = match.group(2)
        yield (word in (chinese.like_verbs if verbs else chinese.positive)) != bool(match.group(1))


@cache
def _han_pattern(verbs: bool) -> re.Pattern[str]:
    chinese = _lexicon("zh")
    words = (
        chinese.like_verbs | chinese.dislike_verbs if verbs else chinese.positive | chinese.negative
    )
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    negators = sorted(chinese.negators, key=lambda word: (-len(word), word))
    degree = "(?:[太很再是怎么什]{0,2}|任何)"
    return re.compile(rf"(?:({'|'.join(negators)}){degree})?({'|'.join(longest_first)})")


def _numbers(text: str) -> Iterator[str]:
    for match in _NUMBER.finditer(text):
        yield _plain(match.group())
    words = _raw()["en"]["numbers"]
    for word in _latin(text):
        if word.casefold() in words:
            yield words[word.casefold()]
    for match in _HAN_NUMBER.finditer(text):
        yield str(_han_value(match.group(1)))


def _plain(number: str) -> str:
    """``1,000.50`` and ``1000.5`` are the same number."""
    whole, _, fraction = re.sub(r",(?=\d{3}(?:\D|$))", "", number).replace(",", ".").partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _han_value(text: str) -> int:
    total = digit = 0
    for char in text:
        if char in _HAN_UNITS:
            total += (digit or 1) * _HAN_UNITS[char]
            digit = 0
        else:
            digit = _HAN_DIGITS.get(char, 9)
    return total + digit


def _names(text: str) -> Iterator[str]:
    """Words that must be cited literally: capitals, model names, Latin in a Chinese text."""
    english = _lexicon("en")
    chinese_text = _HAN.search(text) is not None
    for match in _WORD.finditer(text):
        word = match.group().replace("’", "'").removesuffix("'s")
        if len(word) < 2 or word.casefold() in english.stop or word.casefold() in english.frame:
            continue
        if chinese_text or (
            word[0].isupper() and not _SENTENCE_START.search(text[: match.start()])
        ):
            yield word
    for match in _MODEL_NAME.finditer(text):
        yield match.group()


def _latin(text: str) -> list[str]:
    """Words in Latin and other alphabetic scripts, hyphenated ones whole and in parts."""
    words = [word.replace("’", "'").removesuffix("'s") for word in _WORD.findall(text)]
    parts = [part for word in words if "-" in word for part in word.split("-")]
    return [*words, *parts, *_MODEL_NAME.findall(text)]


def _fold_width(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


@cache
def _raw() -> dict[str, Any]:
    text = resources.files("agent").joinpath("grounding.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def _lexicon(lang: str) -> _Words:
    section = _raw()[lang]
    return _Words(**{name: frozenset(section[name].split()) for name in _Words.__annotations__})
