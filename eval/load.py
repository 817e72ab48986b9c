"""The questions that a config asks for, whatever kind of data they come from."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.settings import read_settings
from agent.stores import open_stores
from eval.config import DataConfig
from eval.data import load_log
from eval.games import games_questions
from eval.pools import GIVEN, QuestionSet, languages_of, questions_from_log
from eval.prompt_config import PromptRunConfig
from eval.question import Question, read_questions
from retrieval.errors import InvalidInput, NotFound
from retrieval.ports import ProfileStore, Progress


def load_questions(config: PromptRunConfig, progress: Progress, *, period: str = "") -> QuestionSet:
    """Questions of ``config.split.period``, or of ``period`` ("tune", "test") in its place.

    A file of ready questions has one period only.

    Raises:
        InvalidInput, NotFound: the data cannot be used; the message says which and why.
    """
    data, limit, seed = config.data, config.limit, config.seed
    if data.format == "questions":
        return _sample(read_questions(data.path), limit, seed)
    if data.format == "games6k":
        return games_questions(
            data.path,
            candidates=config.pool.candidates,
            limit=limit,
            period=period or config.split.period,
            seed=seed,
            progress=progress,
        )
    log = load_log(DataConfig(format=data.format, path=data.path), progress)
    split = config.split.model_copy(update={"period": period} if period else {})
    with _profiles(config.pool.home) as profiles:
        return questions_from_log(
            log.interactions,
            log.items,
            languages=languages_of(log.users),
            split=split,
            pool=config.pool,
            profiles=profiles,
            limit=limit,
            seed=seed,
            progress=progress,
        )


def _sample(questions: Sequence[Question], limit: int | None, seed: int) -> QuestionSet:
    """At most ``limit`` of the questions, in their order."""
    over = max(0, len(questions) - (limit or len(questions)))
    chosen = sorted(random.Random(seed).sample(range(len(questions)), len(questions) - over))
    items = {item.item_id for question in questions for item in question.candidates}
    left_out = {"over the limit": over} if over else {}
    return QuestionSet(tuple(questions[at] for at in chosen), len(items), (), left_out, split=GIVEN)


@contextmanager
def _profiles(home: Path | None) -> Iterator[ProfileStore | None]:
    if home is None:
        yield None
        return
    if not home.is_dir():
        raise NotFound(f"there is no home {home}", "check pool.home")
    with open_stores(read_settings(overrides={"store": {"home": home}})) as stores:
        if not stores.catalog.counts()["profiles"]:
            raise InvalidInput(
                f"the home {home} has no profiles",
                f"build them until the cut: palate --home {home} profiles build --as-of TIME",
            )
        yield stores.profiles
