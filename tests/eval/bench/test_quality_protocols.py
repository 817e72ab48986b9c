"""Periods, pools, the gate of F, given candidates and bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eval.bench.quality.bars import FILE, hold, read_bars
from eval.bench.quality.datasets import KNOWN, BenchData, load_data
from eval.bench.quality.judged import admit, judged
from eval.bench.quality.pool_files import load_pools, save_pools
from eval.bench.quality.protocols import Asked, Periods, periods
from eval.bench.quality.served import ndcg_of, weights_from
from eval.bench.quality.singles import pools_of
from eval.bench.quality.twenty import of_lists
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.line_up import HISTORY_SOURCES, line_up
from retrieval.errors import InvalidInput, NotFound
from retrieval.fusion.weights import prior_weights
from tests.eval.bench.quality_world import ITEMS, write_shop
from tests.eval.runs.worlds import Watcher
from tests.eval.test_games import games

__all__ = ["games"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> BenchData:
    return load_data(str(write_shop(tmp_path_factory.mktemp("data") / "shop")), Path(), Watcher())


def fitted(asked: Asked) -> dict[str, Estimator]:
    kept = ("item_knn", "markov", "popular")
    made = line_up(
        ItemFeatures(),
        items=asked.matrix.shape[1],
        without=[one for one in HISTORY_SOURCES if one not in kept],
    )
    return {name: one.fit(asked.matrix) for name, one in made.items()}


def test_the_three_periods_of_a_cut_in_time_follow_each_other(shop: BenchData) -> None:
    found = periods(shop, "temporal", labels=1000)
    t1, t12 = found.learn.matrix, found.test.matrix
    assert t1.values.nnz < t12.values.nnz < len(shop.interactions)
    assert t1.seconds.max() < t12.seconds.max()
    for asked in (found.learn, found.test):
        for row, columns in zip(asked.rows.tolist(), asked.columns, strict=True):
            assert not np.isin(columns, asked.matrix.items_of(row)).any()


def test_leave_last_out_tests_the_last_and_learns_from_the_last_but_one(shop: BenchData) -> None:
    found = periods(shop, "leave-last-out", labels=7)
    assert len(found.learn.users) == 7
    assert len(found.test.users) == 40
    last = {x.user_id: x.item_id for x in sorted(shop.interactions, key=lambda x: x.at)}
    assert all(
        wanted == (last[user],)
        for user, wanted in zip(found.test.users, found.test.relevant, strict=True)
    )


def test_an_order_without_dates_has_no_temporal_split(games: Path) -> None:
    data = _games(games)
    with pytest.raises(InvalidInput, match="no dates"):
        periods(data, "temporal", labels=10)
    with pytest.raises(InvalidInput, match="no protocol is named 'random'"):
        periods(data, "random", labels=10)
    assert len(periods(data, "leave-last-out", labels=10).test.users) == len(data.held)


def test_unknown_data_and_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="'wines'"):
        load_data("wines", tmp_path, Watcher())
    for name in KNOWN:
        with pytest.raises(NotFound, match=KNOWN[name].folder):
            load_data(name, tmp_path, Watcher())


def test_pools_come_back_as_they_were_kept(shop: BenchData, tmp_path: Path) -> None:
    asked = periods(shop, "temporal", labels=100).learn
    pools = pools_of(fitted(asked), asked, Watcher())
    save_pools(tmp_path / "pools.npz", pools)
    again = load_pools(tmp_path / "pools.npz", asked)
    assert again.sources == pools.sources
    for one, other in zip(pools.pools, again.pools, strict=True):
        assert one.user == other.user
        assert one.items.tolist() == other.items.tolist()
        assert np.allclose(one.z, other.z, atol=1e-6)
        assert one.positives.tolist() == other.positives.tolist()
        assert one.context.stratum == other.context.stratum
    fewer = again.without(("markov",))
    assert fewer.sources == ("item_knn", "popular")
    assert fewer.pools[0].z.shape[1] == 2


def test_few_labels_give_the_prior_and_many_give_what_they_teach(shop: BenchData) -> None:
    found = periods(shop, "leave-last-out", labels=100)
    pools = pools_of(fitted(found.learn), found.learn, Watcher())
    assert weights_from(pools.some(np.arange(3))).kind == "prior"
    weights = weights_from(pools)
    assert weights.kind == "learned"
    assert ndcg_of(pools, weights).mean() >= ndcg_of(pools, prior_weights()).mean()


def test_a_random_scorer_stays_outside_and_a_seer_comes_in(shop: BenchData) -> None:
    found = periods(shop, "temporal", labels=100)
    estimators = {"popular": fitted(found.learn)["popular"]}
    pools = pools_of(estimators, found.learn, Watcher())
    weights = prior_weights()

    def seer(period: str, pool: object, rows: np.ndarray) -> np.ndarray:
        return np.isin(rows, pool.positives).astype(np.float64)  # type: ignore[attr-defined]

    closed = admit(lambda period, pool, rows: np.full(len(rows), np.nan), pools, weights)
    assert closed.weight == 0.0
    assert not closed.decision.opened
    opened = admit(seer, pools, weights)
    assert opened.weight > 0
    same = judged(found.learn, pools, weights, seer, closed, {})
    better = judged(found.learn, pools, weights, seer, opened, {})
    before = np.mean([one.min() for one in same.ranks])
    assert np.mean([one.min() for one in better.ranks]) < before
    # However sure the scorer is, no item rises by more than three places.
    for one, other in zip(same.ranks, better.ranks, strict=True):
        assert (one[np.isfinite(one)] - other[np.isfinite(one)]).max(initial=0) <= 3


def test_given_candidates_are_nineteen_of_the_list_and_the_positive(games: Path) -> None:
    data = _games(games)
    found: Periods = periods(data, "leave-last-out", labels=100)
    # The twenty of the miniature are all held, so its people learn from themselves.
    learn = BenchData(data.name, data.interactions, data.items, dated=False, lists=data.lists)
    figures = of_lists(
        learn,
        found.learn,
        found.test,
        fitted(found.learn),
        fitted(found.test),
        {"peer-flat": lambda start, end: np.zeros((end - start, ITEMS), dtype=np.float32)},
        Watcher(),
    )
    assert set(figures) == {"item_knn", "markov", "popular", "rrf", "comb_sum", "S", "peer-flat"}
    assert figures["peer-flat"]["ndcg@10"]["mean"] == pytest.approx(1 / np.log2(9.5 + 2))
    assert figures["markov"]["ndcg@10"]["mean"] > figures["popular"]["ndcg@10"]["mean"]


def _games(folder: Path) -> BenchData:
    root = folder.parent
    link = root / "games6k"
    if not link.exists():
        link.symlink_to(folder, target_is_directory=True)
    return load_data("games6k", root, Watcher())


def part(**more: object) -> dict[str, object]:
    gain = {"mean": 0.01, "low": 0.002, "high": 0.02, "relative": 0.1, "n": 500}
    return {
        "data": "xwines",
        "protocol": "temporal",
        "single": {"best": "markov", "ndcg": 0.1, "overall": gain, "strata": {"1-2": gain},
                   "seeds": [gain]},
        "chosen": {"best": "graph", "ndcg": 0.1, "overall": gain, "strata": {}, "seeds": [gain]},
        "peer": {"best": "peer-als", "overall": gain},
        "cold_start": {
            name: {"cold": gain, "warm": gain} for name in ("popular", "content", "ials")
        },
        "random": 0.0,
        "references": {"rows": [{"held": True}]},
        "curve": {"rows": [{"n": 0, "mean": 0.0995}]},
        "twenty": {"S": {"ndcg@10": {"mean": 0.76}}},
        **more,
    }  # fmt: skip


def test_every_bar_holds_where_the_figures_do() -> None:
    sets = [part(data=name) for name in ("xwines", "movielens", "musical-instruments")]
    games = part(data="games6k", protocol="leave-last-out")
    results = hold(read_bars(FILE), [*sets, games])
    assert {one.state for one in results} == {"held"}
    assert next(one for one in results if "data sets" in one.text).measured.startswith("4: ")


def test_a_missed_bar_says_what_was_measured_and_an_absent_one_that_it_was_not() -> None:
    worse = {"mean": -0.01, "low": -0.02, "high": -0.001, "relative": -0.1, "n": 500}
    bad = part(
        single={"best": "markov", "ndcg": 0.1, "overall": worse, "strata": {}, "seeds": [worse]},
        chosen={"best": "graph", "ndcg": 0.1, "overall": worse, "strata": {}, "seeds": [worse]},
        peer=None,
        cold_start=None,
        random=0.5,
        references={"rows": [{"held": False, "system": "ease", "metric": "hr@10",
                              "measured": 0.2}]},
        curve={"rows": [{"n": 30, "mean": 0.09}]},
    )  # fmt: skip
    found = {one.text: one for one in hold(read_bars(FILE), [bad])}
    said = {text: one.measured for text, one in found.items() if one.state == "failed"}
    assert said["S loses at most 1% to markov anywhere, xwines temporal"] == "-10.0% (overall)"
    assert said["F with the random scorer is exactly S, xwines temporal"] == (
        "largest difference 0.5"
    )
    assert said["the reference rows reproduce to the third decimal, xwines"] == "ease hr@10 0.2000"
    assert said["S loses at most 1% with any number of labels, xwines temporal"] == (
        "-10.0% at 30 labelled users"
    )
    assert found["peer, xwines temporal"].state == "not measured"
    assert found["warm"].state == "not measured"
