"""People who each want one word, models that see it or do not, and configs to ask them by."""

from __future__ import annotations

import hashlib
import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.ports import Generation, LabelScores, Message, ModelInfo
from agent.scripted import data_blocks
from eval.answers.cassette import Cassette
from eval.answers.judge import PromptFor
from eval.answers.lane import Budget, Lane
from eval.prompt_config import PromptRunConfig
from eval.question import PoolItem, Question, write_questions
from prompts.library import PromptLibrary
from retrieval.errors import ModelUnavailable

RERANK: PromptFor = partial(PromptLibrary().find, "rerank@1")
CANDIDATES = 12
Odds = Callable[[Sequence[str]], float | None]
"""The data blocks of a prompt (the person first, the card last) -> log-odds, None = failed."""


def questions(count: int, seed: int = 0) -> list[Question]:
    """Person k wants word k, which one of twelve cards has; S puts it anywhere."""
    rng = np.random.default_rng(seed)
    found = []
    for at in range(count):
        gold = int(rng.integers(CANDIDATES))
        items = []
        for place in range(CANDIDATES):
            word = f"word{at}" if place == gold else f"other{at}x{place}"
            parts = {"behaviour": 0.7 - 0.05 * place, "popular": 0.3 - 0.01 * place}
            items.append(
                PoolItem(
                    f"i{at}-{place}",
                    math.fsum(parts.values()),
                    parts,
                    f"Thing of {word}",
                    {"behaviour": f"{5 - place // 3}/5"},
                )
            )
        found.append(
            Question(
                f"q{at}",
                f"u{at}",
                "en",
                "",
                f"wants word{at} and nothing else",
                tuple(items),
                frozenset({f"i{at}-{gold}"}),
                {"user": "cold" if at % 2 else "warm"},
            )
        )
    return found


def reads(blocks: Sequence[str]) -> float:
    """Likes what has the word that the person wants."""
    return 2.0 if blocks[-1].split()[-1] == blocks[0].split()[1] else noise(blocks[-1]) - 2.0


def looks_at_cards(blocks: Sequence[str]) -> float:
    """Whatever the person: something about the card."""
    return noise(blocks[-1])


def says_nothing(blocks: Sequence[str]) -> None:
    """As a model that answers white space: no label among its tokens."""


def noise(text: str) -> float:
    """In [-1, 1), of the text and nothing else."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**63 - 1


class Judge:
    """A label model by a rule. ``asked`` holds what it was shown, one entry a prompt."""

    def __init__(self, odds: Odds = reads, model_id: str = "fake", delay: float = 0.0) -> None:
        self.info = ModelInfo(model_id, "small", 4096)
        self._odds, self._delay = odds, delay
        self._lock = threading.Lock()
        self.asked: list[str] = []
        self.calls = 0

    def label_logprobs(
        self,
        conversations: Sequence[Sequence[Message]],
        labels: Sequence[str],
        *,
        deadline: float | None = None,
    ) -> LabelScores:
        time.sleep(self._delay)
        with self._lock:
            self.calls += 1
            self.asked += [turns[-1]["content"] for turns in conversations]
        rows = tuple(
            logprobs(self._odds(data_blocks(turns[-1]["content"])), labels)
            for turns in conversations
        )
        return LabelScores(rows, 10 * len(rows), len(rows), 0)

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        deadline: float | None = None,
        done: Callable[[int, Generation], None] | None = None,
    ) -> list[Generation]:
        self.asked += [turns[-1]["content"] for turns in conversations]
        return [Generation(turns[-1]["content"].upper(), "stop", 5, 3) for turns in conversations]

    def describe_image(self, path: Path, prompt: str, *, max_tokens: int) -> Generation:
        raise ModelUnavailable("blind")


def logprobs(odds: float | None, labels: Sequence[str]) -> dict[str, float] | None:
    if odds is None:
        return None
    return {labels[0]: -math.log1p(math.exp(-odds)), labels[1]: -math.log1p(math.exp(odds))}


class Watcher:
    """Collects what a person would see."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stages: list[str] = []
        self.done = 0

    def start(self, stage: str, total: int | None) -> None:
        self.stages.append(stage)

    def advance(self, n: int = 1) -> None:
        self.done += n

    def note(self, text: str) -> None:
        self.notes.append(text)


def lane(folder: Path, model: Judge, budget: int | None = None) -> Lane:
    return Lane(
        model, Cassette(folder / f"{model.info.model_id}.jsonl", model.info), Budget(budget)
    )


def config(**changes: Any) -> PromptRunConfig:
    """One variant, one model; tables and lists of tables as in TOML."""
    raw: dict[str, Any] = {
        "name": "try",
        "data": {"format": "questions", "path": "questions.jsonl"},
        "variants": [{"name": "v1", "prompt": "rerank@1", "weight": 1.0, "max_rise": 11}],
        "models": [{"name": "m", "model": "scripted"}],
        "pool": {"judged": CANDIDATES},
    }
    return PromptRunConfig.model_validate(raw | changes)


def write_config(
    folder: Path,
    asked: Sequence[Question],
    text: str = "",
    *,
    model: str = 'model = "scripted"',
    variant: str = "weight = 1.0\nmax_rise = 11",
) -> Path:
    """``c.toml`` and ``questions.jsonl``; ``text`` stands at the top, before every table."""
    write_questions(folder / "questions.jsonl", asked)
    path = folder / "c.toml"
    path.write_text(
        f'name = "try"\n{text}\n[data]\nformat = "questions"\npath = "questions.jsonl"\n'
        f'[pool]\njudged = {CANDIDATES}\n[[variants]]\nname = "v1"\nprompt = "rerank@1"\n'
        f'{variant}\n[[models]]\nname = "m"\n{model}\n'
    )
    return path


@contextmanager
def answering(model: Judge, patch: pytest.MonkeyPatch) -> Iterator[Judge]:
    """``model`` in place of whatever a config names."""

    @contextmanager
    def found(settings: object, progress: object) -> Iterator[Judge]:
        yield model

    with patch.context() as patched:
        patched.setattr("eval.answers.opened.language_model", found)
        yield model


def record_of(runs: Path) -> dict[str, Any]:
    """The record of the only finished run in the folder."""
    (path,) = runs.glob("*/record.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def system(record: Mapping[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in record["systems"] if one["name"] == name]
    return dict(found)


def without_cards(question: Question) -> Question:
    bare = tuple(replace(one, card="") for one in question.candidates)
    return replace(question, candidates=bare)
