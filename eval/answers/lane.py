"""The one lane on which an evaluation reaches a model: replay first, then ask, then record."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agent.ports import Generation, LabelScores, LanguageModel, Message, ModelInfo
from eval.answers.cassette import Answer, Cassette, request_key
from prompts.prompt import conversation_sha256
from retrieval.errors import (
    ContextOverflow,
    InvalidInput,
    ModelOutputError,
    ModelTimeout,
    ModelUnavailable,
)
from retrieval.types import content_hash

_Answered = TypeVar("_Answered", LabelScores, list[Generation])

_FAILURES = (ContextOverflow, ModelTimeout, ModelOutputError)
"""Errors about what was asked, which go on record. That a model is gone is none of them."""


class BudgetSpent(Exception):
    """The tokens that the run may use are used up. Not an error of the model's."""


class Budget:
    """Tokens that may still be asked for; shared by everything that one run does.

    Args:
        tokens: prompt and completion together; ``None`` is no limit. No call begins once
            they are spent, so that the last call may go over by its own size.
    """

    def __init__(self, tokens: int | None = None) -> None:
        if tokens is not None and tokens < 1:
            raise InvalidInput(f"a budget of {tokens} tokens", "give 1 or more, or no budget")
        self.tokens = tokens
        self.spent = 0
        self._lock = threading.Lock()

    def spend(self, tokens: int) -> None:
        """Count what a call took."""
        with self._lock:
            self.spent += tokens

    def check(self) -> None:
        """Raise ``BudgetSpent`` when nothing is left."""
        if self.tokens is not None and self.spent >= self.tokens:
            raise BudgetSpent(f"{self.spent:,} of {self.tokens:,} tokens are spent")


@dataclass(slots=True)
class Usage:
    """What went over a lane. Replayed requests count with what they cost when recorded.

    ``asked`` and ``replayed`` count prompts; ``calls`` counts requests to the server, a
    wholly replayed one included.
    """

    calls: int = 0
    asked: int = 0
    replayed: int = 0
    missing: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    milliseconds: float = 0.0


