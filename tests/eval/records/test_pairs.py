"""Runs compared query by query: what is paired, what is left out, what is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest

from eval.records.folder import RunFolder
from eval.records.pairs import LoadedRun, Side, compare_runs, load_run
from eval.records.record import read_record
from eval.records.tables import Row
from retrieval.errors import InvalidInput, NotFound
from tests.eval.example_run import V2


@pytest.fixture
def loaded(example: Path) -> LoadedRun:
    return load_run(RunFolder(example))


def run(example: Path, values: Mapping[str, Mapping[str, float]], **changes: str) -> LoadedRun:
    record = read_record(example).model_copy(update=changes)
    rows = {
        system: {q: Row(system, q, metrics={"ndcg@10": v}) for q, v in its.items()}
        for system, its in values.items()
    }
    return LoadedRun(record, rows)


def test_the_difference_is_the_second_minus_the_first_on_common_queries(example: Path) -> None:
    a = run(example, {"v": {"q1": 0.2, "q2": 0.4, "q3": 0.9}})
    b = run(example, {"v": {"q2": 0.5, "q3": 1.0, "q4": 0.0, "q5": 0.0}})
    (line,) = compare_runs([a, b])
    assert (line.first, line.second) == (Side(0, "v"), Side(1, "v"))
    assert (line.only_first, line.only_second, line.found.n) == (1, 2, 2)
    assert line.mean_first == pytest.approx(0.65)
    assert line.mean_second == pytest.approx(0.75)
    assert line.found.mean == pytest.approx(0.1)
    assert line.found.wins == 2


def test_a_query_that_one_run_could_not_measure_counts_for_neither_mean(example: Path) -> None:
    a = run(example, {"v": {"q1": 0.2, "q2": math.nan}})
    b = run(example, {"v": {"q1": 0.6, "q2": 1.0}})
    (line,) = compare_runs([a, b])
    assert (line.found.n, line.mean_second) == (1, 0.6)


def test_three_runs_make_three_pairs_and_holm_knows_all_of_them(example: Path) -> None:
    worse = {f"q{i}": 0.1 for i in range(8)}
    better = {f"q{i}": 0.5 + i / 100 for i in range(8)}
    runs = [run(example, {"v": values}) for values in (worse, better, better)]
    lines = compare_runs(runs)
    assert [(line.first.run, line.second.run) for line in lines] == [(0, 1), (0, 2), (1, 2)]
    assert lines[0].found.p == pytest.approx(2 / 2**8)
    assert lines[0].found.p_holm == pytest.approx(3 * 2 / 2**8)
    assert lines[2].found.p == 1.0


def test_against_compares_every_other_system_with_one_of_the_first_run(
    loaded: LoadedRun, example: Path
) -> None:
    lines = compare_runs([loaded], against="S")
    assert [line.second.system for line in lines] == [name for name in loaded.rows if name != "S"]
    known = read_record(example).system(V2).comparisons[0]
    found = next(line.found for line in lines if line.second.system == V2)
    assert found.mean == pytest.approx(known.mean)
    both = compare_runs([loaded, loaded], against=V2)
    assert (both[-1].first, both[-1].second.run) == (Side(0, V2), 1)
    assert len(both) == 2 * len(loaded.rows) - 1


def test_runs_of_different_data_are_refused_until_forced(example: Path) -> None:
    a = run(example, {"v": {"q": 0.2}})
    b = run(example, {"v": {"q": 0.3}}, data_sha256="f" * 64)
    with pytest.raises(InvalidInput, match="different data") as error:
        compare_runs([a, b])
    assert "--force-different-data" in error.value.hint
    assert compare_runs([a, b], force_different_data=True)[0].found.n == 1


def test_what_cannot_be_compared_is_refused_with_its_reason(example: Path) -> None:
    a = run(example, {"v": {"q": 0.2}})
    with pytest.raises(InvalidInput, match="nothing to be compared with"):
        compare_runs([a])
    with pytest.raises(InvalidInput, match="no query in common"):
        compare_runs([a, run(example, {"v": {"other": 0.2}})])
    with pytest.raises(InvalidInput, match="no system in common"):
        compare_runs([a, run(example, {"w": {"q": 0.2}})])
    with pytest.raises(InvalidInput, match="no metric 'mrr'") as error:
        compare_runs([a, a], metric="mrr")
    assert "ndcg@10" in error.value.hint
    with pytest.raises(NotFound, match="no system 'w'"):
        compare_runs([a, a], against="w")
    with pytest.raises(InvalidInput, match="no system but 'S'"):
        compare_runs([run(example, {"S": {"q": 0.2}})], against="S")
