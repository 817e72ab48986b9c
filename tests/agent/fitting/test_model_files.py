"""Models on disk: what comes back, and what a kill, damage or a second fit does to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from agent.fitting.model_files import ModelSet, read_models, save_models
from agent.fitting.rebuild import restore_models, settings_of
from retrieval.candidates.ease import Ease
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.history import history_matrix
from retrieval.candidates.ials import Ials
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.item_knn import ItemKnn
from retrieval.candidates.line_up import HISTORY_SOURCES, line_up
from retrieval.errors import InvalidInput
from retrieval.types import Interaction

AT = datetime(2024, 5, 1, tzinfo=UTC)
ITEMS = tuple(f"i{at}" for at in range(12))
SETTINGS = {
    "behaviour": {"l2": 5.0},
    "item_knn": {"k": 3},
    "ials": {"factors": 3, "iterations": 2},
    "bpr": {"factors": 3, "iterations": 2},
    "next_item": {"factors": 3, "epochs": 1, "last": 4},
    "cold_start": {"kappa": 7.0},
    "content": {"half_life": 3.0},
    "popular": {"half_life_days": 30.0},
}


def events() -> list[Interaction]:
    random = np.random.default_rng(5)
    return [
        Interaction(f"u{u}", f"i{i}", "purchase", 1.0, AT + timedelta(days=int(d)))
        for u in range(15)
        for i, d in zip(random.permutation(11)[:4], random.integers(0, 50, 4), strict=True)
    ]


FEATURES = ItemFeatures(
    np.random.default_rng(1).normal(size=(12, 5)).astype(np.float32),
    np.random.default_rng(2).normal(size=(12, 4)).astype(np.float32),
)


@pytest.fixture(scope="module")
def fitted() -> dict[str, Estimator]:
    matrix = history_matrix(events(), ITEMS)
    made = line_up(FEATURES, items=12, settings=SETTINGS)
    return {name: one.fit(matrix) for name, one in made.items()}


def save(home: Path, estimators: dict[str, Estimator], items: Sequence[str] = ITEMS) -> ModelSet:
    return save_models(
        home,
        estimators,
        item_ids=items,
        data_hash="abc",
        features_id="",
        fit_seconds={"behaviour": 1.5},
    )


def knn() -> dict[str, Estimator]:
    return {"item_knn": ItemKnn(k=3).fit(history_matrix(events(), ITEMS))}


def test_every_model_of_the_line_up_comes_back_as_it_was(
    tmp_path: Path, fitted: dict[str, Estimator]
) -> None:
    assert tuple(fitted) == HISTORY_SOURCES
    save(tmp_path, fitted)
    saved = read_models(tmp_path)
    assert saved is not None
    assert (saved.item_ids, saved.data_hash, saved.damaged) == (ITEMS, "abc", {})
    matrix = history_matrix(events(), saved.item_ids)
    made, left_out = restore_models(saved, matrix, FEATURES, HISTORY_SOURCES)
    assert (tuple(made), left_out) == (HISTORY_SOURCES, {})
    everybody = np.arange(matrix.shape[0])
    for name, one in made.items():
        np.testing.assert_allclose(
            one.score_users(everybody), fitted[name].score_users(everybody), atol=1e-6, err_msg=name
        )
        np.testing.assert_array_equal(one.known, fitted[name].known)
        assert settings_of(one) == settings_of(fitted[name])


def test_the_manifest_says_what_each_source_costs(
    tmp_path: Path, fitted: dict[str, Estimator]
) -> None:
    saved = save(tmp_path, fitted)
    behaviour = saved.sources["behaviour"]
    assert (behaviour.kind, behaviour.settings, behaviour.seconds) == ("Ease", {"l2": 5.0}, 1.5)
    file = tmp_path / "models" / saved.set_id / "behaviour.npz"
    assert behaviour.bytes == file.stat().st_size > 12 * 12 * 4
    again = read_models(tmp_path)
    assert again is not None
    assert again.sources == saved.sources
    assert saved.sources["cold_start"].settings["ials"]["factors"] == 3


def test_a_large_catalogues_behaviour_comes_back_as_ials(tmp_path: Path) -> None:
    matrix = history_matrix(events(), ITEMS)
    save(tmp_path, {"behaviour": Ials(factors=3).fit(matrix)})
    saved = read_models(tmp_path)
    assert saved is not None
    made, _ = restore_models(saved, matrix, ItemFeatures(), ["behaviour"])
    assert isinstance(made["behaviour"], Ials)


def test_only_what_is_wanted_is_read(tmp_path: Path, fitted: dict[str, Estimator]) -> None:
    save(tmp_path, fitted)
    saved = read_models(tmp_path, only=["markov", "profile"])
    assert saved is not None
    assert set(saved.arrays) == {"markov"}
    assert set(saved.sources) == set(HISTORY_SOURCES)


def test_without_a_fit_there_are_no_models(tmp_path: Path) -> None:
    assert read_models(tmp_path) is None


def test_the_set_in_use_and_the_one_before_stay(tmp_path: Path) -> None:
    ids = [save(tmp_path, knn()).set_id for _ in range(4)]
    left = {one.name for one in (tmp_path / "models").iterdir() if one.is_dir()}
    assert left == set(ids[-2:])
    current = read_models(tmp_path)
    assert current is not None
    assert current.set_id == ids[-1]


@pytest.mark.parametrize("which", range(5))
def test_a_fit_that_dies_while_saving_leaves_the_former_set_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """At any of the renames: of the npz, of items, manifest and folder, and of ``current``."""
    before = save(tmp_path, knn())
    real, calls = os.replace, iter(range(100))

    def replace(source: object, target: object) -> None:
        if next(calls) == which:
            raise KeyboardInterrupt
        real(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, knn())
    monkeypatch.undo()
    now = read_models(tmp_path)
    assert now is not None
    assert (now.set_id, now.damaged) == (before.set_id, {})
    after = save(tmp_path, knn())
    left = {one.name for one in (tmp_path / "models").iterdir()}
    assert left == {before.set_id, after.set_id, "current", ".lock"}, "leftovers were removed"


def test_a_killed_process_leaves_the_former_set_in_use(tmp_path: Path) -> None:
    before = save(tmp_path, knn())
    code = (
        "import os, signal, sys, pathlib\n"
        "from agent.fitting import model_files\n"
        "from tests.agent.fitting.test_model_files import save, knn\n"
        "model_files._write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "save(pathlib.Path(sys.argv[1]), knn())\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": "."},
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    now = read_models(tmp_path)
    assert now is not None
    assert now.set_id == before.set_id
    save(tmp_path, knn())  # the lock went with the process
    assert not list((tmp_path / "models").glob(".partial*"))


@pytest.mark.parametrize("damage", [b"", b"PK", b"changed"])
def test_a_damaged_model_is_named_and_the_others_are_read(
    tmp_path: Path, fitted: dict[str, Estimator], damage: bytes
) -> None:
    saved = save(tmp_path, fitted)
    path = tmp_path / "models" / saved.set_id / "markov.npz"
    path.write_bytes(damage + (path.read_bytes() if damage == b"changed" else b""))
    now = read_models(tmp_path)
    assert now is not None
    assert "markov.npz is damaged" in now.damaged["markov"]
    assert set(now.arrays) == set(HISTORY_SOURCES) - {"markov"}


@pytest.mark.parametrize("name", ["manifest.json", "items.json", "../current"])
@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"format": 7}'])
def test_a_damaged_set_is_refused_with_its_file_and_what_to_do(
    tmp_path: Path, name: str, content: bytes
) -> None:
    saved = save(tmp_path, knn())
    (tmp_path / "models" / saved.set_id / name).resolve().write_bytes(content)
    with pytest.raises(InvalidInput, match="models") as caught:
        read_models(tmp_path)
    assert caught.value.hint == "run palate fit again"
    save(tmp_path, knn())
    assert read_models(tmp_path) is not None, "the hint helps"


def test_models_of_another_palate_are_left_out_by_name(tmp_path: Path) -> None:
    matrix = history_matrix(events(), ITEMS)
    saved = save(tmp_path, {"markov": Ease().fit(matrix)})
    now = read_models(tmp_path)
    assert now is not None
    made, left_out = restore_models(now, matrix, ItemFeatures(), ["markov"])
    assert made == {}
    assert "settings of markov" in left_out["markov"]
    assert saved.sources["markov"].kind == "Ease"
