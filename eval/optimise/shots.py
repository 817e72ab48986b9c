"""Shots from what tuning users really chose: answers with a yes or a no that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eval.answers.judge import card_of
from eval.question import PoolItem, Question

_PATTERN = (True, False, False, True)
"""Yes and no in turn, so that neither is always the last that the model has read."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One worked example; ``yes`` is the first label of the prompt."""

    person: str
    query: str
    card: str
    yes: bool


@dataclass(frozen=True, slots=True)
class Mined:
    """Shots, the same with bins on their cards, and what must not be measured any more.

    Attributes:
        shots: ``k`` of them; empty where the questions do not give that many.
        with_bins: aligned.
        used: ids of all questions of every user that a shot is about.
    """

    shots: tuple[Shot, ...] = ()
    with_bins: tuple[Shot, ...] = ()
    used: frozenset[str] = frozenset()


def mine_shots(questions: Sequence[Question], k: int, seed: int) -> Mined:
    """Take ``k`` shots from ``k`` users: half a relevant item, half one that S puts last.

    A yes is an item that was chosen. A no comes from the last quarter of the pool and was not
    chosen; further up many are only not chosen *yet*.

    Args:
        questions: of one language.
        k: even, at least 2.
        seed: of the draw.

    Returns:
        Empty when fewer than ``k`` users have something to be judged by and such an item, or
        when no question would be left to measure.
    """
    rng = np.random.default_rng(seed)
    wanted = [_PATTERN[at % len(_PATTERN)] for at in range(k)]
    chosen: list[tuple[Question, PoolItem, bool]] = []
    users: set[str] = set()
    for at in rng.permutation(len(questions)):
        if len(chosen) == k:
            break
        question = questions[int(at)]
        if _user(question) in users or not (question.person_text or question.query_text):
            continue
        yes = wanted[len(chosen)]
        items = _yes_items(question) if yes else _no_items(question)
        if items:
            chosen.append((question, items[int(rng.integers(len(items)))], yes))
            users.add(_user(question))
    used = frozenset(q.query_id for q in questions if _user(q) in users)
    if len(chosen) < k or len(used) == len(questions):
        return Mined()
    plain, with_bins = (
        tuple(
            Shot(q.person_text, q.query_text, card_of(item, bins), yes) for q, item, yes in chosen
        )
        for bins in (False, True)
    )
    return Mined(plain, with_bins, used)


def _user(question: Question) -> str:
    """Strangers have no id; each of their questions stands for itself."""
    return f"user {question.user_id}" if question.user_id else f"question {question.query_id}"


def _yes_items(question: Question) -> list[PoolItem]:
    return [one for one in question.candidates if one.card and one.item_id in question.relevant]


def _no_items(question: Question) -> list[PoolItem]:
    last = question.candidates[-max(1, len(question.candidates) // 4) :]
    return [one for one in last if one.card and one.item_id not in question.relevant]
