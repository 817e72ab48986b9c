"""Asked at start-up: can this server do what Palate relies on?

A server that ignores a field it does not know answers 200 and plausible text all the same, so
the question is one that only real constrained decoding gets right.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.ports import LabelScores, Message
from retrieval.errors import ModelOutputError, PalateError

NONSENSE = ("zqxvj-17", "wubblefk")
DIALECTS = ("structured_outputs", "response_format")


class Probed(Protocol):
    """What the probe needs of an adapter."""

    def choose(
        self, conversation: Sequence[Message], choices: Sequence[str], *, dialect: str
    ) -> str:
        """One of the choices if the server can be held to them."""

    def label_logprobs(
        self,
        conversations: Sequence[Sequence[Message]],
        labels: Sequence[str],
        *,
        deadline: float | None = None,
    ) -> LabelScores:
        """See ``agent.ports.LanguageModel``."""


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """``dialect`` is how the server takes constraints; ``labels`` what it said of yes and no."""

    dialect: str
    labels: dict[str, float]
    seconds: float


def probe(model: Probed) -> ProbeReport:
    """Two small calls.

    Raises:
        ModelOutputError: constraints are ignored, or label log-probabilities are missing or
            make no sense; says which.
        ModelUnavailable, ModelTimeout: the server does not answer.
    """
    began = time.monotonic()
    dialect = _constrained(model)
    labels = _labels(model)
    return ProbeReport(dialect, labels, time.monotonic() - began)


def _constrained(model: Probed) -> str:
    question: Message = {"role": "user", "content": "Which animal barks? Answer in one word."}
    seen = []
    for dialect in DIALECTS:
        try:
            answer = model.choose([question], NONSENSE, dialect=dialect)
        except ModelOutputError as error:  # refused: a field that it does not know
            seen.append(f"{dialect}: {error.message}")
            continue
        if any(answer == word or answer.strip("{} \n").endswith(f'"{word}"') for word in NONSENSE):
            return dialect
        seen.append(f"{dialect}: answered {answer[:60]!r}")
    raise ModelOutputError(
        f"the model server does not hold its answers to a given choice ({'; '.join(seen)})",
        "use a server with structured outputs, such as vLLM 0.12 or newer",
    )


def _labels(model: Probed) -> dict[str, float]:
    question: Message = {"role": "user", "content": "Is ice cold? Answer only yes or no."}
    try:
        scores = model.label_logprobs([[question]], ["yes", "no"])
    except PalateError as error:
        if not isinstance(error, ModelOutputError):
            raise
        raise _no_labels(error.message) from error
    row = scores.logprobs[0] if scores.logprobs else None
    if row is None:
        raise _no_labels("none were sent")
    if set(row) != {"yes", "no"} or not all(
        math.isfinite(value) and value <= 0 for value in row.values()
    ):
        raise _no_labels(f"it sent {row}")
    if sum(math.exp(value) for value in row.values()) > 1.01 or scores.missing == len(row):
        raise _no_labels(f"it sent {row}, {scores.missing} of them not among its top tokens")
    return row


def _no_labels(what: str) -> ModelOutputError:
    return ModelOutputError(
        f"the model server gives no usable log-probabilities of labels: {what}",
        "use a server with logprobs, such as vLLM, or set rerank.enabled = false and "
        "llm.model = none",
    )
