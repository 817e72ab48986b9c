"""One model call for one text, never several texts in one call; what came back is kept.

The cache key binds text, prompt and model, so a text is read once however many profiles
need it, and a build that is killed goes on where it stopped.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.ports import Generation, LanguageModel
from agent.profiles.parse import parse_extraction
from agent.profiles.reduce import ExtractedRow
from agent.profiles.report import BuildReport
from agent.profiles.vocabulary import aspect_key
from prompts.library import PromptLibrary
from prompts.untrusted import sanitise
from retrieval.errors import ContextOverflow, ModelOutputError, ModelTimeout, PalateError
from retrieval.ports import ProfileStore, Progress
from retrieval.types import Evidence, content_hash

READ_BY_MODEL = frozenset({"review", "caption", "transcript", "page", "post"})
CHUNK_CHARS = 4000
MAX_CHUNKS = 3
_COMMIT_EVERY = 8
_PER_CALL = 128
_WORD = re.compile(r"[^\W_]+")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_SENTENCE_END = re.compile(r"[.!?]+[\s\"'”’)]+|[。！？…]+[”’」』]*|\n+")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of one evidence that goes into one call."""

    key: str
    text: str
    lang: str


def chunks_of(evidence: Evidence, model_id: str, prompts: PromptLibrary) -> tuple[list[Chunk], int]:
    """The pieces of an evidence that the model reads, and how many were left out.

    None for kinds that no model reads, and for texts too short to say anything (fewer
    than 3 words or 6 Chinese characters).
    """
    text = sanitise(evidence.text)
    if evidence.kind not in READ_BY_MODEL or evidence.trust <= 0 or is_too_short(text):
        return [], 0
    prompt = prompts.find("extract", evidence.lang)
    pieces = split_text(text)
    chunks = [
        Chunk(
            content_hash("extract", evidence.sha256, str(number), prompt.sha256, model_id),
            piece,
            evidence.lang,
        )
        for number, piece in enumerate(pieces[:MAX_CHUNKS])
    ]
    return chunks, max(0, len(pieces) - MAX_CHUNKS)


def is_too_short(text: str) -> bool:
    """Fewer than 3 words and fewer than 6 Chinese characters."""
    return len(_WORD.findall(_HAN.sub(" ", text))) < 3 and len(_HAN.findall(text)) < 6


