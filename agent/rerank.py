"""The language model as one more source: a yes/no for each of the pool's best, in one call.

ℓ(user, item) = logp(yes) - logp(no). Whatever goes wrong, the fused ranking stands and the
answer says why; nothing here raises for a model's sake.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.ports import LabelEvidence, LabelScorer, LabelScores, LanguageModel, Message
from prompts.prompt import Prompt, PromptError
from retrieval.errors import (
    ContextOverflow,
    ModelOutputError,
    ModelTimeout,
    ModelUnavailable,
    PalateError,
)

PROMPT = "rerank"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the model said of the candidates; ``log_odds`` is empty when it said nothing usable."""

    log_odds: Mapping[str, float | None] = field(default_factory=dict)
    degraded_because: str = ""
    prompt_versions: Mapping[str, str] = field(default_factory=dict)
    calls: int = 0
    tokens: int = 0
    notes: tuple[str, ...] = ()


class PointwiseScorer:
    """Implements ``LabelScorer`` with a prompt ``rerank``: every card judged by itself.

    Pointwise, so that one item's text cannot reach another's score; all conversations of a
    request share their beginning, which the engine caches.

    Args:
        model: answers.
        prompt_for: the prompt for a language; all of one version.
    """

    def __init__(self, model: LanguageModel, prompt_for: Callable[[str], Prompt]) -> None:
        self._model = model
        self._prompt_for = prompt_for

    @property
    def prompt_version(self) -> str:
        """``rerank@N``."""
        return self._prompt_for("en").version

    def render(
        self,
        *,
        profile_text: str,
        query_text: str,
        cards: Sequence[tuple[str, str]],
        lang: str,
    ) -> list[tuple[str, list[Message]]]:
        """Item id and conversation of every card that says anything, in the order of ``cards``.

        One item whose text vanishes when neutralised must not silence the others: it is left
        out and logged.
        """
        prompt = self._prompt_for(lang)
        conversations: list[tuple[str, list[Message]]] = []
        for item_id, card in cards:
            try:
                turns = prompt.render(profile=profile_text, query=query_text, card=card)
            except PromptError as error:
                _log.warning("item %s has no usable card: %s", item_id, error)
                continue
            conversations.append(
                (item_id, [Message(role=t["role"], content=t["content"]) for t in turns])
            )
        return conversations

    def score(
        self,
        *,
        profile_text: str,
        query_text: str,
        cards: Sequence[tuple[str, str]],
        lang: str,
        deadline: float | None,
    ) -> tuple[list[LabelEvidence], LabelScores]:
        """See the port. The prompt's first label is the affirmative one."""
        labels = self._prompt_for(lang).labels
        asked = self.render(
            profile_text=profile_text, query_text=query_text, cards=cards, lang=lang
        )
        scores = self._model.label_logprobs(
            [conversation for _, conversation in asked], labels, deadline=deadline
        )
        if len(scores.logprobs) != len(asked):
            raise ModelOutputError(
                f"the model judged {len(scores.logprobs)} of {len(asked)} candidates",
                "check the model server's version",
            )
        odds = {
            item_id: log_odds(row, labels)
            for (item_id, _), row in zip(asked, scores.logprobs, strict=True)
        }
        return [LabelEvidence(item_id, odds.get(item_id)) for item_id, _ in cards], scores


def log_odds(row: Mapping[str, float] | None, labels: Sequence[str]) -> float | None:
    """ℓ = logp(first label) - logp(second); ``None`` where either is missing or not finite."""
    yes, no = labels
    if row is None or yes not in row or no not in row:
        return None
    odds = row[yes] - row[no]
    return odds if math.isfinite(odds) else None


def judge(
    scorer: LabelScorer,
    *,
    profile_text: str,
    query_text: str,
    cards: Sequence[tuple[str, str]],
    lang: str,
    deadline: float,
) -> Judgement:
    """Ask about every card in one call; a failure becomes ``degraded_because``, never an error."""
    try:
        evidence, scores = scorer.score(
            profile_text=profile_text,
            query_text=query_text,
            cards=cards,
            lang=lang,
            deadline=deadline,
        )
    except PalateError as error:
        return Judgement(degraded_because=_why(error, deadline), calls=1)
    tokens = scores.prompt_tokens + scores.completion_tokens
    versions = {PROMPT: scorer.prompt_version}
    odds = {entry.item_id: entry.log_odds for entry in evidence}
    failed = sum(value is None for value in odds.values())
    if failed == len(odds):
        return Judgement(
            degraded_because="the language model answered nothing usable",
            prompt_versions=versions,
            calls=1,
            tokens=tokens,
        )
    notes = []
    if failed:
        notes.append(f"the language model judged {len(odds) - failed} of {len(odds)} items")
    if scores.missing:
        notes.append(f"{scores.missing} label probabilities were below the server's top tokens")
    return Judgement(odds, "", versions, 1, tokens, tuple(notes))


def _why(error: PalateError, deadline: float) -> str:
    if isinstance(error, ModelTimeout):
        return f"the language model did not answer within {deadline:g} s"
    if isinstance(error, ModelUnavailable):
        return f"the language model is not available: {error.message}"
    if isinstance(error, ModelOutputError):
        return f"the language model answered something unusable: {error.message}"
    if isinstance(error, ContextOverflow):
        return f"the prompt does not fit the language model's window: {error.message}"
    return f"the language model failed: {error.message}"
