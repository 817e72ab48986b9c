"""Questions, models and lanes that the tests of the probes share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from agent.ports import Generation, LabelScores, LanguageModel, Message, ModelInfo
from agent.scripted import data_blocks
from eval.answers.cassette import Cassette
from eval.answers.judge import PromptFor, judge_question
from eval.answers.lane import Budget, Lane
from eval.judged import JudgedQuestion
from eval.question import Lang, PoolItem, Question
from prompts.library import PromptLibrary
from retrieval.errors import ModelUnavailable

RERANK: PromptFor = partial(PromptLibrary().find, "rerank@1")
Answer = Callable[[str, int], float | None]
"""(the card as the model reads it, index in the call) -> ℓ; ``None`` fails."""


class CardModel:
    """A label model that knows nothing but a card and its place in the call.

    Attributes:
        calls: how many prompts each call had.
    """

    info = ModelInfo("cards", "small", 4096)

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.calls: list[int] = []

    def label_logprobs(
        self,
        conversations: Sequence[Sequence[Message]],
        labels: Sequence[str],
        *,
        deadline: float | None = None,
    ) -> LabelScores:
        self.calls.append(len(conversations))
        rows = tuple(
            _row(self._answer(data_blocks(turns[-1]["content"])[-1], index), labels)
            for index, turns in enumerate(conversations)
        )
        return LabelScores(rows, 10 * len(rows), len(rows), 0)

    def generate(self, conversations: object, **_: object) -> list[Generation]:
        raise ModelUnavailable("this model only judges")

    def describe_image(self, path: Path, prompt: str, *, max_tokens: int) -> Generation:
        raise ModelUnavailable("this model is blind")


def _row(odds: float | None, labels: Sequence[str]) -> dict[str, float] | None:
    if odds is None:
        return None
    return {labels[0]: -math.log1p(math.exp(-odds)), labels[1]: -math.log1p(math.exp(odds))}


class Counting:
    """Progress that counts."""

    done = 0

    def start(self, stage: str, total: int | None) -> None: ...

    def advance(self, n: int = 1) -> None:
        self.done += n

    def note(self, text: str) -> None: ...


def lane(folder: Path, model: LanguageModel) -> Lane:
    return Lane(model, Cassette(folder / "answers.jsonl", model.info), Budget())


def question(
    query_id: str = "q0",
    *,
    size: int = 25,
    relevant: Sequence[int] = (4,),
    lang: Lang = "en",
    bins: bool = False,
) -> Question:
    """Items ``i0`` … in the order of S; item n is "gadget number n" in the model's eyes."""
    return Question(
        query_id=query_id,
        user_id="ann",
        lang=lang,
        query_text="",
        person_text=f"likes gadgets, says {query_id}",
        candidates=tuple(
            PoolItem(
                f"i{at}",
                1.0 - 0.02 * at,
                {"behaviour": 1.0 - 0.02 * at},
                f"gadget number {at}",
                {"behaviour": f"{5 - at % 5}/5"} if bins else {},
            )
            for at in range(size)
        ),
        relevant=frozenset(f"i{at}" for at in relevant),
    )


def judged(
    on: Lane, questions: Sequence[Question], *, candidates: int = 20, bins: bool = False
) -> list[JudgedQuestion]:
    """The main pass."""
    return [judge_question(on, q, RERANK, candidates=candidates, bins=bins) for q in questions]


def number(card: str) -> int:
    """Of the gadget on a card."""
    return int(card.split("gadget number ")[1].split()[0].rstrip("."))


def own_taste(card: str, _: int) -> float:
    """Different for every gadget, in no order that S knows."""
    return float((number(card) * 7) % 25) / 10 - 1.2
