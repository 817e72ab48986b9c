"""What is expected is well-formed, runs the real command, and fails when a score is off."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.cli import app
from eval.reproduce import Expected, Score, choose, means_of, read_expected, reproduce
from retrieval.errors import InvalidInput, NotFound

ROOT = Path(__file__).parents[2]


def write_shop(folder: Path) -> Path:
    """Three users take a and b; the config measures popularity on it."""
    shop = folder / "shop"
    shop.mkdir()
    rows = [
        f"{user},{item},purchase,2024-01-0{day}T00:00:00Z"
        for user in ("u1", "u2", "u3")
        for day, item in enumerate(("a", "b", "c"), start=1)
    ]
    (shop / "items.csv").write_text("item_id,title\na,A\nb,B\nc,C\nd,D\n", "utf-8")
    (shop / "interactions.csv").write_text("\n".join(["user_id,item_id,kind,at", *rows]), "utf-8")
    config = folder / "small.toml"
    config.write_text(
        'name = "small"\nmetrics = ["hr@1", "hr@10"]\n[data]\npath = "shop"\n'
        '[[systems]]\nname = "popular"\nkind = "popular"\n',
        "utf-8",
    )
    return config


def expected(config: Path, value: float, metric: str = "hr@10") -> Expected:
    score = Score(system="popular", metric=metric, value=value)
    command = f"palate eval run {shlex.quote(str(config))}"
    return Expected(about="a", source="by hand", command=command, cost="seconds", scores=(score,))


def test_every_expected_file_names_a_config_of_this_checkout() -> None:
    found = read_expected()
    assert {"xwines-reference", "movielens-reference", "musical-instruments-reference"} <= set(
        found
    )
    for name, one in found.items():
        config = ROOT / shlex.split(one.command)[3]
        assert config.is_file(), name
        assert one.source, name


def test_a_score_that_comes_out_again_is_ok_and_one_that_is_off_has_failed(tmp_path: Path) -> None:
    config = write_shop(tmp_path)
    (held,) = reproduce("small", expected(config, 1.0), tmp_path.parent)
    assert (held.state, held.measured) == ("ok", 1.0)
    (off,) = reproduce("small", expected(config, 0.9), tmp_path.parent)
    assert (off.state, off.measured) == ("failed", 1.0)
    (missing,) = reproduce("small", expected(config, 1.0, "ndcg@3"), tmp_path.parent)
    assert (missing.state, missing.measured) == ("failed", None)


def test_a_command_that_cannot_run_is_a_failure_that_says_so(tmp_path: Path) -> None:
    (line,) = reproduce("gone", expected(tmp_path / "gone.toml", 1.0), tmp_path)
    assert line.state == "failed"
    assert "exit code 2" in line.why


def test_missing_data_is_skipped_and_not_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALATE_REAL_DATA", str(tmp_path))
    one = expected(tmp_path / "any.toml", 1.0).model_copy(update={"needs": "xwines"})
    (line,) = reproduce("any", one, tmp_path)
    assert (line.state, line.measured) == ("skipped", None)
    assert "PALATE_REAL_DATA" in line.why


def test_nan_is_no_score() -> None:
    record = {
        "kind": "prompts",
        "systems": [{"name": "S", "figures": {"hr@1": {"mean": None}, "hr@2": {"mean": math.nan}}}],
    }
    assert means_of(record)["S", "hr@1"] is None


def test_names_choose_and_unknown_ones_are_refused() -> None:
    found = read_expected()
    assert list(choose(found, ["xwines-reference"], "seconds")) == ["xwines-reference"]
    assert choose(found, [], "hours") == found
    with pytest.raises(NotFound, match="nothing expected is named 'nothing'"):
        choose(found, ["nothing"], "hours")


def test_a_file_with_an_unknown_key_or_another_command_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('about = "a"\nspeed = 1\n', "utf-8")
    with pytest.raises(InvalidInput, match=r"bad\.toml"):
        read_expected(tmp_path)
    (tmp_path / "bad.toml").write_text(
        'about = "a"\nsource = "s"\ncommand = "rm -r x"\ncost = "seconds"\n'
        '[[scores]]\nsystem = "S"\nmetric = "hr@1"\nvalue = 1\n',
        "utf-8",
    )
    with pytest.raises(InvalidInput, match="begins with: palate eval run"):
        read_expected(tmp_path)


def test_the_command_lists_what_there_is() -> None:
    done = CliRunner().invoke(app, ["reproduce", "--list"])
    assert done.exit_code == 0, done.output
    assert "xwines-reference" in done.output


def test_the_recorded_answers_on_the_demo_shop_replay_without_a_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PALATE_LLM_BASE_URL", "http://127.0.0.1:9/v1")  # nobody listens there
    lines = reproduce("demo-rerank", read_expected()["demo-rerank"])
    assert len(lines) == 4
    assert [line for line in lines if line.state != "ok"] == []
