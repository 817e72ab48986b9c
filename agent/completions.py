"""Reading what a chat-completions server answers; pure, and trusting nothing in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from agent.ports import Generation
from retrieval.errors import ModelOutputError


def read_generation(answer: object) -> Generation:
    """The first choice's text.

    Raises:
        ModelOutputError: the answer has not the shape of a chat completion.
    """
    choice = read_choices(answer, 1)[0]
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    if not isinstance(text, str):
        reasoning = isinstance(message, dict) and message.get("reasoning")
        raise ModelOutputError(
            "the model server answered without text",
            "the answer went into `reasoning`: turn the model's thinking off" if reasoning else "",
        )
    prompt_tokens, completion_tokens = read_usage(answer)
    finish = "length" if choice.get("finish_reason") == "length" else "stop"
    return Generation(text, finish, prompt_tokens, completion_tokens)


def read_choices(answer: object, count: int) -> list[dict[str, Any]]:
    """``count`` choices in the order of their index; ``ModelOutputError`` when they differ."""
    rows = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ModelOutputError(
            f"the model server answered something that is no completion: {str(answer)[:120]!r}",
            "check that llm.base_url is an OpenAI-compatible server",
        )
    by_index = {row.get("index", position): row for position, row in enumerate(rows)}
    if sorted(by_index, key=str) != sorted(range(count), key=str):
        raise ModelOutputError(f"the model server sent {len(rows)} answers for {count} prompts")
    return [by_index[index] for index in range(count)]


def read_usage(answer: object) -> tuple[int, int]:
    """Prompt and completion tokens; zeros where the server does not count."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    usage = usage if isinstance(usage, dict) else {}
    counts = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    prompt, completion = (count if isinstance(count, int) else 0 for count in counts)
    return prompt, completion


def read_labels(
    choice: Mapping[str, Any], tokens: Mapping[str, str]
) -> tuple[dict[str, float] | None, int]:
    """Log-probabilities of the labels at the first generated token.

    Args:
        choice: one choice of a completion with ``logprobs``.
        tokens: label -> how the server spells its token in this answer.

    Returns:
        The row and how many labels were missing from it (they count as the lowest value
        reported minus 1); ``(None, 0)`` when the choice holds no usable log-probability.
    """
    seen = _first_token(choice)
    if not seen:
        return None, 0
    floor = min(seen.values()) - 1.0
    row = {label: seen.get(token, floor) for label, token in tokens.items()}
    return row, sum(1 for token in tokens.values() if token not in seen)


def _first_token(choice: Mapping[str, Any]) -> dict[str, float]:
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    first = content[0] if isinstance(content, list) and content else None
    if not isinstance(first, dict):
        return {}
    top = first.get("top_logprobs")
    rows: Sequence[Any] = [*(top if isinstance(top, list) else []), first]
    seen: dict[str, float] = {}
    for row in rows:
        token, value = (row.get("token"), row.get("logprob")) if isinstance(row, dict) else (0, 0)
        if isinstance(token, str) and isinstance(value, int | float) and math.isfinite(value):
            # Above 0 is rounding; OpenAI and vLLM write -9999 for "impossible".
            seen[token] = max(seen.get(token, -math.inf), min(0.0, float(value)))
    return seen
