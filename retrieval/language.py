"""English stems and Chinese words: the one door to PyStemmer and to jieba."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Sequence
from functools import cache

import Stemmer

with warnings.catch_warnings():
    # jieba 0.42 looks its dictionary up through the deprecated pkg_resources.
    warnings.simplefilter("ignore", (DeprecationWarning, UserWarning))
    import jieba


def english_stems(words: Sequence[str]) -> list[str]:
    """Each word's stem by the Porter2 algorithm, in order; an empty input gives an empty list."""
    # A stemmer keeps a cache that threads may not share, and costs nothing to make.
    stems: list[str] = Stemmer.Stemmer("english").stemWords(list(words))
    return stems


def chinese_words(text: str, *, overlapping: bool = False) -> list[str]:
    """Words of a run of Chinese characters, in order.

    Args:
        text: Chinese text; other scripts pass through in jieba's own cut.
        overlapping: also give the shorter words inside long ones, as an index wants
            (科幻小说 -> 科幻, 小说, 科幻小说).
    """
    segmenter = _segmenter()
    words = segmenter.lcut_for_search(text) if overlapping else segmenter.lcut(text)
    return [word for word in words if word.strip()]


@cache
def _segmenter() -> jieba.Tokenizer:
    jieba.setLogLevel(logging.WARNING)  # it announces on stderr that it loads its dictionary
    segmenter = jieba.Tokenizer()
    # jieba unmarshals a cache from the shared temporary folder, where anybody may have
    # put one, and saves a tenth of a second by it. A private, empty folder instead.
    with tempfile.TemporaryDirectory(prefix="palate-jieba-") as private:
        segmenter.tmp_dir = private
        segmenter.initialize()
    return segmenter
