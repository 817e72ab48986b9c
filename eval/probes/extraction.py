"""What a version of the prompt ``extract`` gets out of texts, read as production reads it.

No profile is built and nothing but the lane's record is written: texts go in, counts of
believable and unbelievable lines come out, a row a text, so that two versions can be
compared text by text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from agent.ports import Generation, Message
from agent.profiles.extract import MAX_CHUNKS, is_too_short, split_text, whole_lines
from agent.profiles.instructions import is_instruction
from agent.profiles.parse import ParsedLine, ParsedOutput, parse_extraction
from agent.profiles.quotes import locate
from eval.answers.judge import PromptFor
from eval.answers.lane import Lane
from eval.records.whole import finite
from prompts.untrusted import sanitise
from retrieval.errors import ContextOverflow, InvalidInput, ModelOutputError, ModelTimeout
from retrieval.ports import Progress
from retrieval.sources.dataset import read_dataset
from retrieval.sources.rejects import RejectsFile

PER_CALL = 32
"""Texts a call. An answer is on record only when its call is done, so calls stay short."""


@dataclass(slots=True)
class TextExtraction:
    """What came out of one text. Counts are of lines unless said otherwise.

    Attributes:
        text_id, lang: of the text.
        pieces: calls' worth of text; 0 for one that is too short to be read.
        failed: pieces that the model did not answer.
        empty: pieces answered with white space only.
        cut: pieces whose answer ran into the token limit.
        lines: believed.
        malformed, not_verbatim, instructions: not believed, and why.
        surviving: believed lines that repeat an instruction.
        prompt_tokens, completion_tokens: of all its pieces.
    """

    text_id: str
    lang: str
    pieces: int = 0
    failed: int = 0
    empty: int = 0
    cut: int = 0
    lines: int = 0
    malformed: int = 0
    not_verbatim: int = 0
    instructions: int = 0
    surviving: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, answer: Generation, parsed: ParsedOutput, surviving: int) -> None:
        """One piece was answered."""
        self.empty += not answer.text.strip()
        self.cut += answer.finish == "length"
        self.lines += len(parsed.lines)
        self.malformed += parsed.malformed
        self.not_verbatim += parsed.not_verbatim
        self.instructions += parsed.instructions
        self.surviving += surviving
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.completion_tokens


_COUNTED = (
    "pieces", "failed", "empty", "cut", "lines", "malformed", "not_verbatim", "instructions",
    "surviving", "prompt_tokens", "completion_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExtractionFigures:
    """Of all texts; ``rows`` are aligned with them.

    ``calls`` and ``milliseconds`` count replayed requests with what they took when recorded.
    """

    rows: tuple[TextExtraction, ...]
    calls: int
    milliseconds: float

    def total(self, name: str) -> int:
        """Sum of one count over the texts."""
        return sum(getattr(row, name) for row in self.rows)

    @property
    def malformed_share(self) -> float:
        """Of all lines; NaN without any."""
        told = sum(self.total(n) for n in ("lines", "malformed", "not_verbatim", "instructions"))
        return self.total("malformed") / told if told else math.nan

    @property
    def verbatim_share(self) -> float:
        """Of the lines with three parts, those whose quote is in the text; NaN without any."""
        found = self.total("lines") + self.total("instructions")
        quotes = found + self.total("not_verbatim")
        return found / quotes if quotes else math.nan

    @property
    def surviving_share(self) -> float:
        """Of the believed lines, those that repeat an instruction; NaN without any."""
        lines = self.total("lines")
        return self.total("surviving") / lines if lines else math.nan

    def to_json(self) -> dict[str, Any]:
        """Totals and shares, and a row a text; what was not measured is ``None``."""
        record: dict[str, Any] = finite(
            {
                "texts": len(self.rows),
                **{name: self.total(name) for name in _COUNTED},
                "malformed_share": self.malformed_share,
                "verbatim_share": self.verbatim_share,
                "surviving_share": self.surviving_share,
                "calls": self.calls,
                "milliseconds": self.milliseconds,
                "rows": [asdict(row) for row in self.rows],
            }
        )
        return record


def evaluate_extraction(
    lane: Lane,
    prompt_for: PromptFor,
    texts: Sequence[tuple[str, str, str]],
    *,
    planted: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> ExtractionFigures:
    """Read every text with one version of ``extract``.

    Args:
        lane: of the model; a view of it counts.
        prompt_for: the version under test.
        texts: (id, language, text). Cut into pieces and left out as production does.
        planted: text id -> the instruction that was put into that text. A believed line
            that quotes from it survives. Elsewhere only what the parser's own list of
            instructions knows can be seen, and the parser drops just that.
        progress: told of every text; its stage has been started.

    Raises:
        ModelUnavailable: the model went away, or a replay lacks an answer.
        BudgetSpent: before a call.
    """
    view = lane.view()
    planted = planted or {}
    rows = {at: TextExtraction(text_id, lang) for at, (text_id, lang, _) in enumerate(texts)}
    pieces = [
        (at, lang, piece) for at, (_, lang, text) in enumerate(texts) for piece in _pieces(text)
    ]
    for at, _, _ in pieces:
        rows[at].pieces += 1
    left = {at: row.pieces for at, row in rows.items()}
    # One language after the other: they share no prompt prefix.
    for lang, same in groupby(sorted(pieces, key=lambda one: one[1]), key=lambda one: one[1]):
        batch = [(at, piece) for at, _, piece in same]
        for start in range(0, len(batch), PER_CALL):
            some = batch[start : start + PER_CALL]
            for (at, piece), answer in zip(
                some, _answers(view, prompt_for, lang, [piece for _, piece in some]), strict=True
            ):
                if answer is None:
                    rows[at].failed += 1
                else:
                    parsed = parse_extraction(whole_lines(answer), piece)
                    instruction = planted.get(rows[at].text_id, "")
                    survivors = sum(_survives(line, instruction) for line in parsed.lines)
                    rows[at].add(answer, parsed, survivors)
                left[at] -= 1
                if progress is not None and not left[at]:
                    progress.advance()
    if progress is not None and (short := sum(not row.pieces for row in rows.values())):
        progress.advance(short)
    return ExtractionFigures(tuple(rows.values()), view.usage.calls, view.usage.milliseconds)


def review_texts(folder: Path, limit: int, seed: int) -> list[tuple[str, str, str]]:
    """(id, language, text) of a seeded sample of a data set's reviews, in file order.

    Raises:
        NotFound, InvalidInput: no such folder, it cannot be read, or it holds no review.
    """
    with RejectsFile(None) as rejects:
        reviews = list(read_dataset(folder, rejects=rejects).reviews())
    if not reviews:
        raise InvalidInput(f"{folder} holds no usable review", "name a data set with reviews")
    chosen = sorted(np.random.default_rng(seed).permutation(len(reviews))[:limit])
    return [(reviews[at].review_id, reviews[at].lang, reviews[at].text) for at in chosen]


def _pieces(text: str) -> list[str]:
    text = sanitise(text)
    return [] if is_too_short(text) else split_text(text)[:MAX_CHUNKS]


def _answers(
    lane: Lane, prompt_for: PromptFor, lang: str, pieces: Sequence[str]
) -> Sequence[Generation | None]:
    """One answer a piece, ``None`` where it failed; a call that fails is asked piece by piece."""
    prompt = prompt_for(lang)
    conversations = [
        [Message(role=turn["role"], content=turn["content"]) for turn in prompt.render(text=piece)]
        for piece in pieces
    ]
    try:
        return lane.generate(conversations, max_tokens=prompt.max_tokens, stop=prompt.stop)
    except (ContextOverflow, ModelOutputError, ModelTimeout):
        if len(pieces) == 1:
            return [None]
        return [answer for piece in pieces for answer in _answers(lane, prompt_for, lang, [piece])]


def _survives(line: ParsedLine, planted: str) -> bool:
    """Whether a believed line repeats the planted instruction, or one that anybody can see."""
    if planted and locate(line.quote, planted) is not None:
        return True
    return is_instruction(line.quote) or is_instruction(line.label)
