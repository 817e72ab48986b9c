"""Controls, comparisons and bars: what a run says of judges that know something or nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.prompt_config import FIGURES, PromptRunConfig, Threshold
from eval.question import Question
from eval.records.record import Comparison, System
from eval.runs.ask import SHUFFLED, AskedRun, ask_all
from eval.runs.contestants import contestants_of
from eval.runs.decide import (
    check_thresholds,
    comparisons_of,
    figure_of,
    measured_spread,
    needed_questions,
)
from eval.runs.measured import Measured, measure_all, rows_of, strata_of
from eval.stats.sequential import confidence_interval
from retrieval.errors import NotFound
from tests.eval.runs.worlds import (
    RERANK,
    Judge,
    Odds,
    Watcher,
    config,
    lane,
    looks_at_cards,
    questions,
    reads,
)

V1 = "v1|m|0"


def run(
    folder: Path, odds: Odds, wanted: PromptRunConfig, count: int = 60
) -> tuple[list[Question], AskedRun, dict[str, Measured]]:
    asked = questions(count)
    prompts = {one.name: RERANK for one in wanted.variants}
    models = {one.name: lane(folder, Judge(odds, one.name)) for one in wanted.models}
    done = ask_all(wanted, asked, models, prompts, Watcher())
    return asked, done, measure_all(contestants_of(wanted, asked, done), asked, wanted.metrics)


def against(found: list[Comparison], opponent: str) -> Comparison:
    (one,) = [pair for pair in found if pair.against == opponent]
    return one


def test_a_judge_that_reads_the_person_beats_every_control(tmp_path: Path) -> None:
    wanted = config()
    _, done, measured = run(tmp_path, reads, wanted)
    assert list(measured) == [
        "S", "behaviour", "popular", V1, f"{V1}~alone", f"{V1}{SHUFFLED}", "random", "popularity",
    ]  # fmt: skip
    found = comparisons_of(wanted, measured, done)[V1]
    assert [one.against for one in found] == ["S", V1 + SHUFFLED, "random", "popularity"]
    for one in found:
        assert one.low is not None
        assert one.low > 0.05
        assert one.p is not None
        assert one.p_holm == one.p < 0.01  # a family of one
        assert one.n == one.wins + one.ties + one.losses == 60


def test_a_judge_that_ignores_the_person_does_not_beat_its_shuffled_self(tmp_path: Path) -> None:
    wanted = config()
    _, done, measured = run(tmp_path, looks_at_cards, wanted)
    one = against(comparisons_of(wanted, measured, done)[V1], V1 + SHUFFLED)
    assert (one.mean, one.p, one.ties) == (0.0, 1.0, 60)
    assert one.effect is None


def test_holm_goes_over_all_that_meet_one_opponent(tmp_path: Path) -> None:
    variants = [
        {"name": "v1", "prompt": "rerank@1", "weight": 1.0, "max_rise": 11},
        {"name": "light", "prompt": "rerank@1", "weight": 0.1},
        {"name": "none", "prompt": "rerank@1", "weight": 0.0},
    ]
    wanted = config(variants=variants, models=[{"name": "m"}, {"name": "n"}])
    _, done, measured = run(tmp_path, reads, wanted, count=30)
    found = comparisons_of(wanted, measured, done)
    assert set(found) == set(wanted.system_names())
    pairs = [against(found[name], "S") for name in found]
    assert len(pairs) == 6
    smallest = min(one.p or 0 for one in pairs)
    assert min(one.p_holm or 0 for one in pairs) == pytest.approx(6 * smallest)
    assert all((one.p_holm or 0) >= (one.p or 0) for one in pairs)
    assert [one.against for one in found["light|n|0"]][-1] == "v1|n|0"
    assert "v1|m|0" not in [one.against for one in found["v1|m|0"]]


def test_an_early_stop_gives_its_own_interval_and_no_p(tmp_path: Path) -> None:
    wanted = config(stats={"sequential": True})
    _, done, measured = run(tmp_path, reads, wanted, count=120)
    test = done.tests[V1]
    found = comparisons_of(wanted, measured, done)[V1]
    assert test.n < 120
    for one in found:
        assert one.n == test.n
        assert (one.p, one.p_holm) == (None, None)
    stated = against(found, "S")
    assert (stated.low, stated.high) == pytest.approx(test.interval)
    ours, theirs = (measured[name].values["ndcg@10"] for name in (V1, V1 + SHUFFLED))
    deltas = ours - theirs
    other = against(found, V1 + SHUFFLED)
    assert (other.low, other.high) == confidence_interval(deltas[np.isfinite(deltas)], 0.05)


def test_what_was_not_asked_is_no_zero(tmp_path: Path) -> None:
    wanted = config(stats={"sequential": True})
    asked, _, measured = run(tmp_path, reads, wanted, count=120)
    one = measured[V1]
    n = int(one.asked.sum())
    assert n < 120
    assert np.isnan(one.values["ndcg@10"]).sum() == 120 - n
    assert one.figure("ndcg@10", 0).empty == 0
    rows = [row for row in rows_of(measured, asked, "ndcg@10") if row.system == V1]
    assert len(rows) == n
    groups = strata_of(one, measured["S"], asked, "ndcg@10", 0)["user"]
    assert sum(group.n for group in groups.values()) == n


def test_rows_say_what_every_question_cost(tmp_path: Path) -> None:
    asked, _, measured = run(tmp_path, reads, config(), count=4)
    rows = rows_of(measured, asked, "ndcg@10")
    assert len(rows) == 8 * 4
    for row in rows:
        model = row.system in (V1, V1 + SHUFFLED)
        assert row.judged == (12 if model else 0)
        assert (row.prompt_tokens, row.completion_tokens) == ((120, 12) if model else (0, 0))
        assert row.failed == row.missing == row.replayed == 0
        assert row.delta == 0.0 or row.system != "S"
    assert measured["S"].cost().calls == 0
    assert measured[V1].cost().tokens_per_query == 132
    assert measured[V1].coverage(48) == 40 / 48


def test_a_source_without_weight_is_still_measured_by_itself() -> None:
    asked = [
        replace(
            q,
            candidates=tuple(
                replace(
                    c,
                    parts={"behaviour": c.score, "popular": 0.0},
                    sources={"behaviour": c.score, "popular": float(at)},
                )
                for at, c in enumerate(q.candidates)
            ),
        )
        for q in questions(5)
    ]
    found = {one.name: one for one in contestants_of(config(), asked, AskedRun((), {}))}
    worst_first = [c.item_id for c in asked[0].candidates][::-1]
    assert found["popular"].orders[0] == worst_first
    assert found["popularity"].orders[0] != found["S"].orders[0]


def test_controls_say_who_chose_their_weight(tmp_path: Path) -> None:
    variant = {"name": "v1", "prompt": "rerank@1", "weight": "cross-validated", "max_rise": 11}
    wanted = config(variants=[variant])
    _, _, measured = run(tmp_path, reads, wanted)
    for name in (V1, V1 + SHUFFLED, "random", "popularity"):
        assert measured[name].contestant.weight_from == "cross-validated"
    assert measured[V1].contestant.weight
    assert not measured["random"].contestant.weight


@given(st.integers(1, 3000), st.floats(0.001, 0.9))
def test_needed_and_detectable_agree(have: int, sd: float) -> None:
    found = needed_questions(config().stats, have, sd)
    assert found.needed is not None
    if found.detectable is None:
        assert have < 6
    else:
        assert (found.detectable <= found.detect * 1.001) == (have >= found.needed) or have < 10


def test_the_spread_is_measured_from_ten_questions_on(tmp_path: Path) -> None:
    _, _, measured = run(tmp_path, reads, config(), count=9)
    assert measured_spread(measured, V1, "ndcg@10") is None
    _, _, measured = run(tmp_path, reads, config(), count=20)
    spread = measured_spread(measured, V1, "ndcg@10")
    assert spread is not None
    assert 0 < spread < 1
    assert measured_spread(measured, "S", "ndcg@10") is None


def system(name: str = V1, **changes: Any) -> System:
    pair = {
        "metric": "ndcg@10", "n": 9, "mean": 0.2, "low": 0.1, "high": 0.3, "p": 0.01,
        "p_holm": 0.02, "effect": 1, "wins": 3, "ties": 3, "losses": 3,
    }  # fmt: skip
    values: dict[str, Any] = {
        "name": name,
        "kind": "variant",
        "variant": "v1",
        "model": "m",
        "seed": 0,
        "figures": {
            "ndcg@10": {"mean": 0.5, "low": 0.4, "high": 0.6},
            "hr@10": {"mean": 0.8, "low": 0.7, "high": 0.9},
        },
        "judged": 200,
        "failed": 6,
        "cost": {"tokens_per_query": 132.0, "p95_ms": 40.0},
        "comparisons": [
            {**pair, "against": "S"},
            {**pair, "against": name + SHUFFLED, "low": -0.05},
        ],
        "probes": {
            "kendall_tau": 0.9,
            "calibration": {"ece": 0.25},
            "injection": {"max_lift": 3, "mean_lift": 1.5},
        },
    }
    return System.model_validate(values | changes)


BY_NAME = {
    "mean": 0.5, "low": 0.4, "high": 0.6, "delta": 0.2, "delta_low": 0.1, "delta_high": 0.3,
    "p_holm": 0.02, "over_shuffled_low": -0.05, "failed_share": 0.03, "tokens_per_query": 132.0,
    "p95_ms": 40.0, "ece": 0.25, "kendall_tau": 0.9, "max_lift": 3.0, "mean_lift": 1.5,
}  # fmt: skip


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_that_a_bar_may_name_is_read_and_missing_ones_do_not_pass(
    figure: str,
) -> None:
    value = BY_NAME[figure]
    assert figure_of(system(), figure, "ndcg@10") == value
    bars = [
        Threshold(system="v1", figure=figure, at_least=value),
        Threshold(system="v1", figure=figure, at_most=value),
        Threshold(system="v1", figure=figure, at_least=value + 0.001),
        Threshold(system="v1", figure=figure, at_most=value - 0.001),
    ]
    held = [one.passed for one in check_thresholds(bars, [system()], "ndcg@10")]
    assert held == [True, True, False, False]
    bare = system(figures={}, judged=0, failed=0, cost={}, comparisons=[], probes={})
    for one in check_thresholds(bars, [bare], "ndcg@10"):
        assert one.measured is None
        assert not one.passed


def test_a_bar_on_a_variant_holds_for_every_model_and_seed_of_it() -> None:
    weak = system("v1|m|1", seed=1, figures={"ndcg@10": {"mean": 0.1, "low": 0, "high": 1}})
    control = system(f"{V1}{SHUFFLED}", kind="control")
    bar = Threshold(system="v1", at_least=0.3)
    found = check_thresholds([bar], [system(), weak, control], "ndcg@10")
    assert [(one.text, one.passed) for one in found] == [
        ("v1|m|0 ndcg@10 mean >= 0.3", True),
        ("v1|m|1 ndcg@10 mean >= 0.3", False),
    ]
    (one,) = check_thresholds([Threshold(system="v1|m|1", at_most=0.3)], [system(), weak], "hr@10")
    assert (one.text, one.measured, one.passed) == ("v1|m|1 hr@10 mean <= 0.3", None, False)


def test_a_bar_says_its_metric_only_where_it_has_one() -> None:
    bars = [
        Threshold(system="v1", figure="failed_share", at_most=0.05),
        Threshold(system="v1", metric="hr@10", at_least=0.75),
    ]
    texts = [one.text for one in check_thresholds(bars, [system()], "ndcg@10")]
    assert texts == ["v1|m|0 failed_share <= 0.05", "v1|m|0 hr@10 mean >= 0.75"]


def test_an_infinite_or_unknown_figure_is_none() -> None:
    found = system(probes={"injection": {"max_lift": math.inf, "mean_lift": None}})
    assert figure_of(found, "max_lift", "ndcg@10") is None
    assert figure_of(found, "mean_lift", "ndcg@10") is None
    with pytest.raises(NotFound, match="no figure 'beauty'"):
        figure_of(found, "beauty", "ndcg@10")
