"""What a build did and what it cost."""

from __future__ import annotations

from dataclasses import dataclass

from agent.ports import Generation
from agent.profiles.parse import ParsedOutput


@dataclass(slots=True)
class BuildReport:
    """Counters that grow during a build. Calls, lines and quotes count what was read anew."""

    seconds: float = 0.0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    texts_cached: int = 0
    texts_failed: int = 0
    texts_too_short: int = 0
    texts_left_out: int = 0
    chunks_left_out: int = 0
    answers_cut: int = 0
    lines: int = 0
    malformed: int = 0
    quotes_dropped: int = 0
    instructions_dropped: int = 0
    polarity_doubted: int = 0
    profiles_built: int = 0
    profiles_unchanged: int = 0
    written_by_llm: int = 0
    writings_failed: int = 0
    sentences_kept: int = 0
    sentences_rejected: int = 0
    vectors: int = 0
    last_failure: str = ""

    def add_generation(self, answer: Generation) -> None:
        """One conversation was answered."""
        self.calls += 1
        self.prompt_tokens += answer.prompt_tokens
        self.completion_tokens += answer.completion_tokens

    def add_parsed(self, parsed: ParsedOutput) -> None:
        """One answer was read."""
        self.lines += len(parsed.lines)
        self.malformed += parsed.malformed
        self.quotes_dropped += parsed.not_verbatim
        self.instructions_dropped += parsed.instructions
        self.polarity_doubted += parsed.doubted
