"""With and without bins, on the same questions."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from agent.scripted import ScriptedModel
from eval.answers.lane import Lane
from eval.probes.bins import BinAblation, bin_ablation
from eval.question import Question
from tests.eval.probes.asking import RERANK, CardModel, Counting, judged, lane, number, question


def ablate(
    on: Lane,
    questions: list[Question],
    *,
    bins: bool = False,
    weight: float = 5.0,
    progress: Counting | None = None,
) -> BinAblation:
    return bin_ablation(
        on, questions, judged(on, questions, bins=bins), RERANK,
        candidates=20, bins=bins, weight=weight, max_rise=3, primary="ndcg@10", progress=progress,
    )  # fmt: skip


def helped(card: str, _: int) -> float:
    """Knows what is wanted only where the card shows bins."""
    return 3.0 if "behaviour" in card and number(card) == 4 else float(number(card) % 3) / 10


def some() -> list[Question]:
    return [question(f"q{n}", bins=True) for n in range(8)]


def test_bins_that_help_show_a_gain_whichever_way_the_variant_has_them(tmp_path: Path) -> None:
    without = ablate(lane(tmp_path / "a", CardModel(helped)), some(), bins=False)
    with_bins = ablate(lane(tmp_path / "b", CardModel(helped)), some(), bins=True)
    assert without.mean > 0.05
    assert without == with_bins
    assert (without.n, without.failed, without.without_bins) == (8, 0, 0)
    assert without.low <= without.mean <= without.high


def test_bins_that_mislead_show_a_loss(tmp_path: Path) -> None:
    def misled(card: str, index: int) -> float:
        return -helped(card, index)

    assert ablate(lane(tmp_path, CardModel(misled)), some()).mean < 0


def test_only_the_other_half_is_asked(tmp_path: Path) -> None:
    model = CardModel(helped)
    progress = Counting()
    ablate(lane(tmp_path, model), some(), progress=progress)
    assert model.calls == [20] * 16
    assert progress.done == 8


def test_without_weight_bins_change_nothing(tmp_path: Path) -> None:
    ablation = ablate(lane(tmp_path, CardModel(helped)), some(), weight=0.0)
    assert (ablation.mean, ablation.low, ablation.high) == (0, 0, 0)


def test_questions_without_bins_are_counted_and_not_asked_again(tmp_path: Path) -> None:
    model = CardModel(helped)
    ablation = ablate(lane(tmp_path, model), [question("a"), *some()[:1]])
    assert (ablation.n, ablation.without_bins) == (1, 1)
    assert model.calls == [20, 20, 20]


@pytest.mark.parametrize("silent", ["shown", "hidden"])
def test_a_question_that_fails_one_way_is_counted(silent: str, tmp_path: Path) -> None:
    def answer(card: str, index: int) -> float | None:
        return None if ("behaviour" in card) == (silent == "shown") else helped(card, index)

    ablation = ablate(lane(tmp_path, CardModel(answer)), some())
    assert (ablation.n, ablation.failed) == (0, 8)
    assert math.isnan(ablation.mean)


def test_where_everything_failed_there_is_no_figure(tmp_path: Path) -> None:
    ablation = ablate(lane(tmp_path, ScriptedModel(fail="rubbish")), some())
    assert ablation.to_json() == {
        "n": 0, "mean": None, "low": None, "high": None, "failed": 8, "without_bins": 0,
    }  # fmt: skip
