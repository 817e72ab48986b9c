"""What a model said of one question's candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JudgedItem:
    """ℓ = logp(yes) - logp(no) of one candidate; ``None`` where its judgement failed.

    ``conversation`` is the SHA-256 of what was shown.
    """

    item_id: str
    log_odds: float | None
    logprobs: Mapping[str, float] | None
    conversation: str


@dataclass(frozen=True, slots=True)
class JudgedQuestion:
    """Every judged candidate of one question, in the order in which they were shown.

    Attributes:
        query_id: of the question.
        items: empty when the whole call failed.
        prompt_tokens, completion_tokens: of all answers, replayed ones with what they cost
            when they were recorded.
        milliseconds: the same; waiting for the model only.
        calls: requests to the model, replayed ones included.
        replayed: items whose answer was on record.
        missing: labels below the server's top tokens.
        failed_because: "" when the call itself succeeded.
    """

    query_id: str
    items: tuple[JudgedItem, ...]
    prompt_tokens: int = 0
    completion_tokens: int = 0
    milliseconds: float = 0.0
    calls: int = 0
    replayed: int = 0
    missing: int = 0
    failed_because: str = ""

    @property
    def log_odds(self) -> dict[str, float | None]:
        """ℓ by item id."""
        return {item.item_id: item.log_odds for item in self.items}

    @property
    def failed(self) -> int:
        """How many candidates got no usable judgement."""
        return sum(item.log_odds is None for item in self.items)
