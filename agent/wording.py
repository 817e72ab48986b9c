"""The sentences that explain a match, English and Chinese; code's own words, no model's.

Placeholders are filled with literal quotes, titles and values. A frame without them is
what ``frame`` returns, so that the validator can tell code's words from claimed ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.cards import count_words, first_words
from retrieval.types import EvidenceKind

_MAX_QUOTE_WORDS = 14
_MAX_TITLE_WORDS = 9

# {says} becomes one of the phrases below, by the kind of evidence that the item's quote is.
SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "asked": "You asked for {word}: {says}.",
        "same": "You wrote {user} about {title}; {says}.",
        "same_untitled": "You wrote {user}; {says}.",
        "value": "You chose {title}, which shares {item} with this one.",
        "value_two": "You chose {title} and {title2}, which share {item} with this one.",
        "contrast": "You complained about {user} with {title}; {says}.",
        "contrast_untitled": "You complained about {user}; {says}.",
        "warning": "Careful: you complained about {user}, and {says}.",
        "disagrees": "On the other hand, {says}.",
        "disagrees_alone": "One thing to know: {says}.",
    },
    "zh": {
        "asked": "你想要“{word}”：{says}。",
        "same": "你写过{user}（{title}）；{says}。",
        "same_untitled": "你写过{user}；{says}。",
        "value": "你选过{title}，它与这款同样是{item}。",
        "value_two": "你选过{title}和{title2}，它们与这款同样是{item}。",
        "contrast": "你抱怨过{user}（{title}）；{says}。",
        "contrast_untitled": "你抱怨过{user}；{says}。",
        "warning": "注意：你抱怨过{user}，而这款{says}。",
        "disagrees": "不过，{says}。",
        "disagrees_alone": "需要知道：{says}。",
    },
}
_SAYS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "one": "a buyer of this one says {item}",
        "several": "buyers of this one say {item}",
        "attribute": "it is listed as {item}",
        "caption": "its picture shows {item}",
        "other": "a text about it says {item}",
    },
    "zh": {
        "one": "有买家说{item}",
        "several": "多位买家说{item}",
        "attribute": "商品信息写着{item}",
        "caption": "图片显示{item}",
        "other": "有介绍说{item}",
    },
}


def clip_quote(text: str) -> str:
    """The beginning of a quote, literally, at most ``_MAX_QUOTE_WORDS`` words."""
    return first_words(text, _MAX_QUOTE_WORDS)


def quoted(text: str, lang: str) -> str:
    """The clipped quote between quotation marks, ``…`` where it was cut.

    Marks of the same kind inside it become single ones, so that its end can be seen.
    """
    cut = clip_quote(text).replace('"', "'") if lang != "zh" else clip_quote(text)
    more = "…" if count_words(cut) < count_words(text) else ""
    return f"“{cut}{more}”" if lang == "zh" else f'"{cut}{more}"'


def titled(title: str, lang: str) -> str:
    """A title as it stands in a sentence, shortened."""
    short = first_words(title, _MAX_TITLE_WORDS)
    return f"《{short}》" if lang == "zh" else short


def says(kind: EvidenceKind, several: bool, item: str, lang: str) -> str:
    """Who says the item's quote."""
    if kind == "review":
        key = "several" if several else "one"
    else:
        key = kind if kind in ("attribute", "caption") else "other"
    return _SAYS[lang][key].format(item=item)


def frame(lang: str) -> str:
    """All of code's own words in one language, without what is filled in."""
    texts = [*SENTENCES[lang].values(), *_SAYS[lang].values()]
    return re.sub(r"\{\w+\}", " ", " ".join(texts))
