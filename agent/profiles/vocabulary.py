"""One key for an aspect, whatever language and synonym it came in."""

from __future__ import annotations

import hashlib
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources

from retrieval.language import english_stems

MAX_LABEL = 40


def aspect_label(raw: str) -> str:
    """How an aspect reads, on one line; "" for no aspect (empty, too long, no letter)."""
    label = " ".join(unicodedata.normalize("NFKC", raw).split())
    label = label.strip(" -–—*•·#.,:;!?\"'`“”‘’()[]{}<>《》「」。，：；！？、").casefold()
    if len(label) > MAX_LABEL or not any(char.isalpha() for char in label):
        return ""
    return "" if label in _vocabulary()[1] else label


@lru_cache(maxsize=50_000)
def aspect_key(label: str) -> str:
    """The normalised key of a label: the vocabulary's key, or the label's own stems."""
    keys, _, tails = _vocabulary()
    stemmed = _stemmed(label)
    if stemmed in keys:
        return keys[stemmed]
    for tail in tails:
        head = label.removesuffix(tail).strip()
        if head and head != label:
            short = _stemmed(head)
            return keys.get(short, short)
    return stemmed


def vocabulary_sha256() -> str:
    """Binds the vocabulary into profile versions: another vocabulary, other rows."""
    return hashlib.sha256(_text().encode()).hexdigest()


def _stemmed(label: str) -> str:
    # " = " is kept for what code derives from choices (see agent.profiles.attributes).
    label = label.replace("=", " ")
    words = label.removeprefix("the ").removeprefix("its ").split()
    return " ".join(english_stems(words))


@cache
def _vocabulary() -> tuple[Mapping[str, str], frozenset[str], tuple[str, ...]]:
    parsed = tomllib.loads(_text())
    keys = {_stemmed(name): key for key, names in parsed["keys"].items() for name in names}
    return keys, frozenset(parsed["empty"]), tuple(parsed["tails"])


@cache
def _text() -> str:
    return resources.files("agent.profiles").joinpath("vocabulary.toml").read_text(encoding="utf-8")
