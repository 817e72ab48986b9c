"""Number limits in free text: "under $50", "less than 30 euros", "50元以下", "不超过100元".

A small grammar, English and Chinese. It only says what stands in the text and how sure the
wording is; which attribute is meant, and whether to believe it, ``agent.understand`` decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

BoundOperator = Literal["lt", "le", "gt", "ge"]


@dataclass(frozen=True, slots=True)
class Bound:
    """One limit.

    ``money`` says that a currency stands with the number; ``closed`` that nothing follows
    that could be a unit ("under 50 cm" is not closed).
    """

    start: int
    end: int
    op: BoundOperator
    value: float
    money: bool
    closed: bool


_WORDS: Mapping[BoundOperator, tuple[str, ...]] = {
    "lt": ("under", "below", "less than", "cheaper than", "lower than", "fewer than", "<"),
    "le": (
        "at most", "up to", "no more than", "not more than", "not over", "not above", "within",
        "not exceeding", "no higher than", "max", "maximum", "max of", "maximum of", "<=", "≤",
    ),
    "gt": ("over", "above", "more than", "higher than", ">"),
    "ge": (
        "at least", "no less than", "not less than", "not under", "not below", "no lower than",
        "min", "minimum", "min of", "minimum of", ">=", "≥",
    ),
}  # fmt: skip
_HAN_WORDS: Mapping[BoundOperator, tuple[str, ...]] = {
    "lt": ("低于", "少于", "小于", "不到", "便宜于"),
    "le": (
        "不超过", "不要超过", "不能超过", "别超过", "不高于", "不要高于", "不多于", "不大于",
        "最多", "至多", "最高",
    ),
    "gt": ("高于", "超过", "大于", "多于"),
    "ge": ("不低于", "不少于", "不小于", "至少", "最少", "最低", "起码"),
}  # fmt: skip
# Said of a bare number these may limit anything: "up to 6 people", "within 50 days".
_ANYTHING = frozenset(
    {
        "up to", "within", "max", "maximum", "max of", "maximum of", "lower than", "fewer than",
        "最多", "至多", "最高", "不到", "少于", "小于",
    }
)  # fmt: skip
_HAN_SUFFIXES: Mapping[BoundOperator, tuple[str, ...]] = {
    "le": ("以下", "以内", "之内", "之下", "封顶"),
    "ge": ("以上", "起步"),
}

_MONEY_BEFORE = r"(?:us\$|[$€£¥￥]|usd|eur|gbp|rmb|cny)"
# "pounds" and "lb" may weigh something: they are no money here, "£" is.
_MONEY_AFTER = (
    r"(?:[$€£¥￥]|(?:dollars?|bucks?|usd|euros?|eur|gbp|yuan|rmb|cny)\b"
    r"|元人民币|元钱|块钱|美元|美金|欧元|英镑|人民币|元|块)"
)
# Lengths are bounded and runs are matched from their start: a long one costs no time.
_DIGITS = r"(?<!\d)(?:\d{1,3}(?:,\d{3}){1,3}|\d{1,9})(?:\.\d{1,4})?(?!\d)"
_HAN_DIGIT = "[一二两三四五六七八九十百千万]"
_HAN_DIGITS = rf"(?<!{_HAN_DIGIT}){_HAN_DIGIT}{{1,12}}(?!{_HAN_DIGIT})"


def _number(tag: str) -> str:
    return (
        rf"(?P<before{tag}>{_MONEY_BEFORE})?\s*(?P<number{tag}>{_DIGITS}|{_HAN_DIGITS})"
        rf"(?P<scale{tag}>k\b|[千万])?\s*(?P<after{tag}>{_MONEY_AFTER})?"
    )


def _either(words: Mapping[BoundOperator, tuple[str, ...]]) -> str:
    every = sorted((word for group in words.values() for word in group), key=len, reverse=True)
    return "|".join(
        (r"\b" if word[0].isascii() and word[0].isalpha() else "")
        + re.escape(word).replace(r"\ ", r"\s+")
        + (r"\b" if word[-1].isascii() and word[-1].isalpha() else "")
        for word in every
    )


_OPERATOR_OF = {
    word: op
    for group in (_WORDS, _HAN_WORDS, _HAN_SUFFIXES)
    for op, words in group.items()
    for word in words
}
_PREFIXED = re.compile(
    rf"(?P<op>{_either(_WORDS)}|{_either(_HAN_WORDS)})\s*{_number('')}", re.IGNORECASE
)
_SUFFIXED = re.compile(rf"{_number('')}\s*(?P<op>{_either(_HAN_SUFFIXES)})", re.IGNORECASE)
_RANGE = re.compile(
    rf"(?P<between>\bbetween\s+)?{_number('1')}\s*(?:-|–|—|~|\bto\b|\band\b|到|至)\s*{_number('2')}",
    re.IGNORECASE,
)
_CLOSED = re.compile(
    r"\s*(?:$|[,.;:!?，。；：！？、)）的]|\b(?:and|but|or|please|for|with|that)\b)", re.I
)


def find_bounds(text: str) -> list[Bound]:
    """Limits in reading order; a range yields two that share one span. Empty for no limit."""
    found: list[Bound] = []
    for match in _RANGE.finditer(text):
        low, high = _value(match, "1"), _value(match, "2")
        money = _has_money(match, "1") or _has_money(match, "2")
        if low <= high and (money or match["between"]):
            closed = bool(match["between"]) and _is_closed(text, match.end())
            found.append(Bound(match.start(), match.end(), "ge", low, money, closed))
            found.append(Bound(match.start(), match.end(), "le", high, money, closed))
    for pattern in (_SUFFIXED, _PREFIXED):
        for match in pattern.finditer(text):
            if any(b.start < match.end() and match.start() < b.end for b in found):
                continue
            word = re.sub(r"\s+", " ", match["op"].lower())
            op = _OPERATOR_OF[word]
            # "50以下" is a limit as it stands; "50以上" may be an age.
            sure = op == "le" if pattern is _SUFFIXED else _is_closed(text, match.end())
            closed = sure and word not in _ANYTHING
            found.append(
                Bound(
                    match.start(), match.end(), op, _value(match, ""), _has_money(match, ""), closed
                )
            )
    return sorted(found, key=lambda bound: (bound.start, bound.op))


def _is_closed(text: str, end: int) -> bool:
    return _CLOSED.match(text, end) is not None


def _has_money(match: re.Match[str], tag: str) -> bool:
    return bool(match[f"before{tag}"] or match[f"after{tag}"])


def _value(match: re.Match[str], tag: str) -> float:
    digits = match[f"number{tag}"].replace(",", "")
    value = float(digits) if digits[0].isdigit() else float(_han_value(digits))
    return value * {"k": 1000, "千": 1000, "万": 10_000}.get(
        (match[f"scale{tag}"] or "").lower(), 1
    )


def _han_value(text: str) -> int:
    """一百二十 -> 120; 两千 -> 2000; 三百五 -> 350."""
    total = section = digit = 0
    unit = 1
    for character in text:
        if character == "万":
            total, section, digit, unit = (total + section + digit or 1) * 10_000, 0, 0, 10_000
        elif character in "十百千":
            unit = {"十": 10, "百": 100, "千": 1000}[character]
            section += (digit or 1) * unit
            digit = 0
        else:
            digit = "一二三四五六七八九".find("二" if character == "两" else character) + 1
    # A last digit right after 百 or more counts tens of it: 三百五 is 350, 十五 is 15.
    return total + section + digit * (unit // 10 if unit > 10 else 1)
