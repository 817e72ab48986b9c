"""The reference rows of the real data sets reproduce to the third decimal."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.cli import app

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("PALATE_REAL_DATA", ROOT.parent / "shared" / "data"))


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("xwines", "xwines"),
        ("movielens", "movielens"),
        ("musical-instruments", "musical_instruments"),
    ],
)
def test_popular_itemknn_and_ease_reproduce_the_reference_row(
    name: str, folder: str, tmp_path: Path
) -> None:
    if not (DATA / folder).is_dir():
        pytest.skip(f"no data at {DATA / folder}; set PALATE_REAL_DATA")
    config = ROOT / "eval" / "configs" / f"{name}-reference.toml"
    done = CliRunner().invoke(app, ["run", str(config), "--runs", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "passed: 6 expectations held" in done.output