class Lane:
    """A ``LanguageModel`` that replays what is on record and records what it has to ask.

    ``view()`` gives a lane on the same record and budget with counters of its own. The
    prompts of one call that are new go to the model in one call, as production sends them.

    Args:
        model: ``None`` replays only.
        cassette: the record.
        budget: shared with other lanes of the run.
        salt: tells repeats apart: other salts ask again.
    """

    def __init__(
        self, model: LanguageModel | None, cassette: Cassette, budget: Budget, *, salt: str = ""
    ) -> None:
        self._model = model
        self._cassette = cassette
        self.budget = budget
        self._salt = salt
        self._shown: dict[str, Sequence[Message]] = {}
        self.usage = Usage()
        self._counting = threading.Lock()

    @property
    def info(self) -> ModelInfo:
        """Of the model that answers, or answered."""
        return self._cassette.info

    @property
    def shown(self) -> dict[str, Sequence[Message]]:
        """Conversations by hash, of this lane and of all its views."""
        return self._shown

    def view(self, salt: str | None = None) -> Lane:
        """The same record and budget, counting from zero; with ``salt``, other answers."""
        view = Lane(
            self._model,
            self._cassette,
            self.budget,
            salt=self._salt if salt is None else f"{self._salt}/{salt}",
        )
        view._shown = self._shown
        return view

    def label_logprobs(
        self,
        conversations: Sequence[Sequence[Message]],
        labels: Sequence[str],
        *,
        deadline: float | None = None,
    ) -> LabelScores:
        """See the port.

        Raises:
            ModelUnavailable: there is no model and an answer is not on record.
            ContextOverflow, ModelTimeout, ModelOutputError: the model's, or on record.
            BudgetSpent: before the call.
        """
        keys = self._keys(conversations, "labels", *labels)
        fresh = self._fresh(keys)
        if fresh:
            new = [conversations[at] for at in fresh]

            def ask(model: LanguageModel) -> LabelScores:
                found = model.label_logprobs(new, labels, deadline=deadline)
                _check_count(len(found.logprobs), len(new))
                return found

            scores, took = self._call(keys, fresh, ask)
            self._record(
                keys,
                fresh,
                [
                    Answer(
                        logprobs=row,
                        missing=_share(scores.missing, place, len(fresh)),
                        prompt_tokens=scores.prompt_tokens / len(fresh),
                        completion_tokens=scores.completion_tokens / len(fresh),
                        milliseconds=took,
                    )
                    for place, row in enumerate(scores.logprobs)
                ],
            )
        answers = self._answers(keys, len(fresh))
        return LabelScores(
            tuple(None if one.logprobs is None else dict(one.logprobs) for one in answers),
            round(sum(one.prompt_tokens for one in answers)),
            round(sum(one.completion_tokens for one in answers)),
            sum(one.missing for one in answers),
        )

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        deadline: float | None = None,
        done: Callable[[int, Generation], None] | None = None,
    ) -> list[Generation]:
        """See the port; raises as ``label_logprobs`` does."""
        keys = self._keys(conversations, "generate", max_tokens, list(stop))
        fresh = self._fresh(keys)
        if fresh:
            new = [conversations[at] for at in fresh]

            def ask(model: LanguageModel) -> list[Generation]:
                found = model.generate(new, max_tokens=max_tokens, stop=stop, deadline=deadline)
                _check_count(len(found), len(new))
                return found

            answers, took = self._call(keys, fresh, ask)
            self._record(
                keys,
                fresh,
                [
                    Answer(
                        text=one.text,
                        finish=one.finish,
                        prompt_tokens=one.prompt_tokens,
                        completion_tokens=one.completion_tokens,
                        milliseconds=took,
                    )
                    for one in answers
                ],
            )
        generations = [
            Generation(
                one.text or "", one.finish, round(one.prompt_tokens), round(one.completion_tokens)
            )
            for one in self._answers(keys, len(fresh))
        ]
        if done is not None:
            for index, generation in enumerate(generations):
                done(index, generation)
        return generations

    def describe_image(self, path: Path, prompt: str, *, max_tokens: int) -> Generation:
        """Pictures are not evaluated: ModelUnavailable."""
        raise ModelUnavailable("an evaluation shows no pictures", "caption them at ingest")

    def _keys(self, conversations: Sequence[Sequence[Message]], *what: object) -> list[str]:
        for turns in conversations:
            self._shown.setdefault(conversation_sha256(turns), turns)
        return [request_key(turns, *what, salt=self._salt) for turns in conversations]

    def _fresh(self, keys: Sequence[str]) -> list[int]:
        """Where the prompts stand that nothing is on record for; equal ones once.

        Raises:
            ContextOverflow, ModelTimeout, ModelOutputError: this very call failed before.
        """
        first = {key: at for at, key in reversed(list(enumerate(keys)))}
        fresh = sorted(at for key, at in first.items() if self._cassette.get(key) is None)
        # Only where an answer is missing: another run may have got them all since.
        failed = self._cassette.get(_call_key(keys)) if fresh else None
        if failed is not None:
            kind = next((one for one in _FAILURES if one.code == failed.error), ModelOutputError)
            raise kind(failed.text or failed.error)
        return fresh

    def _call(
        self, keys: Sequence[str], fresh: Sequence[int], ask: Callable[[LanguageModel], _Answered]
    ) -> tuple[_Answered, float]:
        """What the model answers, and milliseconds a prompt; a failed call goes on record."""
        model = self._asking(len(fresh), len(keys))
        began = time.perf_counter()
        try:
            answered = ask(model)
        except _FAILURES as error:
            self._cassette.add({_call_key(keys): Answer(text=error.message, error=error.code)})
            raise
        return answered, (time.perf_counter() - began) * 1000 / len(fresh)

    def _asking(self, fresh: int, of: int) -> LanguageModel:
        if self._model is None:
            raise ModelUnavailable(
                f"{self._cassette.path} holds no answer for {fresh} of {of} requests",
                "the config or a prompt changed since it was recorded: run once with the model",
            )
        self.budget.check()
        return self._model

    def _record(self, keys: Sequence[str], fresh: Sequence[int], answers: Sequence[Answer]) -> None:
        self._cassette.add({keys[at]: one for at, one in zip(fresh, answers, strict=True)})
        self.budget.spend(round(sum(a.prompt_tokens + a.completion_tokens for a in answers)))

    def _answers(self, keys: Sequence[str], asked: int) -> list[Answer]:
        answers = [one for key in keys if (one := self._cassette.get(key)) is not None]
        usage = self.usage
        with self._counting:
            usage.calls += bool(keys)
            usage.asked += asked
            usage.replayed += len(keys) - asked
            usage.missing += sum(one.missing for one in answers)
            usage.prompt_tokens += sum(one.prompt_tokens for one in answers)
            usage.completion_tokens += sum(one.completion_tokens for one in answers)
            usage.milliseconds += sum(one.milliseconds for one in answers)
        return answers


def _call_key(keys: Sequence[str]) -> str:
    """Of the whole call: which of its prompts made it fail is not known."""
    return content_hash("call", *keys)


def _check_count(answers: int, asked: int) -> None:
    if answers != asked:
        raise ModelOutputError(
            f"the model answered {answers} of {asked} prompts", "check the model server's version"
        )


def _share(total: int, place: int, of: int) -> int:
    """``total`` dealt out in whole numbers: the first ones get the remainder."""
    return total // of + (place < total % of)
