"""`palate eval extract` on the demo shop's reviews."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.cli import app
from eval.probes.extraction import review_texts
from retrieval.errors import InvalidInput

SHOP = Path(__file__).parents[2] / "demo" / "shop"


def test_versions_stand_side_by_side_and_a_row_a_text_is_written(tmp_path: Path) -> None:
    words = ["extract", str(SHOP), "extract@1", "extract@production", "--limit", "6"]
    words += ["--model", "scripted", "--runs", str(tmp_path), "--out", str(tmp_path / "o.json")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "extract@1" in done.output
    assert "verbatim_share" in done.output
    told = json.loads((tmp_path / "o.json").read_text("utf-8"))
    assert list(told) == ["extract@1", "extract@production"]
    assert [len(figures["rows"]) for figures in told.values()] == [6, 6]
    assert told["extract@1"]["lines"] > 0
    assert told["extract@1"]["verbatim_share"] == 1.0
    # One version under two names: the second reads from the record.
    assert told["extract@1"]["rows"] == told["extract@production"]["rows"]


def test_a_spent_budget_is_said_and_not_taken_for_a_result(tmp_path: Path) -> None:
    words = ["extract", str(SHOP), "extract@1", "--limit", "80", "--budget", "1"]
    done = CliRunner().invoke(app, [*words, "--model", "scripted", "--runs", str(tmp_path)])
    assert done.exit_code == 2
    assert "incomplete: " in done.output


def test_the_sample_is_seeded_and_as_large_as_asked() -> None:
    assert review_texts(SHOP, 9, 1) == review_texts(SHOP, 9, 1)
    assert review_texts(SHOP, 9, 1) != review_texts(SHOP, 9, 2)
    assert len(review_texts(SHOP, 9, 1)) == 9


@pytest.mark.parametrize("reference", ["rerank@1", "extract@99", "nothing"])
def test_a_prompt_that_reads_nothing_is_refused(tmp_path: Path, reference: str) -> None:
    done = CliRunner().invoke(app, ["extract", str(SHOP), reference, "--runs", str(tmp_path)])
    assert isinstance(done.exception, InvalidInput)
    assert "palate prompts list" in done.exception.hint


def test_a_data_set_without_reviews_is_refused(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,title\na,A\n", "utf-8")
    with pytest.raises(InvalidInput, match="no usable review"):
        review_texts(tmp_path, 5, 0)
