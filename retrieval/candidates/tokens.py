"""Text to index terms: English stems and Chinese words, mixed in any way."""

from __future__ import annotations

import re
import unicodedata

from retrieval.language import chinese_words, english_stems

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TERM = re.compile(rf"(?P<han>[{_HAN}]+)|\d+(?:\.\d+)+|(?:(?![{_HAN}])[^\W_])+(?:'[a-z]+)?")
_ACCENTS = re.compile("[\u0300-\u036f]")

# Words of asking rather than of things. Documents keep them: BM25 weighs them down there.
_ASKING_EN = """a an and any are as at be but by can could do does for from find get give have i
i'd i'm if in into is it its just like looking me my need of on or please recommend show so some
something suggest than that the their them there these they this those to want was what which who
will with would you your"""
_ASKING_ZH = """的 了 我 我们 你 您 他 她 它 想 想要 要 给 请 帮 帮我 推荐 一 一个 一款 一些
一本 一瓶
有 有没有 没有 什么 吗 呢 吧 啊 和 与 是 在 能 可以 找 看看 买 这 那 这个 那个 喜欢"""
_ASKING = frozenset(_ASKING_EN.split()) | frozenset(_ASKING_ZH.split())


def index_terms(text: str) -> list[str]:
    """Terms of a document, in order; empty for text without letters or digits."""
    return _stemmed(_words(text))


def query_terms(text: str) -> list[str]:
    """Terms of a request, without words of asking unless it has no others."""
    words = _words(text)
    telling = [word for word in words if word not in _ASKING]
    return _stemmed(telling or words)


def _words(text: str) -> list[str]:
    words: list[str] = []
    for match in _TERM.finditer(_folded(text)):
        run = match.group()
        if match.lastgroup == "han":
            words.extend(chinese_words(run, overlapping=True))
        else:
            words.append(run)
    return words


def _folded(text: str) -> str:
    """One width, one case, Latin without accents: ``Gaúcha`` is found by ``gaucha``."""
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return unicodedata.normalize("NFC", plain).casefold().replace("’", "'")


def _stemmed(words: list[str]) -> list[str]:
    # A stemmer keeps a cache that threads must not share; making one is cheap.
    return [term for term in english_stems(words) if term]
