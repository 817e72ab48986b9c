"""Logged requests as questions of an evaluation: what the user took is what was to be found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eval.online.log import Exposure
from eval.question import PoolItem, Question


@dataclass(frozen=True, slots=True)
class FromLog:
    """``questions``, and how many requests became none, by reason."""

    questions: tuple[Question, ...]
    left_out: Mapping[str, int]


def to_questions(exposures: Iterable[Exposure]) -> FromLog:
    """Questions with the logged candidates in the order of S; ids are those of the requests.

    Only what was shown can have been taken, so a ranking that finds other good items gets no
    credit for them: such questions favour rankings close to the one that was shown.

    Returns:
        Questions in order of time. A request after which nothing was taken is no question,
        since nothing says what was to be found; a stranger's never is.
    """
    questions: list[Question] = []
    left_out: Counter[str] = Counter()
    for exposure in exposures:
        reason = _unusable(exposure)
        if reason:
            left_out[reason] += 1
        else:
            questions.append(_question(exposure))
    return FromLog(tuple(questions), dict(left_out))


def _unusable(exposure: Exposure) -> str:
    if exposure.request.user_id is None:
        return "by strangers"
    if not exposure.request.shown:
        return "nothing was shown"
    return "" if exposure.taken else "nothing was taken afterwards"


def _question(exposure: Exposure) -> Question:
    request = exposure.request
    strata = {"lang": request.lang, "text": "query" if request.query_text else "silent"}
    if request.arm:
        strata["arm"] = request.arm
    return Question(
        query_id=request.request_id,
        user_id=request.user_id,
        lang="zh" if request.lang == "zh" else "en",
        query_text=request.query_text,
        person_text=request.person_text,
        candidates=tuple(
            PoolItem(item.item_id, item.score, item.parts, item.card, item.bins)
            for item in request.items
        ),
        relevant=exposure.taken,
        strata=strata,
    )
