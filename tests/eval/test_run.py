"""A run on a log that one can follow by hand, and what makes it fail."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from eval.cli import app
from eval.config import read_config
from eval.run import run_evaluation
from eval.systems import ranks_of_relevant
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.errors import InvalidInput
from retrieval.types import Interaction

START = datetime(2024, 1, 1, tzinfo=UTC)
CONFIG = """
name = "small"
metrics = ["hr@1", "ndcg@10"]
[data]
path = "shop"
[[systems]]
name = "popular"
kind = "popular"
"""


@dataclass
class Counting:
    done: int = 0
    stages: list[str] = field(default_factory=list)

    def start(self, stage: str, total: int | None) -> None:
        self.stages.append(stage)

    def advance(self, n: int = 1) -> None:
        self.done += n

    def note(self, text: str) -> None:
        """Nothing to show."""


class Constant:
    def fit(self, matrix: InteractionMatrix) -> Constant:
        return self

    def score_users(self, user_indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.zeros((len(user_indices), 5), dtype=np.float32)


def log() -> list[Interaction]:
    """Three users take a, b, then c; everybody's last is c, which nobody trains on."""
    return [
        Interaction(user, item, "rating", 5.0, START + timedelta(days=day))
        for user in ("u1", "u2", "u3")
        for day, item in enumerate("abc")
    ]


def write_shop(folder: Path) -> None:
    shop = folder / "shop"
    shop.mkdir()
    (shop / "items.csv").write_text("item_id,title\n" + "".join(f"{i},T{i}\n" for i in "abcde"))
    rows = "".join(f"{x.user_id},{x.item_id},rating,5,{x.at.isoformat()}\n" for x in log())
    (shop / "interactions.csv").write_text("user_id,item_id,kind,value,at\n" + rows)


def test_a_scorer_that_says_nothing_ends_in_the_middle() -> None:
    matrix = InteractionMatrix.from_interactions(log()[:2], item_ids=list("abcde"))
    (ranks,) = ranks_of_relevant(Constant(), matrix, {"u1": {"c", "nowhere"}})
    assert ranks.tolist() == [1.0, math.inf]  # c, d, e are unseen and tied: the middle of 0, 1, 2


def test_popularity_cannot_know_an_item_that_nobody_trained_on(tmp_path: Path) -> None:
    write_shop(tmp_path)
    (tmp_path / "c.toml").write_text(CONFIG)
    progress = Counting()
    result = run_evaluation(read_config(tmp_path / "c.toml"), log(), list("abcde"), progress)
    (popular,) = result.systems
    assert result.queries == progress.done == 3
    assert popular.figures["hr@1"].mean == 0.0
    assert popular.figures["ndcg@10"].mean == pytest.approx(1 / math.log2(3))


@pytest.mark.parametrize(("value", "code", "says"), [(0.6309, 0, "passed"), (0.9, 1, "FAILED")])
def test_the_exit_code_says_whether_every_expectation_held(
    tmp_path: Path, value: float, code: int, says: str
) -> None:
    write_shop(tmp_path)
    config = tmp_path / "c.toml"
    config.write_text(
        CONFIG + f'[[expect]]\nsystem = "popular"\nmetric = "ndcg@10"\nvalue = {value}\n'
    )
    done = CliRunner().invoke(app, ["run", str(config), "--runs", str(tmp_path / "runs")])
    assert done.exit_code == code, done.output
    assert says in done.output
    assert len(list(tmp_path.glob("runs/*/record.json"))) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("ndcg@10", "ndcg@0"), "ndcg@0"),
        (('"popular"\nkind', '"popular"\nkindd'), "systems.0.kind"),
        (('kind = "popular"', 'kind = "magic"'), "item-knn"),
        (("[data]", "[dada]"), "data"),
        (("name = ", "name == "), "not valid TOML"),
    ],
)
def test_a_broken_config_is_refused_by_name(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(CONFIG.replace(*change, 1))
    with pytest.raises(InvalidInput, match=says):
        read_config(config)


def test_a_split_that_leaves_nobody_says_why(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(CONFIG)
    with pytest.raises(InvalidInput, match="fewer than min_interactions: 3"):
        run_evaluation(read_config(tmp_path / "c.toml"), log()[::3], list("abcde"), Counting())
