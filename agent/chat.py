"""A chat turn in its simplest form: the last thing the shopper said is the query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agent.recommend import Recommender
from agent.understand import MAX_TEXT
from retrieval.errors import InvalidInput
from retrieval.sources.clean import clean_text, detect_lang
from retrieval.types import Answer, AttributeValue, Query, Recommendation

DEFAULT_N = 5
_WORDS = {
    "en": {
        "found": "Here is what fits best:",
        "nothing": "Nothing fits: {why}.",
        "degraded": "(Ranked without the language model: {why}.)",
        "price": "price",
    },
    "zh": {
        "found": "最合适的是：",
        "nothing": "没有合适的商品：{why}。",
        "degraded": "（未使用语言模型排序：{why}。）",
        "price": "价格",
    },
}


def reply(
    recommender: Recommender,
    messages: Sequence[Mapping[str, Any]],
    user_id: str | None = None,
    *,
    n: int = DEFAULT_N,
    log: bool | None = None,
) -> tuple[str, Answer]:
    """The answer to the last user message, as text and as data.

    Args:
        recommender: who knows.
        messages: OpenAI-shaped turns; ``content`` is text or a list of text parts.
        user_id: who asks; ``None`` for a stranger.
        n: how many items.
        log: whether the user lets the request be kept; ``None`` = nobody asked them.

    Returns:
        A numbered list in the language of the message, with prices from the catalogue and
        reasons with quotes; and the answer it was written from.

    Raises:
        InvalidInput: no user message, or an empty one.
        NotFound: the user is unknown.
    """
    text = last_user_text(messages)
    answer = recommender.recommend(Query(text=text, user_id=user_id, n=n, log=log))
    lang = detect_lang(text)
    return _written(recommender, answer, lang), answer


def last_user_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """What the user said last, cleaned.

    Raises:
        InvalidInput: there is no such message, it is not text, or it is empty or too long.
    """
    turns = [m for m in messages if isinstance(m, Mapping) and m.get("role") == "user"]
    if not turns:
        raise InvalidInput("messages hold no user message", "send one with role user")
    content = turns[-1].get("content")
    if isinstance(content, Sequence) and not isinstance(content, str):
        texts = [
            p.get("text") for p in content if isinstance(p, Mapping) and p.get("type") == "text"
        ]
        content = "\n".join(one for one in texts if isinstance(one, str))
    if not isinstance(content, str):
        raise InvalidInput("the last user message is not text", "send content as text")
    text = clean_text(content)
    if not text:
        raise InvalidInput("the last user message is empty", "say what you are looking for")
    if len(text) > MAX_TEXT:
        raise InvalidInput(
            f"the last user message has {len(text)} characters", f"send at most {MAX_TEXT}"
        )
    return text


def _written(recommender: Recommender, answer: Answer, lang: str) -> str:
    words = _WORDS[lang]
    if not answer.recommendations:
        return words["nothing"].format(why="; ".join(answer.trace.notes) or "-")
    prices = {
        item.item_id: item.attributes["price"]
        for item in recommender.catalog.items([one.item_id for one in answer.recommendations])
        if "price" in item.attributes
    }
    lines = [words["found"]]
    lines += [_line(one, prices.get(one.item_id), lang) for one in answer.recommendations]
    if answer.trace.degraded_because:
        lines.append(words["degraded"].format(why=answer.trace.degraded_because))
    return "\n".join(lines)


def _line(one: Recommendation, price: AttributeValue | None, lang: str) -> str:
    title = f"{one.rank}. {one.title}"
    if isinstance(price, float | int) and not isinstance(price, bool):
        shown = f"{price:g}"
        title += f"（{_WORDS[lang]['price']} {shown}）" if lang == "zh" else f" (price {shown})"
    if one.explanation is None:
        return title
    reasons = [claim.sentence for claim in one.explanation.claims] or [one.explanation.text]
    return "\n".join([title, *(f"   - {reason}" for reason in reasons)])
