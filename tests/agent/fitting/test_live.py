"""A newer fit is taken up whole, in the background, or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.fitting import live
from agent.fitting.live import Follower, LiveFit, weighing
from retrieval.errors import StoreError
from retrieval.fusion.context import FEATURES, STRATA
from retrieval.fusion.weights import FusionWeights
from tests.agent.fitting.fitted_shop import put_weights


def put(home: Path, share: float) -> None:
    weights = {"behaviour": share, "popular": 1 - share}
    put_weights(FusionWeights(weights, weights, kind="learned"), home)


def share(fit: LiveFit) -> float:
    weights = fit.latest().weights
    return -1.0 if weights is None else weights.without_text["behaviour"]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def wait_for(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not done():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def follower_of(fit: LiveFit, clock: Clock) -> Follower:
    return Follower(fit, settle=0.001, clock=clock)


def test_an_empty_home_has_no_fit_and_the_first_one_is_noticed(tmp_path: Path) -> None:
    fit = LiveFit(tmp_path)
    assert share(fit) == -1.0
    assert not fit.changed()
    put(tmp_path, 0.5)
    assert fit.changed()
    assert share(fit) == 0.5
    assert not fit.changed()


def test_the_same_fit_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, 0.5)
    fit = LiveFit(tmp_path)
    first = fit.latest()
    monkeypatch.setattr(live, "read_fit", None)
    assert fit.latest() is first


def test_a_first_fit_that_is_broken_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "fusion.json").write_text("{")
    fit = LiveFit(tmp_path)
    assert fit.latest().weights is None
    assert fit.latest().weights_unusable
    assert fit.unusable == ""


def test_a_later_fit_that_is_broken_changes_nothing_until_there_is_a_sound_one(
    tmp_path: Path,
) -> None:
    put(tmp_path, 0.5)
    fit = LiveFit(tmp_path)
    assert share(fit) == 0.5
    (tmp_path / "fusion.json").write_text("{")
    assert not fit.prepare()
    assert share(fit) == 0.5
    assert "cannot be read" in fit.unusable
    put(tmp_path, 0.6)
    assert fit.prepare()
    assert (share(fit), fit.unusable) == (0.6, "")


def test_who_asks_while_a_fit_is_read_gets_the_former_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, 0.5)
    fit = LiveFit(tmp_path)
    assert share(fit) == 0.5
    reading, go_on = threading.Event(), threading.Event()
    real = live.read_fit

    def slow(home: Path) -> live.Fit:
        reading.set()
        assert go_on.wait(20)
        return real(home)

    monkeypatch.setattr(live, "read_fit", slow)
    put(tmp_path, 0.6)
    thread = threading.Thread(target=fit.prepare)
    thread.start()
    assert reading.wait(20)
    assert share(fit) == 0.5
    go_on.set()
    thread.join()
    assert share(fit) == 0.6


def test_a_fit_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, 0.5)
    fit = LiveFit(tmp_path)
    real, reads = live.read_fit, []

    def read(home: Path) -> live.Fit:
        found = real(home)
        reads.append(found)
        if len(reads) == 1:
            put(tmp_path, 0.7)
        return found

    monkeypatch.setattr(live, "read_fit", read)
    assert share(fit) == 0.7
    assert len(reads) == 2


def test_a_look_costs_nothing_until_its_second_is_over(tmp_path: Path, clock: Clock) -> None:
    fit = LiveFit(tmp_path)
    fit.latest()
    follower = follower_of(fit, clock)
    refreshed: list[float] = []
    put(tmp_path, 0.5)
    follower.look(lambda: refreshed.append(share(fit)))
    assert threading.active_count() == 1 or not refreshed
    clock.now += 1.1
    follower.look(lambda: refreshed.append(share(fit)))
    wait_for(lambda: bool(refreshed) and not follower.state())
    clock.now += 1.1
    follower.look(lambda: refreshed.append(share(fit)))
    follower.close()
    assert refreshed == [0.5], "the same fit is taken up once"


def test_a_refresh_that_fails_is_told_and_tried_again(tmp_path: Path, clock: Clock) -> None:
    fit = LiveFit(tmp_path)
    fit.latest()
    follower = follower_of(fit, clock)
    tries: list[int] = []

    def refresh() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise StoreError("the database is away")

    put(tmp_path, 0.5)
    clock.now += 1.1
    follower.look(refresh)
    wait_for(lambda: "the database is away" in follower.state())
    clock.now += 1.1
    follower.look(refresh)
    clock.now += 31
    wait_for(lambda: follower.look(refresh) is None and len(tries) == 2)
    wait_for(lambda: follower.state() == "")
    follower.close()
    assert len(tries) == 2


def test_a_broken_fit_is_told_and_not_taken_up(tmp_path: Path, clock: Clock) -> None:
    put(tmp_path, 0.5)
    fit = LiveFit(tmp_path)
    fit.latest()
    follower = follower_of(fit, clock)
    (tmp_path / "fusion.json").write_text("{")
    clock.now += 1.1
    follower.look(lambda: pytest.fail("must not be taken up"))
    wait_for(lambda: "the former answers" in follower.state())
    follower.close()
    assert share(fit) == 0.5


def test_after_close_nothing_is_started(tmp_path: Path, clock: Clock) -> None:
    fit = LiveFit(tmp_path)
    fit.latest()
    follower = follower_of(fit, clock)
    follower.close()
    follower.close()
    put(tmp_path, 0.5)
    clock.now += 5
    follower.look(lambda: pytest.fail("closed"))


def test_only_sources_of_histories_that_can_weigh_something_are_loaded() -> None:
    weights = FusionWeights(
        {"behaviour": 0.0, "markov": 0.5, "profile": 0.5},
        {"lexical": 0.5, "content": 0.5},
        slopes={FEATURES[0]: {"bpr": -0.1, "ials": 0.0}},
        instead={STRATA[0]: "item_knn"},
    )
    assert weighing(weights) == {"markov", "content", "bpr", "item_knn"}
