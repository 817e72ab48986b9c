"""A scorer to which the place in the call matters is found out; a fair one is cleared."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from agent.scripted import ScriptedModel
from eval.judged import JudgedQuestion
from eval.probes.position import POSITIONS, PositionResult, position_probe
from eval.question import Question
from tests.eval.probes.asking import (
    RERANK,
    CardModel,
    Counting,
    judged,
    lane,
    number,
    own_taste,
    question,
)


def probe(folder: Path, model: CardModel, *questions: Question) -> PositionResult:
    return position_probe(lane(folder, model), questions, RERANK, candidates=20)


def test_a_pointwise_scorer_is_the_same_at_every_position(tmp_path: Path) -> None:
    result = probe(tmp_path, CardModel(own_taste), question("a"), question("b"))
    assert [one.position for one in result.positions] == list(POSITIONS)
    assert {one.n for one in result.positions} == {2}
    assert len({one.log_odds for one in result.positions}) == 1
    assert result.kendall_tau == pytest.approx(1)
    assert result.log_odds_range == 0


def test_a_scorer_that_prefers_the_front_is_found_out(tmp_path: Path) -> None:
    result = probe(
        tmp_path,
        CardModel(lambda card, index: own_taste(card, index) - 0.5 * index),
        *(question(f"q{n}") for n in range(5)),
    )
    odds = [one.log_odds for one in result.positions]
    ranks = [one.rank for one in result.positions]
    assert odds == sorted(odds, reverse=True)
    assert ranks == sorted(ranks)
    assert result.log_odds_range == pytest.approx(0.5 * 19)
    assert result.kendall_tau < 0.5


def test_a_scorer_that_sees_only_positions_agrees_with_itself_by_chance(tmp_path: Path) -> None:
    result = probe(
        tmp_path,
        CardModel(lambda _, index: float(-index)),
        *(question(f"q{n}") for n in range(20)),
    )
    assert abs(result.kendall_tau) < 0.15


def test_nothing_is_replayed_from_the_main_pass(tmp_path: Path) -> None:
    model = CardModel(own_taste)
    on = lane(tmp_path, model)
    told: list[JudgedQuestion] = judged(on, [question()])
    progress = Counting()
    position_probe(on, [question()], RERANK, candidates=20, progress=progress)
    assert model.calls == [20] * (1 + len(POSITIONS))
    assert progress.done == len(told)


def test_gold_stands_where_it_was_put(tmp_path: Path) -> None:
    places: list[int] = []

    def watch(card: str, index: int) -> float:
        if number(card) == 4:
            places.append(index)
        return own_taste(card, index)

    probe(tmp_path, CardModel(watch), question(relevant=[4]))
    assert tuple(places) == POSITIONS


def test_positions_that_a_short_list_lacks_are_empty(tmp_path: Path) -> None:
    result = probe(tmp_path, CardModel(own_taste), question(size=7))
    assert [one.n for one in result.positions] == [1, 1, 0, 0, 0]
    assert math.isnan(result.positions[-1].rank)
    assert result.to_json()["position_bias"][-1] == {
        "position": 19, "n": 0, "failed": 0, "log_odds": None, "rank": None,
    }  # fmt: skip


def test_questions_without_a_relevant_item_among_the_judged_are_counted(tmp_path: Path) -> None:
    result = probe(tmp_path, CardModel(own_taste), question("a", relevant=[22]), question("b"))
    assert (result.n, result.skipped) == (1, 1)


def test_ranks_count_ties_in_the_middle(tmp_path: Path) -> None:
    result = probe(tmp_path, CardModel(lambda *_: 0.5), question())
    assert result.positions[0].rank == 10.5
    assert math.isnan(result.kendall_tau)


def test_where_everything_failed_there_is_no_figure_and_a_count(tmp_path: Path) -> None:
    on = lane(tmp_path, ScriptedModel(fail="rubbish"))
    result = position_probe(on, [question()], RERANK, candidates=20)
    assert {(one.n, one.failed) for one in result.positions} == {(0, 1)}
    told = result.to_json()
    json.dumps(told, allow_nan=False)
    assert told["kendall_tau"] is None
    assert told["position"] == {"n": 1, "skipped": 0, "log_odds_range": None}


def test_without_questions_nothing_was_measured(tmp_path: Path) -> None:
    result = probe(tmp_path, CardModel(own_taste))
    assert (result.n, result.skipped) == (0, 0)
    assert math.isnan(result.kendall_tau)


def test_other_seeds_give_other_shuffles(tmp_path: Path) -> None:
    seen: list[list[int]] = [[], []]
    for seed in (0, 1):
        on = lane(tmp_path / str(seed), CardModel(_noting(seen[seed])))
        position_probe(on, [question()], RERANK, candidates=20, seed=seed)
    assert sorted(seen[0]) == sorted(seen[1])
    assert seen[0] != seen[1]


def _noting(seen: list[int]):  # type: ignore[no-untyped-def]
    def answer(card: str, index: int) -> float:
        seen.append(number(card))
        return own_taste(card, index)

    return answer
