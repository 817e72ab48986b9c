"""Arms compared over users, and the check of the split."""

import math
import random

import pytest

from agent.experiments import assign
from eval.online.ab import analyse
from eval.online.log import Exposure
from retrieval.errors import InvalidInput
from tests.eval.online.simulator import request


def seen(number: int, arm: str, took: bool, user_id: str, **changes: object) -> Exposure:
    made = request(
        number,
        user_id=user_id,
        experiment="x",
        design="ab",
        arm=arm,
        **{"arms": ("off", "on"), "weights": (1.0, 1.0), **changes},
    )
    return Exposure(made, frozenset("a" if took else ""))


def world(users: int, lift: float, *, seed: int, lost: float = 0.0, **changes: object) -> list:
    """Users with rates of their own and several requests each; ``lost`` of arm "on" vanish."""
    rng = random.Random(seed)
    arms = changes.get("arms", ("off", "on"))
    weights = changes.get("weights", (1.0, 1.0))
    exposures = []
    for user in range(users):
        name = f"u{user}"
        arm = assign("x", name, weights)  # type: ignore[arg-type]
        if arm and rng.random() < lost:
            continue
        rate = rng.betavariate(1, 3) + lift * arm
        for _ in range(rng.randint(1, 6)):
            exposures.append(
                seen(len(exposures), arms[arm], rng.random() < rate, name, **changes)  # type: ignore[index]
            )
    return exposures


def test_a_better_arm_is_found_with_its_size() -> None:
    found = analyse(world(1500, 0.1, seed=1))
    (difference,) = found.differences
    assert difference.low < 0.1 < difference.high
    assert difference.low > 0
    assert difference.p == difference.p_holm < 0.01
    assert difference.effect > 0.2
    assert found.warnings == ()
    assert found.ratio_p > 0.001


def test_equal_arms_differ_by_chance_as_often_as_p_says() -> None:
    low = sum(analyse(world(80, 0.0, seed=seed)).differences[0].p < 0.2 for seed in range(25))
    assert 1 <= low <= 12  # binomial(25, 0.2): one in 200 outside


def test_the_user_counts_once_however_often_they_ask() -> None:
    often = [seen(at, "on", True, "u1") for at in range(50)]
    once = [seen(100, "on", False, "u2"), seen(101, "off", False, "u3")]
    arms = {arm.name: arm for arm in analyse([*often, *once]).arms}
    assert (arms["on"].users, arms["on"].requests, arms["on"].rate) == (2, 51, 0.5)


def test_a_split_that_loses_users_is_shouted_about() -> None:
    found = analyse(world(3000, 0.0, seed=3, lost=0.3))
    assert found.ratio_p < 0.0005
    assert any("SAMPLE RATIO MISMATCH" in warning for warning in found.warnings)


def test_a_planned_uneven_split_is_no_mismatch() -> None:
    found = analyse(world(2000, 0.0, seed=4, weights=(1.0, 9.0)))
    assert found.warnings == ()


def test_requests_without_their_arm_are_left_out_counted_and_checked() -> None:
    exposures = [seen(at, "on" if at % 2 else "off", False, f"u{at}") for at in range(400)]
    degraded = [
        Exposure(request(500 + at, user_id=f"u{at}", experiment="x", design="ab", arm="on",
                         arms=("off", "on"), weights=(1.0, 1.0), exposed=False), frozenset("a"))
        for at in range(401, 800, 2)
    ]  # fmt: skip
    found = analyse([*exposures, *degraded])
    arms = {arm.name: arm for arm in found.arms}
    assert (arms["on"].assigned, arms["on"].users, arms["on"].unexposed) == (400, 200, 200)
    assert arms["on"].rate == 0
    assert any("200 requests of on" in warning for warning in found.warnings)
    assert any("were assigned" in warning for warning in found.warnings)


def test_several_arms_are_one_family() -> None:
    arms, weights = ("off", "rerank@1", "rerank@2"), (1.0, 1.0, 1.0)
    found = analyse(world(900, 0.05, seed=5, arms=arms, weights=weights))
    assert [one.arm for one in found.differences] == ["rerank@1", "rerank@2"]
    for one in found.differences:
        assert one.against == "off"
        assert one.p <= one.p_holm <= 2 * one.p + 1e-12


def test_nothing_taken_and_an_arm_that_nobody_saw_are_no_figures_of_zero() -> None:
    found = analyse([seen(0, "off", False, "u1"), seen(1, "on", False, "u2")])
    assert (found.differences[0].p, found.differences[0].mean) == (1.0, 0.0)
    assert math.isnan(found.differences[0].effect)
    alone = analyse([seen(0, "off", True, "u1")])
    assert math.isnan(alone.arms[1].rate)
    assert math.isnan(alone.differences[0].mean)
    assert math.isnan(alone.differences[0].p_holm)


def test_without_requests_or_with_changed_weights_there_is_nothing_to_say() -> None:
    with pytest.raises(InvalidInput, match="no request"):
        analyse([Exposure(request())])
    with pytest.raises(InvalidInput, match="2 sets of arms"):
        analyse([seen(0, "on", True, "u1"), seen(1, "on", True, "u1", weights=(1.0, 2.0))])
