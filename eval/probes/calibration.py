"""Calibration: when a model says 70 %, is it right seven times in ten? Pure.

p = sigmoid(ℓ) is the model's yes among its yes and no. It is held against what the person
took up later. Most items that a person would have liked were never met, so a model that
judges taste well still says too much; compare prompts by this figure, not with 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata

from eval.judged import JudgedQuestion
from eval.question import Question
from eval.records.whole import finite

BINS = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Judgements with p in [low, high); the last bin holds 1 as well.

    ``said`` is their mean p, ``true`` the share that was relevant; NaN for an empty bin.
    """

    low: float
    high: float
    n: int
    said: float
    true: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How much the probabilities can be believed; NaN where nothing was judged.

    Attributes:
        n: judgements.
        failed: candidates without a judgement.
        ece: mean |said - true| over the bins, weighted by n; in [0, 1] (Naeini et al., 2015).
        brier: mean (p - relevant)², in [0, 1].
        auc: chance that a relevant candidate has a higher p than another one, over all
            questions, ties half; NaN unless both kinds are there.
        bins: ``BINS`` of equal width. Of equal width rather than of equal count: their edges
            are the same for every prompt and model, so two diagrams can be laid over each
            other, and where a model never goes is seen as such.
    """

    n: int
    failed: int
    ece: float
    brier: float
    auc: float
    bins: tuple[CalibrationBin, ...]

    def to_json(self) -> dict[str, Any]:
        """As the run's record keeps it; what was not measured is ``None``."""
        record: dict[str, Any] = finite(asdict(self))
        return record


def calibration(questions: Sequence[Question], judged: Sequence[JudgedQuestion]) -> Calibration:
    """Hold every judgement against what was relevant.

    Args:
        questions: n of them.
        judged: aligned.
    """
    odds: list[float] = []
    relevant: list[bool] = []
    failed = 0
    for question, answer in zip(questions, judged, strict=True):
        failed += answer.failed
        for item in answer.items:
            if item.log_odds is not None:
                odds.append(item.log_odds)
                relevant.append(item.item_id in question.relevant)
    said = np.asarray(expit(np.array(odds, dtype=np.float64)), dtype=np.float64)
    true = np.array(relevant, dtype=np.float64)
    bins = _bins(said, true)
    if not len(said):
        return Calibration(0, failed, math.nan, math.nan, math.nan, bins)
    return Calibration(
        n=len(said),
        failed=failed,
        ece=math.fsum(one.n * abs(one.said - one.true) for one in bins if one.n) / len(said),
        brier=float(np.mean((said - true) ** 2)),
        # By ℓ itself: far from even odds different ones round to the same p.
        auc=_auc(np.array(odds), true),
        bins=bins,
    )


def _bins(said: Floats, true: Floats) -> tuple[CalibrationBin, ...]:
    place = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    bins = []
    for at in range(BINS):
        inside = place == at
        n = int(inside.sum())
        bins.append(
            CalibrationBin(
                at / BINS,
                (at + 1) / BINS,
                n,
                float(said[inside].mean()) if n else math.nan,
                float(true[inside].mean()) if n else math.nan,
            )
        )
    return tuple(bins)


def _auc(odds: Floats, true: Floats) -> float:
    """Mann-Whitney U of the relevant ones, as a share of the pairs."""
    wins = int(true.sum())
    pairs = wins * (len(true) - wins)
    if not pairs:
        return math.nan
    ranks = rankdata(odds)
    return float((ranks[true == 1].sum() - wins * (wins + 1) / 2) / pairs)
