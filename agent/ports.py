"""What deciding needs from a language model.

Messages are the OpenAI shape, ``{"role": "system" | "user" | "assistant", "content": text}``.
Implementations: ``agent/vllm.py`` (any OpenAI-compatible URL), ``agent/scripted.py``
(offline, deterministic, product code).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypedDict


class Message(TypedDict):
    """One turn."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Generation:
    """One answer. ``finish`` is "stop" or "length"."""

    text: str
    finish: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class LabelScores:
    """Log-probabilities (natural log, <= 0) of each label as the next token, one row a prompt.

    A label outside the server's top tokens counts as its lowest reported value
    minus 1 and is counted in ``missing``. ``None`` where that prompt failed.
    """

    logprobs: tuple[dict[str, float] | None, ...]
    prompt_tokens: int
    completion_tokens: int
    missing: int


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What answers: ``model_id`` binds name and, where known, the weights' digest."""

    model_id: str
    tier: Literal["tiny", "small", "large"]
    context_tokens: int
    vision: bool = False


class LanguageModel(Protocol):
    """A chat model. Errors: ModelUnavailable, ModelTimeout, ModelOutputError, ContextOverflow."""

    @property
    def info(self) -> ModelInfo:
        """Identity and abilities."""

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        deadline: float | None = None,
        done: Callable[[int, Generation], None] | None = None,
    ) -> list[Generation]:
        """Answers in order, temperature 0, batched by the engine.

        ``deadline`` is seconds from now for the whole call. ``done(index, generation)``
        is called as each finishes, from any thread, so that long work can commit as it goes.
        An empty input gives an empty list.
        """

    def label_logprobs(
        self,
        conversations: Sequence[Sequence[Message]],
        labels: Sequence[str],
        *,
        deadline: float | None = None,
    ) -> LabelScores:
        """Log-probability of each single-token label as the next assistant token, in one call."""

    def describe_image(self, path: Path, prompt: str, *, max_tokens: int) -> Generation:
        """One picture through the vision API; ModelUnavailable when ``info.vision`` is false."""


@dataclass(frozen=True, slots=True)
class LabelEvidence:
    """What the model says of one candidate: ℓ = logp(yes) - logp(no), ``None`` when it failed."""

    item_id: str
    log_odds: float | None


class LabelScorer(Protocol):
    """Scores candidates for a user with label log-probabilities."""

    @property
    def prompt_version(self) -> str:
        """``name@version`` of the prompt in use."""

    def score(
        self,
        *,
        profile_text: str,
        query_text: str,
        cards: Sequence[tuple[str, str]],
        lang: str,
        deadline: float | None,
    ) -> tuple[list[LabelEvidence], LabelScores]:
        """One ``LabelEvidence`` per (item_id, card), in order."""
