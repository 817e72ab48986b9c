"""The reference rows of the real data sets reproduce to the third decimal."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.cli import app
from eval.reproduce import read_expected, real_data, reproduce


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name", ["xwines-reference", "movielens-reference", "musical-instruments-reference"]
)
def test_popular_itemknn_and_ease_reproduce_the_reference_row(name: str) -> None:
    expected = read_expected()[name]
    if not (real_data() / expected.needs).is_dir():
        pytest.skip(f"no data at {real_data() / expected.needs}; set PALATE_REAL_DATA")
    lines = reproduce(name, expected)
    assert len(lines) == 6
    assert [line for line in lines if line.state != "ok"] == []


@pytest.mark.real_data
def test_the_recorded_answers_on_games6k_give_the_figures_of_the_docs_again() -> None:
    expected = read_expected()["games6k-rerank"]
    if not (real_data() / expected.needs).is_dir():
        pytest.skip(f"no data at {real_data() / expected.needs}; set PALATE_REAL_DATA")
    lines = reproduce("games6k-rerank", expected)
    assert [line for line in lines if line.state != "ok"] == []


@pytest.mark.real_data
def test_the_recorded_search_on_games6k_finds_no_better_prompt_again(tmp_path: Path) -> None:
    if not (real_data() / "games6k").is_dir():
        pytest.skip(f"no data at {real_data() / 'games6k'}; set PALATE_REAL_DATA")
    config = Path(__file__).parents[2] / "eval" / "configs" / "games6k-tune.toml"
    words = ["optimise", "rerank", str(config), "--no-bins", "--probe", "4"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path), "--runs", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "no prompt is significantly better than rerank@1" in done.output
    assert "differs by -0.1217 [-0.1943, -0.0469], p = 0.0060" in done.output
    assert "asked for 0 tokens" in done.output
    assert list(tmp_path.glob("rerank.v2.*")) == []
