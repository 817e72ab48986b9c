"""Estimates in a world whose truth is known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from eval.online.log import Exposure
from eval.online.off_policy import OffPolicy, estimate, usable
from eval.online.reward import FEATURES, fit, predict
from eval.online.targets import as_logged, from_run, reweighted
from eval.records.trec import write_trec_runs
from retrieval.errors import InvalidInput, NotFound
from tests.eval.online.simulator import ITEMS, request, simulate, true_value

DEPTHS = (1, 3)


def by_name(result: OffPolicy) -> dict[str, tuple[float, float, float]]:
    return {one.name: (one.value, one.low, one.high) for one in result.estimates}


@pytest.fixture(scope="module")
def world():  # type: ignore[no-untyped-def]
    """Half of the answers are shuffled, S is noisy and the model knows something else."""
    return simulate(6000, epsilon=0.5, depth=ITEMS, noise=0.8, seed=1)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_every_estimator_is_close_to_the_truth(world, depth: int, weight: float) -> None:
    exposures, appeals = world
    target = reweighted(exposures, weight=weight, max_rise=5)
    rankings = [target[one.request.request_id] for one in exposures]
    truth = true_value(appeals, lambda number, _: rankings[number], depth)
    result = estimate(exposures, target, depth=depth)
    found = by_name(result)
    assert set(found) == {"IPS", "SNIPS", "DR"}
    for value, low, high in found.values():
        assert low < truth < high
        assert high - low < 0.2
        assert value == pytest.approx(truth, rel=0.1)
    assert result.warnings == ()
    assert result.overlap.unsupported == 0
    assert result.overlap.share > 0.1


def test_the_estimate_differs_from_what_was_logged_as_the_truth_does(world) -> None:
    exposures, appeals = world
    by_model = reweighted(exposures, weight=1.0, max_rise=5)
    rankings = [by_model[one.request.request_id] for one in exposures]
    truth = true_value(appeals, lambda number, _: rankings[number], 1)
    result = estimate(exposures, by_model)
    assert truth > result.logged.high  # better than what was shown, and estimated to be
    assert by_name(result)["DR"][1] > result.logged.high


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    inside = dict.fromkeys(("IPS", "SNIPS", "DR"), 0)
    values: dict[str, list[float]] = {name: [] for name in inside}
    runs = 24
    for seed in range(runs):
        exposures, appeals = simulate(500, epsilon=0.4, depth=ITEMS, noise=0.6, seed=100 + seed)
        target = reweighted(exposures, weight=1.0, max_rise=5)
        rankings = [target[one.request.request_id] for one in exposures]
        truth = true_value(appeals, lambda number, _, r=rankings: r[number], 1)
        for name, (value, low, high) in by_name(estimate(exposures, target)).items():
            inside[name] += low <= truth <= high
            values[name].append(value - truth)
    for name, hits in inside.items():
        assert hits >= 19, name  # of 24; fewer is one in 1,000 at 95 %
        error = np.array(values[name])
        assert abs(error.mean()) < 3 * error.std() / math.sqrt(runs), f"{name} is biased"
    spread = {name: float(np.std(errors)) for name, errors in values.items()}
    assert spread["DR"] < 0.8 * spread["IPS"]


def test_low_overlap_is_shouted_about() -> None:
    exposures, _ = simulate(2000, epsilon=0.05, seed=2)
    backwards = {
        one.request.request_id: [item.item_id for item in reversed(one.request.items)][2:]
        for one in exposures
    }
    result = estimate(exposures, backwards)
    assert result.overlap.share < 0.1
    assert any("LOW OVERLAP" in warning for warning in result.warnings)
    assert result.overlap.largest == pytest.approx(4 / 0.05)


def test_what_could_not_have_been_shown_is_shouted_about() -> None:
    exposures, _ = simulate(500, epsilon=0.5, seed=3)
    last_first = {
        one.request.request_id: [item.item_id for item in reversed(one.request.items)]
        for one in exposures
    }
    result = estimate(exposures, last_first)
    assert result.overlap.unsupported == 1
    assert any("NO SUPPORT" in warning for warning in result.warnings)
    found = by_name(result)
    assert found["IPS"][0] == 0
    assert math.isnan(found["SNIPS"][0])


def test_without_exploring_only_the_logged_ranking_has_an_estimate() -> None:
    exposures, _ = simulate(500, epsilon=0.0, seed=4)
    same = estimate(exposures, as_logged(exposures), depth=2)
    for name in ("IPS", "SNIPS"):
        assert by_name(same)[name][0] == pytest.approx(same.logged.value)
    assert by_name(same)["DR"][0] == pytest.approx(same.logged.value, abs=1e-9)
    assert any("nothing was explored" in warning for warning in same.warnings)


def test_clipping_is_counted_and_lowers_ips() -> None:
    exposures, _ = simulate(2000, epsilon=0.1, seed=5, noise=0.8)
    target = reweighted(exposures, weight=1.0, max_rise=5)
    free, cut = estimate(exposures, target), estimate(exposures, target, clip=5)
    assert free.overlap.clipped == 0
    assert cut.overlap.clipped > 0
    assert by_name(cut)["IPS"][0] < by_name(free)["IPS"][0]
    assert any("clipped" in warning for warning in cut.warnings)


def test_requests_that_say_nothing_are_left_out() -> None:
    exposures, _ = simulate(20, epsilon=0.5, seed=6)
    spoilt = [
        replace(exposures[0], request=replace(exposures[0].request, user_id=None)),
        replace(exposures[1], request=replace(exposures[1].request, exposed=False)),
        replace(exposures[2], request=replace(exposures[2].request, items=())),
        Exposure(request(900, teams=("off", "on"))),
    ]
    assert usable(spoilt) == []
    result = estimate([*exposures, *spoilt], as_logged(exposures))
    assert (result.overlap.requests, result.left_out) == (20, 4)
    with pytest.raises(InvalidInput, match="no logged request has propensities"):
        estimate(spoilt, {})


def test_a_run_on_the_questions_has_ips_only(tmp_path) -> None:  # type: ignore[no-untyped-def]
    exposures, appeals = simulate(3000, epsilon=0.6, depth=ITEMS, noise=0.8, seed=7)
    target = reweighted(exposures, weight=1.0, max_rise=5)
    rankings = [target[one.request.request_id] for one in exposures]
    write_trec_runs(tmp_path, {"v|m|0": {
        one.request.request_id: target[one.request.request_id] for one in exposures if one.taken
    }})  # fmt: skip
    result = estimate(exposures, from_run(tmp_path, "v|m|0"))
    found = by_name(result)
    truth = true_value(appeals, lambda number, _: rankings[number], 1)
    assert found["IPS"][1] < truth < found["IPS"][2]
    assert math.isnan(found["SNIPS"][0])
    assert math.isnan(found["DR"][0])
    assert any("only IPS has a value" in warning for warning in result.warnings)
    with pytest.raises(NotFound):
        from_run(tmp_path, "other")


def test_a_target_must_rank_what_earned_something() -> None:
    exposures, _ = simulate(50, epsilon=0.5, seed=8)
    with pytest.raises(InvalidInput, match="does not rank"):
        estimate(exposures, {})


@pytest.mark.parametrize(
    "bad", [{"depth": 0}, {"clip": 0.5}, {"clip": math.inf}, {"clip": math.nan}]
)
def test_a_value_outside_its_range_is_refused(bad: dict) -> None:
    exposures, _ = simulate(5, epsilon=0.5)
    with pytest.raises(InvalidInput):
        estimate(exposures, as_logged(exposures), **bad)


def test_answers_of_different_lengths_are_measured_as_they_are() -> None:
    exposures, _ = simulate(40, epsilon=0.5, seed=9)
    short = [
        replace(one, request=replace(one.request, items=one.request.items[:at % 3 + 1]))
        for at, one in enumerate(exposures)
    ]  # fmt: skip
    ranked = [
        replace(
            one,
            request=replace(
                one.request,
                items=tuple(replace(item, rank=at, policy_rank=at, propensity=1.0)
                            for at, item in enumerate(one.request.items, start=1)),
                explore=0.0,
            ),
            taken=frozenset({one.request.items[-1].item_id}),
        )
        for one in short
    ]  # fmt: skip
    result = estimate(ranked, as_logged(ranked), depth=1000)
    for value, _, _ in by_name(result).values():
        assert value == pytest.approx(result.logged.value) == pytest.approx(1.0)


def test_weight_zero_is_s_and_the_guard_holds() -> None:
    (exposure,), _ = simulate(1, epsilon=0.0, seed=10)
    s = [item.item_id for item in exposure.request.items]
    key = exposure.request.request_id
    assert reweighted([exposure], weight=0.0, max_rise=3)[key] == s
    assert reweighted([exposure], weight=9.0, max_rise=0)[key] == s
    with pytest.raises(InvalidInput):
        reweighted([exposure], weight=math.nan, max_rise=3)


def test_the_reward_model_learns_and_stays_finite() -> None:
    rng = np.random.default_rng(0)
    features = np.column_stack([np.ones(2000), rng.normal(size=(2000, FEATURES - 1))])
    rewards = (rng.random(2000) < 1 / (1 + np.exp(-features[:, 1]))).astype(float)
    weights = fit(features, rewards)
    assert weights[1] == pytest.approx(1, abs=0.2)
    for same in (0.0, 1.0):
        assert np.all(np.isfinite(fit(features, np.full(2000, same))))
    nothing = fit(np.empty((0, FEATURES)), np.empty(0))
    assert predict([[1.0] * FEATURES], nothing)[0] == 0.5
    assert predict([], nothing).size == 0
