"""Where a score comes from, in words: exact, because the score is the sum of its parts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

_MAX_NAMED = 3
_NAMES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "behaviour": "people with similar behaviour",
        "item_knn": "what is taken together with your choices",
        "ials": "patterns in everybody's choices",
        "bpr": "what people prefer to what",
        "graph": "choices two steps away from yours",
        "markov": "what people take next",
        "session_knn": "people with a recent history like yours",
        "next_item": "what your latest choices lead to",
        "content": "likeness to what you took",
        "picture": "pictures like those of what you took",
        "cold_start": "patterns in choices and contents",
        "profile": "what is known of your taste",
        "query": "the meaning of your request",
        "lexical": "the words of your request",
        "popular": "popularity",
        "llm": "the language model's judgement",
    },
    "zh": {
        "behaviour": "行为与你相似的人",
        "item_knn": "常与你所选一起被选",
        "ials": "所有人选择中的规律",
        "bpr": "人们的偏好比较",
        "graph": "与你的选择相隔两步的选择",
        "markov": "人们接下来的选择",
        "session_knn": "近期经历与你相似的人",
        "next_item": "你最近的选择所引向的",
        "content": "与你所选内容的相似",
        "picture": "与你所选图片的相似",
        "cold_start": "选择与内容中的规律",
        "profile": "已知的你的口味",
        "query": "你的需求的含义",
        "lexical": "你的用词",
        "popular": "受欢迎程度",
        "llm": "语言模型的判断",
    },
}


def source_name(source: str, lang: str) -> str:
    """How a source is called when speaking to people; its own name when it is new here."""
    return _NAMES[lang].get(source, source)


def shares(parts: Mapping[str, float]) -> dict[str, int]:
    """Whole percentages of the positive parts, largest first; they add up to exactly 100.

    Rounded by largest remainder. Empty when no part is positive.
    """
    positive = {name: value for name, value in parts.items() if value > 0}
    total = math.fsum(positive.values())
    if not total > 0 or not math.isfinite(total):
        return {}
    exact = {name: 100 * value / total for name, value in positive.items()}
    whole = {name: math.floor(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (whole[name] - exact[name], name))
    for name in by_remainder[: 100 - sum(whole.values())]:
        whole[name] += 1
    order = sorted(whole, key=lambda name: (-positive[name], name))
    return {name: whole[name] for name in order if whole[name] > 0}


def _spoken(percent: Mapping[str, int], lang: str) -> list[tuple[str, int]]:
    """The largest shares by name, and what is left as "the rest"."""
    named = [(source_name(name, lang), share) for name, share in percent.items()]
    if len(named) <= _MAX_NAMED + 1:
        return named
    rest = sum(share for _, share in named[_MAX_NAMED:])
    return [*named[:_MAX_NAMED], ("其他来源" if lang == "zh" else "the rest", rest)]


def attribution(parts: Mapping[str, float], lang: str) -> str:
    """One or two sentences that state the parts of a score.

    Shares are of the score itself when no part is negative, else of what speaks for the
    item; negative parts are named with their value.
    """
    percent = shares(parts)
    pure = all(value >= 0 for value in parts.values())
    against = sorted((v, name) for name, v in parts.items() if round(v, 2) < 0)
    score = math.fsum(parts.values())
    if not percent:
        return _nothing_speaks_for_it(score, lang)
    if lang == "zh":
        listed = "，".join(f"{n}% 来自{name}" for name, n in _spoken(percent, lang))
        if not against:
            return f"{'总分' if pure else '加分'}中{listed}。"
        lower = "、".join(f"{source_name(name, lang)}（{_signed(v)}）" for v, name in against)
        return f"加分中{listed}；低于候选平均的是{lower}。"
    listed = _join([f"{n} % from {name}" for name, n in _spoken(percent, lang)])
    listed = listed.replace(" from ", " comes from ", 1)
    if not against:
        return f"Of {'the score' if pure else 'what speaks for it'}, {listed}."
    lower = _join([f"{source_name(name, lang)} ({_signed(v)})" for v, name in against])
    return f"Of what speaks for it, {listed}; below the candidates' average: {lower}."


def _nothing_speaks_for_it(score: float, lang: str) -> str:
    if round(score, 2) == 0:
        if lang == "zh":
            return "各来源都没有把它与其他候选区分开。"
        return "No source tells it apart from the other candidates."
    if lang == "zh":
        return f"没有来源特别支持它（得分 {_signed(score)}）。"
    return f"No source speaks for it more than for the others (score {_signed(score)})."


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _join(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
