"""Peers are asked the benchmark's question, once; one that fails does not stop the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.bench.peers.exchange import Question, write_json, write_scores
from eval.bench.quality import peers_run
from eval.bench.quality.datasets import load_data
from eval.bench.quality.peers_in import peers_of
from eval.bench.quality.peers_run import ask_peers, check_peers, question_of
from eval.bench.quality.protocols import Periods, periods
from retrieval.errors import InvalidInput
from tests.eval.bench.quality_world import ITEMS, write_shop
from tests.eval.runs.worlds import Watcher


@pytest.fixture
def cut(tmp_path: Path) -> Periods:
    shop = load_data(str(write_shop(tmp_path / "shop")), tmp_path, Watcher())
    return periods(shop, "temporal", labels=100)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the peers that were run; ``neumf`` falls over."""
    names: list[str] = []

    def answer(name: str, question: Question, folder: Path, *_: Any, **__: Any) -> None:
        names.append(name)
        if name == "neumf":
            raise InvalidInput("peer neumf ended with status 1", "read its log")
        flat = np.zeros((1, question.shape.items), dtype=np.float32)
        write_scores(folder / "answer", question.targets, question.shape.items,
                     lambda users: np.repeat(flat, len(users), axis=0))  # fmt: skip
        write_json(folder / "answer" / "report.json", {"valid_ndcg": 0.1})

    monkeypatch.setattr(peers_run, "ensure_environment", lambda *_: Path("python"))
    monkeypatch.setattr(peers_run, "run_peer", answer)
    return names


def test_the_question_holds_both_periods_in_their_order(cut: Periods) -> None:
    pictures = np.zeros((ITEMS, 4), dtype=np.float32)
    pictures[3] = 1.0
    found = question_of(cut, pictures, 5, 9.0, 1)
    assert (found.shape.items, found.shape.trials, found.shape.seconds) == (ITEMS, 5, 9.0)
    assert len(found.train) == cut.learn.matrix.values.nnz
    assert len(found.train) + len(found.valid) == cut.test.matrix.values.nnz
    assert found.train.at.max() < found.valid.at.min()
    assert found.targets.tolist() == cut.test.rows.tolist()
    assert found.image_vectors is not None
    assert np.isnan(found.image_vectors).all(axis=1).sum() == ITEMS - 1


def test_a_peer_is_run_once_and_one_that_fails_is_noted(
    cut: Periods, asked: list[str], tmp_path: Path
) -> None:
    watcher, names = Watcher(), ("als", "neumf", "vbpr")

    def ask() -> list[str]:
        return ask_peers(names, cut, None, tmp_path / "shop-temporal", trials=1, seconds=1.0,
                         threads=1, progress=watcher)  # fmt: skip

    assert ask() == ["neumf", "vbpr"]
    assert ask() == ["neumf", "vbpr"]
    assert asked == ["als", "neumf", "neumf"]
    assert any("status 1" in one for one in watcher.notes)
    assert any("no pictures" in one for one in watcher.notes)
    (peer,) = peers_of(tmp_path, "shop", "temporal", cut.test)
    assert peer.name == "als"
    assert peer.scores(0, 2).shape == (2, ITEMS)


def test_an_unknown_peer_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'guess'"):
        check_peers(("als", "guess"))