def split_text(text: str) -> list[str]:
    """Pieces of at most ``CHUNK_CHARS`` characters, cut at a sentence end where there is one."""
    pieces: list[str] = []
    while len(text) > CHUNK_CHARS:
        ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, CHUNK_CHARS)]
        at = ends[-1] if ends and ends[-1] > CHUNK_CHARS // 4 else 0
        at = at or text.rfind(" ", CHUNK_CHARS // 2, CHUNK_CHARS) + 1 or CHUNK_CHARS
        pieces.append(text[:at].strip())
        text = text[at:].strip()
    return [piece for piece in (*pieces, text) if piece]


def whole_lines(answer: Generation) -> str:
    """The answer without a last line that the token limit cut in the middle."""
    if answer.finish != "length":
        return answer.text
    return answer.text.rpartition("\n")[0]


def rows_of(
    evidence: Evidence, chunks: Sequence[Chunk], outputs: Mapping[str, str]
) -> list[ExtractedRow]:
    """The rows that the model's outputs hold for one evidence; unknown outputs give none."""
    rows: list[ExtractedRow] = []
    # A picture cannot like anything: what a caption says is context.
    described = evidence.kind == "caption"
    own_words = evidence.subject == "user" or not evidence.author
    for chunk in chunks:
        for line in parse_extraction(outputs.get(chunk.key, ""), evidence.text).lines:
            rows.append(
                ExtractedRow(
                    evidence_id=evidence.evidence_id,
                    voter=evidence.evidence_id if own_words else f"author:{evidence.author}",
                    at=evidence.at,
                    weight=evidence.trust * line.confidence,
                    lang=evidence.lang,
                    aspect=aspect_key(line.label),
                    label=line.label,
                    polarity="context" if described else line.polarity,
                    quote=line.quote,
                    timeless=described,
                )
            )
    return rows


class Extractor:
    """Reads texts with a model and keeps what came back.

    Args:
        model: the reader.
        prompts: the one in production is used.
        profiles: the store whose extraction cache is filled.
        progress: told of every text.
        report: counts calls, tokens and lines.
    """

    def __init__(
        self,
        model: LanguageModel,
        prompts: PromptLibrary,
        profiles: ProfileStore,
        progress: Progress,
        report: BuildReport,
    ) -> None:
        self._model = model
        self._prompts = prompts
        self._profiles = profiles
        self._progress = progress
        self._report = report
        self._lock = threading.Lock()
        self._waiting: dict[str, str] = {}
        self._done: set[str] = set()

    def read(self, chunks: Sequence[Chunk]) -> None:
        """Read every chunk; each answer is kept as it comes.

        A text that does not fit or whose answer is unusable is counted as failed and left.

        Raises:
            ModelUnavailable, ModelTimeout, Overloaded: the model is gone. What was read is
                kept; the message says how many are left.
        """
        # One language after the other: they share no prompt prefix.
        ordered = sorted(chunks, key=lambda chunk: chunk.lang)
        try:
            for start in range(0, len(ordered), _PER_CALL):
                self._read_some(ordered[start : start + _PER_CALL])
        except PalateError as error:
            left = len(chunks) - len(self._done) - self._report.texts_failed
            raise type(error)(
                f"{error.message} ({len(self._done):,} of {len(chunks):,} texts were read and"
                f" are kept, {left:,} are left)",
                "run `palate profiles build` again: it goes on where it stopped"
                + (f"; {error.hint}" if error.hint else ""),
            ) from error
        finally:
            self._commit(0)

    def _read_some(self, batch: Sequence[Chunk]) -> None:
        left = list(batch)
        while left:
            before = len(self._done)
            try:
                self._call(left)
                return
            except ModelTimeout:
                # Slow is not dead: as long as answers come, the rest is asked for again.
                if len(self._done) == before:
                    raise
            except (ContextOverflow, ModelOutputError) as error:
                if len(left) == 1:
                    self._fail(error)
                    return
                for chunk in [one for one in left if one.key not in self._done]:
                    self._read_some([chunk])
                return
            left = [chunk for chunk in left if chunk.key not in self._done]

    def _call(self, batch: Sequence[Chunk]) -> None:
        prompts = [self._prompts.find("extract", chunk.lang) for chunk in batch]

        def keep(index: int, answer: Generation) -> None:
            chunk = batch[index]
            text = whole_lines(answer)
            parsed = parse_extraction(text, chunk.text)
            with self._lock:
                if chunk.key in self._done:
                    return
                self._done.add(chunk.key)
                self._waiting[chunk.key] = text
                self._report.add_generation(answer)
                self._report.add_parsed(parsed)
                if answer.finish == "length":
                    self._report.answers_cut += 1
            self._progress.advance()
            self._commit(_COMMIT_EVERY)

        answers = self._model.generate(
            [prompt.render(text=chunk.text) for prompt, chunk in zip(prompts, batch, strict=True)],
            max_tokens=max(prompt.max_tokens for prompt in prompts),
            stop=prompts[0].stop,
            done=keep,
        )
        # A model need not call back: what came only in the end is kept all the same.
        for index, answer in enumerate(answers):
            keep(index, answer)

    def _fail(self, error: PalateError) -> None:
        self._report.texts_failed += 1
        self._report.last_failure = error.message
        self._progress.advance()

    def _commit(self, at_least: int) -> None:
        with self._lock:
            if not self._waiting or len(self._waiting) < at_least:
                return
            ready, self._waiting = self._waiting, {}
            self._profiles.cache_extraction(ready)
