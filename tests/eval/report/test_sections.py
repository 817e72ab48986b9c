"""What the sections say of a run, before it is a page."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.records.record import Stratum
from eval.report.blocks import Case, Choice, Figure, Grid, Note, NotMeasured, Section
from eval.report.board import board_section, control_notes
from eval.report.cost import front
from eval.report.queries import EACH, cases_section, gains_section
from eval.report.shown import ShownRun, read_run
from eval.report.strata import strata_section
from eval.report.verdict import gist, verdict_section
from tests.eval.report.rich_run import BINS, PLAIN

NUMBERS = st.none() | st.floats(0, 1)


@pytest.fixture(scope="module")
def run(rich: Path) -> ShownRun:
    return read_run(rich)


def grids(section: Section) -> list[Grid]:
    return [one for one in section.blocks if isinstance(one, Grid)]


def notes(section: Section) -> list[str]:
    return [one.text for one in section.blocks if isinstance(one, Note)]


def drawn(section: Section) -> list[dict[str, Any]]:
    return [json.loads(one.json) for one in section.blocks if isinstance(one, Figure)]


def cells(grid: Grid, name: str) -> list[str]:
    (row,) = [row for group in grid.groups for row in group.rows if row[0].text == name]
    return [cell.text for cell in row]


def test_a_threshold_is_split_into_what_was_wanted_and_what_was_measured(run: ShownRun) -> None:
    (grid,) = grids(verdict_section(run))
    assert cells(grid, f"{PLAIN} injection mean lift") == [
        f"{PLAIN} injection mean lift", "≤ 2.0", "2.3100", "✗ no",
    ]  # fmt: skip
    assert cells(grid, f"{PLAIN} grounding support")[1:] == ["≥ 0.95", "–", "✗ no"]


def test_the_remark_on_the_number_of_queries_says_what_can_be_seen(run: ShownRun) -> None:
    (remark,) = notes(verdict_section(run))
    assert "takes 3\N{NARROW NO-BREAK SPACE}462 queries; this run has 60" in remark
    assert "about 0.076: a smaller one would look like none" in remark


def test_the_gist_names_what_became_of_every_variant(run: ShownRun) -> None:
    assert f"{PLAIN} is not clearly different from S" in gist(run)
    assert f"{BINS} is better than S: Δ NDCG@10 +0.1" in gist(run)


def test_a_variant_that_a_stranger_profile_serves_as_well_does_not_personalise(
    run: ShownRun,
) -> None:
    said = [note.text for note in control_notes(run) if isinstance(note, Note)]
    assert len(said) == 6
    (bad,) = [text for text in said if "does not beat" in text]
    assert bad.startswith(f"{PLAIN} does not beat its shuffled profile")
    assert bad.endswith(": it does not personalise.")


def test_a_control_that_was_not_run_is_no_victory(run: ShownRun) -> None:
    systems = [one for one in run.record.systems if one.kind != "control"]
    bare = ShownRun(run.folder, run.record.model_copy(update={"systems": systems}), [], [], {})
    gaps = control_notes(bare)
    assert all(isinstance(one, NotMeasured) for one in gaps)
    assert "controls.shuffled_profile" in {one.key for one in gaps if isinstance(one, NotMeasured)}


def test_the_leaderboard_groups_every_system_and_tests_only_variants(run: ShownRun) -> None:
    quality, difference, cost, between = grids(board_section(run))
    assert [group.heading for group in quality.groups] == [
        "Base and sources", "Variants", "Controls",
    ]  # fmt: skip
    assert sum(len(group.rows) for group in quality.groups) == len(run.record.systems)
    assert cells(difference, "random")[2:5] == ["–", "–", "–"]
    assert cells(difference, "random")[1].startswith("−0.3")
    assert cells(difference, BINS)[2:4] == ["< 0.001", "< 0.001"]
    assert [group.heading for group in cost.groups] == ["Variants", "Controls"]
    assert cells(between, BINS)[1] == PLAIN


def test_a_group_with_few_queries_is_grey_and_said_to_be(run: ShownRun) -> None:
    section = strata_section(run)
    assert notes(section) == ["Grey: fewer than 10 queries, too few to tell: wish = silent (8)."]
    grey, seen = drawn(section)[0]["data"]
    (silent,) = [at for at, name in enumerate(seen["x"]) if "silent" in name]
    assert {row[silent] for row in seen["z"]} == {None}
    assert {row[silent] for row in grey["z"]} == {0.0}
    assert seen["zmid"] == 0
    assert seen["zmin"] == -seen["zmax"]


def test_a_group_without_a_figure_has_a_dash_in_its_cell(run: ShownRun) -> None:
    systems = [one.model_copy(deep=True) for one in run.record.systems]
    systems[1].strata["user"]["cold"] = Stratum(n=20, mean=None, low=None, high=None, delta=None)
    record = run.record.model_copy(update={"systems": systems})
    (figure,) = drawn(strata_section(ShownRun(run.folder, record, [], [], {})))
    texts = [one["text"] for one in figure["layout"]["annotations"]]
    assert texts[0] == "–"
    assert texts.count("–") == 1


def test_the_histogram_counts_every_query_once(run: ShownRun) -> None:
    (choice,) = gains_section(run).blocks
    assert isinstance(choice, Choice)
    assert [panel.name for panel in choice.panels] == [PLAIN, BINS]
    for panel in choice.panels:
        (figure,) = panel.blocks
        assert isinstance(figure, Figure)
        (bars,) = json.loads(figure.json)["data"]
        assert sum(bars["y"]) == 60
        assert any(math.isclose(x, 0, abs_tol=1e-9) for x in bars["x"])


def test_worst_queries_lose_and_best_ones_gain_and_show_what_moved(run: ShownRun) -> None:
    (choice,) = cases_section(run).blocks
    assert isinstance(choice, Choice)
    for panel in choice.panels:
        cases = [one for one in panel.blocks if isinstance(one, Case)]
        assert len(cases) == 2 * EACH
        assert [case.delta[0] for case in cases] == ["−"] * EACH + ["+"] * EACH
        for case in cases:
            assert " → " in case.moves
            mine, beside = case.prompts
            assert mine.title.startswith(panel.name)
            assert {span.changed for turn in mine.turns for span in turn.spans} == {True, False}
            assert beside.change == "del"
            assert "<data" not in case.asked


def test_a_relevant_item_that_was_not_judged_has_no_ranks(run: ShownRun) -> None:
    (choice,) = cases_section(run).blocks
    assert isinstance(choice, Choice)
    deep = [
        row
        for panel in choice.panels
        for case in panel.blocks if isinstance(case, Case)
        for grid in case.blocks if isinstance(grid, Grid)
        for row in grid.groups[0].rows if row[0].text.endswith("deep")
    ]  # fmt: skip
    assert deep
    assert {cell.text for row in deep for cell in row[1:]} == {"–"}


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=8))
def test_nothing_on_the_frontier_is_beaten_by_something_as_cheap(
    points: list[tuple[float | None, float | None]],
) -> None:
    costs, values = [cost for cost, _ in points], [value for _, value in points]
    on = front(costs, values)
    known = [(c, v) for c, v in points if c is not None and v is not None]
    assert bool(on) == bool(known)
    for at in on:
        cost, value = points[at]
        assert cost is not None
        assert value is not None
        assert not any(c <= cost and v > value for c, v in known)
    for cost, value in known:
        assert any(costs[at] <= cost and values[at] >= value for at in on)  # type: ignore[operator]
    assert [costs[at] for at in on] == sorted(costs[at] for at in on)  # type: ignore[type-var]
