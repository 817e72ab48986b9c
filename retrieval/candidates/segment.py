"""Chinese text to words: the one door to jieba."""

from __future__ import annotations

import logging
import tempfile
import warnings
from functools import cache

with warnings.catch_warnings():
    # jieba 0.42 looks its dictionary up through the deprecated pkg_resources.
    warnings.simplefilter("ignore", (DeprecationWarning, UserWarning))
    import jieba


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
