"""What a model answered to the extract prompt, read tolerantly and believed reluctantly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from agent.grounding import stance
from agent.profiles.instructions import is_instruction
from agent.profiles.quotes import locate
from agent.profiles.vocabulary import aspect_label
from retrieval.types import Polarity

MAX_LINES = 4
_MAX_QUOTE = 300

_POLARITIES: dict[str, Polarity] = {
    "like": "like", "likes": "like", "liked": "like", "positive": "like", "喜欢": "like",
    "dislike": "dislike", "dislikes": "dislike", "disliked": "dislike", "negative": "dislike",
    "不喜欢": "dislike", "讨厌": "dislike",
    "need": "need", "needs": "need", "needed": "need", "want": "need",
    "需要": "need", "想要": "need",
    "price": "price", "价格": "price", "价钱": "price",
    "context": "context", "场景": "context", "情境": "context", "背景": "context",
}  # fmt: skip
_MONEY = re.compile(
    r"\b(?:pric\w*|costs?|costing|costly|cheap\w*|expensive|overpriced|money|worth|value|bargain"
    r"|afford\w*|deals?|paid|pay|bucks?|dollars?|cents?|budget|discount\w*|sale|inexpensive)\b"
    r"|[$€£¥￥]|[价钱元贵值]|便宜|划算|实惠|优惠|打折|\d块",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*•·‣]+|\(?\d{1,2}\s*[.)、:：)])\s*")
_NOTHING = re.compile(r"^\W*(?:none|nothing|n/?a|无|没有)\W*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """One believable line. ``confidence`` is 0.5 where the quote's own words say the opposite."""

    label: str
    polarity: Polarity
    quote: str
    confidence: float


@dataclass(frozen=True, slots=True)
class ParsedOutput:
    """The believable lines of one answer, and why the others were not believed."""

    lines: tuple[ParsedLine, ...]
    malformed: int = 0
    not_verbatim: int = 0
    instructions: int = 0
    doubted: int = 0


def parse_extraction(output: str, source: str) -> ParsedOutput:
    """Read ``aspect | polarity | quote`` lines.

    Numbering, bullets, full-width bars and table rules are forgiven. A line counts as
    malformed without three parts, with an unknown polarity, without an aspect, or beyond
    the fourth; as not verbatim when its quote is not in ``source``; as an instruction when
    it commands a model. A price that names no money is context. An answer of "none" has no
    lines and nothing malformed.
    """
    lines: list[ParsedLine] = []
    counts = {"malformed": 0, "not_verbatim": 0, "instructions": 0, "doubted": 0}
    for raw in output.splitlines():
        if not raw.strip() or _NOTHING.match(raw) or not raw.strip(" |-:｜"):
            continue
        line = _read_line(raw, source) if len(lines) < MAX_LINES else "malformed"
        if isinstance(line, str):
            counts[line] += 1
        elif all((line.label, line.polarity, line.quote) != _identity(one) for one in lines):
            lines.append(line)
            counts["doubted"] += line.confidence < 1
    return ParsedOutput(tuple(lines), **counts)


def _read_line(
    raw: str, source: str
) -> ParsedLine | Literal["malformed", "not_verbatim", "instructions"]:
    text = re.sub("[｜│┃∣￨]", "|", raw)
    text = _BULLET.sub("", text).strip().strip("|")
    parts = [part.strip() for part in text.split("|", 2)]
    if len(parts) != 3:
        return "malformed"
    label = aspect_label(parts[0])
    polarity = _POLARITIES.get(parts[1].casefold().strip(" *_.。"))
    if not label or polarity is None:
        return "malformed"
    quote = locate(parts[2], source)
    if quote is None or len(quote) > _MAX_QUOTE:
        return "not_verbatim"
    if is_instruction(quote) or is_instruction(label):
        return "instructions"
    if polarity == "price" and not _MONEY.search(f"{quote} {label}"):
        polarity = "context"
    # The cheap second look: small models read "no smell" as a complaint.
    opposite = {"like": "dislike", "dislike": "like"}.get(polarity)
    return ParsedLine(label, polarity, quote, 0.5 if opposite and stance(quote) == opposite else 1)


def _identity(line: ParsedLine) -> tuple[str, Polarity, str]:
    return line.label, line.polarity, line.quote
