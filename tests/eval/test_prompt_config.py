"""Whatever is wrong with a prompt run's config is named, with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.cli_run import run as run_command
from eval.prompt_config import FIGURES, read_prompt_config
from eval.runs.decide import _FIGURES
from retrieval.errors import InvalidInput

GOOD = """name = "try"
limit = 9
[data]
path = "shop"
[pool]
home = "home"
[[variants]]
name = "v1"
folder = "own"
[[variants]]
name = "v2"
prompt = "rerank@1"
weight = "cross-validated"
[[models]]
name = "m"
cassette = "m.jsonl.gz"
replay = true
[[models]]
name = "n"
[[thresholds]]
system = "v1"
at_least = 0.1
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "c.toml"
    path.write_text(text)
    return path


def test_paths_start_at_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    config = read_prompt_config(written(tmp_path, GOOD))
    assert config.data.path == tmp_path / "shop"
    assert config.pool.home == tmp_path / "home"
    assert config.variants[0].folder == tmp_path / "own"
    assert config.models[0].cassette == tmp_path / "m.jsonl.gz"
    assert config.models[1].cassette is None
    monkeypatch.setenv("PALATE_REAL_DATA", "/data")
    away = GOOD.replace('"shop"', '"${PALATE_REAL_DATA}/games6k"')
    assert read_prompt_config(written(tmp_path, away)).data.path == Path("/data/games6k")


def test_every_shipped_config_is_valid() -> None:
    folder = Path(run_command.__code__.co_filename).parent / "configs"
    prompts = [one for one in folder.glob("*.toml") if "[[variants]]" in one.read_text()]
    assert prompts
    for path in prompts:
        assert read_prompt_config(path).name == path.stem


def test_every_figure_that_a_bar_may_name_can_be_read() -> None:
    assert set(FIGURES) == set(_FIGURES) | {"mean", "low", "high"}


def test_a_bar_may_name_s_a_variant_or_one_system(tmp_path: Path) -> None:
    config = read_prompt_config(written(tmp_path, GOOD))
    assert config.known_systems() == [
        "S", "v1", "v2", "v1|m|0", "v1|n|0", "v2|m|0", "v2|n|0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("limit = 9", "limitt = 9", "limitt: there is no such entry"),
        ("[pool]", "[pool]\njudge = 3", "pool.judge"),
        ("limit = 9", "limit = 0", "limit"),
        ("limit = 9", "primary = 'ndcg@5'", "primary 'ndcg@5' is none of the metrics"),
        ("limit = 9", "metrics = ['beauty@3']", "beauty@3"),
        ("limit = 9", "metrics = ['ndcg@0', 'ndcg@10']", "ndcg@0"),
        ("limit = 9", "seeds = [1, 1]", "seeds has '1' twice"),
        ("limit = 9", "seeds = []", "seeds"),
        ("limit = 9", "parallel = 0", "parallel"),
        ("limit = 9", "max_failed = 2", "max_failed"),
        ('name = "try"', 'name = "Try This"', "name"),
        ('name = "v2"', 'name = "v1"', "variants has 'v1' twice"),
        ('name = "n"', 'name = "m"', "models has 'm' twice"),
        ('name = "v2"', 'name = "a|b"', "variants.1.name"),
        ('"cross-validated"', '"guessed"', "variants.1.weight: a weight is a number >= 0, or"),
        ('"cross-validated"', "-1", "a weight is a number >= 0, or 'cross-validated'"),
        ('"cross-validated"', "nan", "a weight is a number >= 0, or 'cross-validated'"),
        ('"cross-validated"', "inf", "a weight is a number >= 0, or 'cross-validated'"),
        ('cassette = "m.jsonl.gz"', "", "replay needs a cassette"),
        ("[[thresholds]]", "[stats]\nsequential = true\n[[thresholds]]", "weights that are numb"),
        ("[[thresholds]]", "[stats]\nalpha = 0\n[[thresholds]]", "stats.alpha"),
        ('home = "home"\n', "", ""),
        ('system = "v1"', 'system = "v9"', "the system 'v9'; there are S, v1, v2, v1|m|0"),
        ("at_least = 0.1", "", "give at_least or at_most"),
        ("at_least = 0.1", "at_least = 0.1\nat_most = 0.2", "give at_least or at_most"),
        ("at_least = 0.1", "at_least = 0.1\nfigure = 'beauty'", "figure is one of mean, low"),
        ("at_least = 0.1", "at_least = 0.1\nmetric = 'hr@9'", "'hr@9', none of metrics"),
        (
            "at_least = 0.1",
            "at_least = 0.1\nmetric = 'hr@10'\nfigure = 'delta_low'",
            "delta_low of hr@10: of other metrics than ndcg@10 there are mean, low, high",
        ),
        ("[[models]]", "[[model]]", "model"),
        ("[data]", "[dada]", "data"),
        ("name = ", "name == ", "not valid TOML"),
    ],
)
def test_a_broken_config_is_refused_by_name(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    if not says:
        read_prompt_config(path)
        return
    with pytest.raises(InvalidInput) as caught:
        read_prompt_config(path)
    assert str(path) in caught.value.message
    assert says in caught.value.message
    assert "\n" not in caught.value.message


def test_grounding_without_a_home_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace('home = "home"', "").replace(
        "[[thresholds]]", "[probes]\ngrounding = 3\n[[thresholds]]"
    )
    with pytest.raises(InvalidInput, match=r"needs pool\.home"):
        read_prompt_config(written(tmp_path, text))
