"""A caption without a vision model: tags, label text and colours in one honest sentence.

The sentence says how it was made, and its trust is half that of a written source: what
a label says is evidence, what a classifier guesses is a hint.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from retrieval.sources.colours import Colour, dominant_colours
from retrieval.sources.images import open_picture
from retrieval.sources.labels import LabelLine, LabelReader
from retrieval.sources.tagger import Tag, Tagger

COMPOSITION_VERSION = 1
LEAST_TAG = 0.8
LEAST_TEXT = 0.75
MOST_TEXT = 160


class ComposedCaptioner:
    """Implements ``retrieval.ports.Captioner``.

    Args:
        tagger_weights: EfficientNet-Lite0 weights, or ``None`` to leave tags out.
        read_labels: read text on labels (needs rapidocr).
        lang: language of the sentence; label text stays as it is printed.
        least_tag: a tag below this probability is not mentioned.
        least_text: a line read with less confidence is not mentioned.

    Raises:
        PalateError: a package that was asked for is missing; the hint says how to get it.
    """

    trust = 0.5

    def __init__(
        self,
        tagger_weights: Path | None,
        *,
        read_labels: bool = True,
        lang: Literal["en", "zh"] = "en",
        least_tag: float = LEAST_TAG,
        least_text: float = LEAST_TEXT,
    ) -> None:
        self._tagger = Tagger(tagger_weights) if tagger_weights is not None else None
        self._reader = LabelReader() if read_labels else None
        self._lang = lang
        self._least_tag = least_tag
        self._least_text = least_text

    @property
    def captioner_id(self) -> str:
        """Binds the sentence's form, the tagger's weights, the reader and the thresholds."""
        tagger = self._tagger.digest[:16] if self._tagger else "none"
        reader = self._reader.version if self._reader else "none"
        return (
            f"composed@{COMPOSITION_VERSION}:{self._lang}"
            f":tags={tagger}>={self._least_tag:g}:text=rapidocr-{reader}>={self._least_text:g}"
        )

    def caption(self, path: Path) -> str:
        """One sentence; raises InvalidInput or NotFound when the file is no usable picture."""
        picture = open_picture(path)
        tags = self._tagger.tags(picture, least=self._least_tag, most=2) if self._tagger else []
        lines = self._reader.lines(picture, least=self._least_text) if self._reader else []
        return compose(tags, lines, dominant_colours(picture.pixels), self._lang)


def compose(
    tags: Sequence[Tag],
    lines: Sequence[LabelLine],
    colours: Sequence[Colour],
    lang: Literal["en", "zh"] = "en",
) -> str:
    """The sentence for what was found; says so when nothing was."""
    label = _label_text(lines)
    if lang == "zh":
        parts = [
            "看起来像" + "或".join(f"{tag.name}（{tag.probability:.2f}）" for tag in tags)
            if tags
            else "",
            f"标签文字“{label}”" if label else "",
            "颜色：" + "、".join(colour.name_zh for colour in colours) if colours else "",
        ]
        body = "；".join(part for part in parts if part) or "没有认出任何内容"
        return f"图片（根据识别标签、标签文字和颜色生成）：{body}。"
    parts = [
        "looks like " + " or ".join(f"{tag.name} ({tag.probability:.2f})" for tag in tags)
        if tags
        else "",
        f'label reads "{label}"' if label else "",
        "colours " + ", ".join(colour.name for colour in colours) if colours else "",
    ]
    body = "; ".join(part for part in parts if part) or "nothing recognised"
    return f"Picture (made from tags, label text and colours): {body}."


def _label_text(lines: Sequence[LabelLine]) -> str:
    """Distinct lines in reading order, bounded, without what could end the quotation."""
    seen: dict[str, str] = {}
    for line in lines:
        text = line.text.replace('"', "'").replace("“", "'").replace("”", "'")
        text = "".join(char for char in text if unicodedata.category(char)[0] != "C").strip()
        if any(char.isalnum() for char in text):
            seen.setdefault(text.casefold(), text)
    kept, length = [], 0
    for text in seen.values():
        if length + len(text) > MOST_TEXT:
            break
        kept.append(text)
        length += len(text) + 3
    return " / ".join(kept)
