"""Text as people and web shops write it, made fit to store, show and put into a prompt."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Literal

_TAG = re.compile(r"<(?:!--.*?--|/?[a-zA-Z][^<>]{0,500})>", re.DOTALL)
_BREAKING_TAG = re.compile(r"<\s*/?\s*(?:br|p|div|li|tr|h[1-6])\b[^<>]{0,200}>", re.IGNORECASE)
_HIDDEN_BLOCK = re.compile(r"<(script|style)\b[^<>]{0,500}>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_BLANKS = re.compile(r"[^\S\n]+")
_NEWLINES = re.compile(r" ?\n(?: ?\n)+ ?")
_PLAIN = re.compile(r"[\n -%'-;=?-~]*")
# Entities are often escaped twice (&amp;quot;); without a bound, nesting could cost n² time.
_ROUNDS = 5
# Joiners hold emoji together; every other invisible format character only hides text.
_KEPT_FORMAT = frozenset("\u200c\u200d")
_CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f]")
_LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_CJK_SHARE = 0.3


def clean_text(text: str) -> str:
    """Readable text: no markup, no entities, no control or invisible characters, NFC.

    Line breaks and block tags become single newlines, other blanks one space. What
    cannot be encoded (lone surrogates) goes. Cleaning what is clean changes nothing.

    Args:
        text: any text, of any length; "" gives "".
    """
    if _PLAIN.fullmatch(text):  # the usual case: nothing to repair but blanks
        return _squeeze(text)
    for _ in range(_ROUNDS):
        before = text
        text = _clean_once(text)
        if text == before:
            break
    return text


def detect_lang(text: str) -> Literal["en", "zh"]:
    """Chinese when at least three tenths of its words are Chinese characters.

    A Latin word counts as one word, so one brand name does not turn a Chinese
    sentence English. Text without either is "en".
    """
    chinese = len(_CJK.findall(text))
    latin = len(_LATIN_WORD.findall(text))
    return "zh" if chinese and chinese >= _CJK_SHARE * (chinese + latin) else "en"


def _clean_once(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    text = "".join(map(_visible, unicodedata.normalize("NFC", text)))
    text = _HIDDEN_BLOCK.sub(" ", text)
    text = _TAG.sub(" ", _BREAKING_TAG.sub("\n", text))
    return _squeeze(unicodedata.normalize("NFC", html.unescape(text)))


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Cs", "Co"}:
        return character if character == "\n" else ""
    if category == "Cf":
        return character if character in _KEPT_FORMAT else ""
    if category in {"Zl", "Zp"}:
        return "\n"
    return character


def _squeeze(text: str) -> str:
    return _NEWLINES.sub("\n", _BLANKS.sub(" ", text)).strip()
