"""The file as a whole: its order, its escapes, its size, and that it needs nothing else."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from eval.records.record import read_record
from eval.records.tables import write_judgements, write_prompts, write_rows
from eval.records.whole import write_json
from eval.report.write import REPORT, write_report
from retrieval.errors import NotFound
from tests.eval.example_run import write_example_run
from tests.eval.report.conftest import HOSTILE
from tests.eval.report.page import Page, read_page
from tests.eval.report.rich_run import BINS, PLAIN, Shape, write_rich_run

SECTIONS = [
    "Measured and wanted", "Leaderboard", "By group of queries", "Query by query",
    "Worst and best queries", "Probes", "Reliability", "Tokens and milliseconds",
    "What was left out", "To run it again",
]  # fmt: skip


def plots_of(page: Page) -> list[dict[str, Any]]:
    return [json.loads(one) for one in page.scripts if one.startswith("{")]


def bare_run(folder: Path) -> Path:
    """A run in which nothing was asked of anybody."""
    folder.mkdir()
    record = read_record(write_rich_run(folder / "whole", Shape(queries=2, items=3)))
    base = record.systems[0].model_copy(update={"strata": {}, "comparisons": []})
    write_json(folder / "record.json", record.model_dump() | {
        "systems": [base.model_dump()], "thresholds": [], "required_n": None, "left_out": {},
        "verdict": "incomplete", "verdict_because": "the model went away after 0 of 60 queries",
        "models": [], "prompts": [],
    })  # fmt: skip
    write_rows(folder, [])
    write_judgements(folder, [])
    write_prompts(folder, [])
    return folder


def test_the_verdict_comes_first_with_its_reason(page: Page) -> None:
    order = ["✗ Failed", "2.31 places on average, 2.0 allowed", "Thresholds of this run"]
    places = [page.text.index(text) for text in order]
    assert places == sorted(places)


def test_headings_are_in_order_and_skip_no_level(page: Page) -> None:
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert [text for level, text in page.headings if level == 2] == SECTIONS


def test_the_page_has_a_title_a_language_and_a_caption_on_every_table(page: Page) -> None:
    assert page.all_of("html") == [{"lang": "en"}]
    assert "wine prompts: Failed" in page.text
    assert len(page.all_of("caption")) == len(page.all_of("table")) > 10
    assert all(one["role"] == "img" and one["aria-label"] for one in canvases(page))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {one["href"][1:] for one in page.all_of("a")} <= set(ids)


def canvases(page: Page) -> list[dict[str, str]]:
    return [one for one in page.all_of("div") if one.get("class") == "canvas"]


def test_nothing_is_loaded_from_anywhere(page: Page) -> None:
    addresses = [
        attributes[name]
        for _, attributes in page.tags
        for name in ("src", "href", "srcset", "action", "data", "poster")
        if name in attributes
    ]
    assert addresses
    assert all(one.startswith(("#", "data:")) for one in addresses)
    assert not page.all_of("iframe") + page.all_of("object") + page.all_of("base")
    (policy,) = [one["content"] for one in page.all_of("meta") if "http-equiv" in one]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.split("style-src")[0]


def test_the_library_is_in_the_page_once(rich: Path, page: Page) -> None:
    large = [one for one in page.scripts if len(one) > 1_000_000]
    assert len(large) == 1
    assert (rich / REPORT).read_text(encoding="utf-8").count("plotly.js v") <= 2


def test_every_plot_is_json_and_has_its_place(page: Page) -> None:
    # dots, heat, 2 histograms, 2 of position, lifts, 2 reliability, tokens, ms, frontier
    assert len(plots_of(page)) == len(canvases(page)) == 12


def test_hostile_text_stays_text(hostile: Path) -> None:
    page = read_page((hostile / REPORT).read_text(encoding="utf-8"))
    harmless = read_page(harmless_page(hostile))
    assert HOSTILE in page.text
    assert len(page.scripts) == len(harmless.scripts)
    assert not page.all_of("img")
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert len(plots_of(page)) == len(canvases(page))
    # Plotly reads markup in names: there they must be escaped once more.
    names = [
        trace.get("name") or "" for figure in plots_of(page) for trace in figure["data"]
    ]  # fmt: skip
    assert not any("<script" in name for name in names)


def harmless_page(hostile: Path) -> str:
    folder = write_rich_run(hostile.parent / "harmless", Shape(queries=6, items=4))
    return write_report(folder).read_text(encoding="utf-8")


def test_chinese_text_is_there_and_says_what_it_is(page: Page) -> None:
    assert "喜欢清爽的白葡萄酒" in page.text
    assert any(one.get("lang") == "zh" for one in page.all_of("pre"))
    assert any(one.get("lang") == "zh" for one in page.all_of("blockquote"))


def test_prompts_beside_each_other_mark_their_differences(page: Page) -> None:
    assert page.all_of("ins")
    assert page.all_of("del")
    options = page.all_of("option")
    assert len(options) == 6
    assert page.text.count(f"Worst of {PLAIN}") == page.text.count(f"Worst of {BINS}") == 1


def test_a_run_without_anything_says_what_would_measure_it(tmp_path: Path) -> None:
    page = read_page(write_report(bare_run(tmp_path / "bare")).read_text(encoding="utf-8"))
    assert "… Incomplete" in page.text
    assert "the model went away after 0 of 60 queries" in page.text
    for key in (
        "[[thresholds]]", "[stats]", "[[variants]]", "[[models]]", "probes.position",
        "probes.bins", "probes.injection", "probes.grounding",
    ):  # fmt: skip
        assert key in page.text, key
    assert page.text.count("Not measured.") >= 8
    assert "Nothing was left out." in page.text
    assert [text for level, text in page.headings if level == 2] == SECTIONS


def test_the_example_run_of_the_records_has_a_report_too(tmp_path: Path) -> None:
    path = write_report(write_example_run(tmp_path / "run"))
    page = read_page(path.read_text(encoding="utf-8"))
    assert "v2|tiny|0" in page.text
    assert plots_of(page)


def test_a_missing_number_is_never_a_zero(tmp_path: Path) -> None:
    folder = write_rich_run(tmp_path / "run", Shape(queries=12, items=4))
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    for system in record["systems"]:
        system["figures"]["hr@10"] = {"mean": None, "low": None, "high": None, "empty": 12}
        system["cost"]["p95_ms"] = None
    write_json(folder / "record.json", record)
    html = write_report(folder).read_text(encoding="utf-8")
    row = re.search(r"<th scope=\"row\">S</th>\n?(.*?)</tr>", html, re.DOTALL)
    assert row is not None
    assert re.findall(r"<td[^>]*>([^<]*)", row[1])[1] == "–"


def test_a_large_run_stays_below_eight_megabytes(tmp_path: Path) -> None:
    folder = write_rich_run(tmp_path / "run", Shape(queries=200, items=20))
    assert write_report(folder).stat().st_size < 8_000_000


def test_a_report_is_whole_or_not_there(tmp_path: Path) -> None:
    folder = write_rich_run(tmp_path / "run", Shape(queries=2, items=3))
    (folder / "rows.parquet").unlink()
    with pytest.raises(NotFound, match=r"rows\.parquet"):
        write_report(folder)
    assert not list(folder.glob("report*"))


def test_the_same_run_gives_the_same_page(rich: Path) -> None:
    before = (rich / REPORT).read_bytes()
    assert write_report(rich).read_bytes() == before
