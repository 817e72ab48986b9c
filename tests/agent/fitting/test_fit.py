from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.fitting.certificate import Certificate
from agent.fitting.fit import learn_fusion
from agent.fitting.live import weighing
from agent.fitting.model_files import read_models
from agent.fitting.served import MIN_LABELLED
from agent.fusion_file import load_certificate, load_weights
from agent.settings import Settings, read_settings
from agent.stores import open_stores
from retrieval.candidates.item_knn import ItemKnn
from retrieval.candidates.popular import Popularity
from retrieval.errors import InvalidInput
from retrieval.fusion.weights import PRIOR_WITHOUT_TEXT
from retrieval.types import Interaction, Item, User
from server.cli.main import app, main
from tests.agent.fitting.four_tastes import ITEMS, Watcher, event, shop

QUICK = ("behaviour", "item_knn", "popular")


def fitted(events: Sequence[Interaction], **options: Any) -> Certificate:
    given: dict[str, Any] = {"data_hash": "hash", "progress": Watcher(), "only": QUICK, **options}
    return learn_fusion(events, ITEMS, **given).certificate


def test_enough_users_teach_that_taste_beats_popularity() -> None:
    watcher = Watcher()
    found = fitted(shop(200), progress=watcher, data_hash="h")
    alone = {one.name: one.alone.ndcg for one in found.sources}
    assert alone["behaviour"] > alone["popular"] + 0.1
    weights = found.weights
    assert weights.kind == "learned"
    assert weights.data_hash == found.data_hash == "h"
    assert weights.n_labelled == found.trainable >= 100
    assert weights.source_ndcg == alone
    of_taste = weights.without_text["behaviour"] + weights.without_text["item_knn"]
    assert of_taste > 3 * weights.without_text["popular"]
    assert set(weights.without_text) == set(QUICK), "what was not measured gets nothing"
    s = found.combined[0]
    assert s.low <= s.ndcg <= s.high
    assert s.ndcg >= alone[found.best] - 0.02
    assert found.gain.ndcg == pytest.approx(s.ndcg - alone[found.best])
    assert watcher.done >= found.users
    assert watcher.stages[-1] == "learning weights"


def test_the_same_log_and_seed_give_the_same_weights() -> None:
    events = shop(150)
    assert fitted(events).weights == fitted(events[::-1]).weights


def test_too_few_users_get_the_prior_and_hear_why() -> None:
    found = fitted(shop(MIN_LABELLED - 1))
    assert 0 < found.trainable < MIN_LABELLED
    assert found.weights.kind == "prior"
    assert found.weights.without_text == PRIOR_WITHOUT_TEXT
    assert found.weights.note == f"{found.trainable} users to learn from, 10 are needed"
    assert found.mixture is None
    s, prior = found.combined[:2]
    assert s.ndcg == prior.ndcg > 0


def test_few_users_teach_a_mixture_and_nothing_is_proven() -> None:
    found = fitted(shop(30))
    assert found.trainable >= MIN_LABELLED
    assert found.weights.kind == "learned"
    assert found.mixture is not None
    assert found.adaptive is None
    assert not found.weights.slopes
    assert any("too few users" in note for note in found.notes)


def test_a_log_without_spread_in_time_gets_the_prior() -> None:
    found = fitted([event(f"u{u}", item, 1) for u in range(120) for item in ITEMS[:4]])
    assert found.weights.kind == "prior"
    assert found.users == 0
    assert math.isnan(found.combined[0].ndcg)
    assert math.isnan(found.recall)


def test_an_empty_log_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(InvalidInput, match="no interaction") as caught:
        fitted([])
    assert "palate ingest" in caught.value.hint


def test_the_cap_on_users_holds() -> None:
    assert fitted(shop(200), max_users=120).users == 120


class Liar:
    """Says the contrary of what somebody else found out, of every item."""

    def __init__(self, honest: ItemKnn) -> None:
        self._honest = honest

    def score_users(self, rows: np.ndarray) -> np.ndarray:
        return 10.0 - self._honest.score_users(rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._honest, name)


def test_a_source_that_harms_counts_for_next_to_nothing() -> None:
    found = fitted(
        shop(200), extra=lambda split, matrix, users: {"liar": Liar(ItemKnn(k=5).fit(matrix))}
    )
    line = found.sources[0]
    assert (line.name, line.alone.ndcg) == ("liar", 0)
    assert line.weight < 0.05
    without = fitted(shop(200))
    assert found.combined[0].ndcg > without.combined[0].ndcg - 0.02
    for one in (*found.sources, *without.sources):
        assert one.because


def test_sources_from_elsewhere_see_only_the_past() -> None:
    seen = []

    def extra(split: Any, matrix: Any, users: Any) -> dict[str, Any]:
        seen.append((split, matrix, users))
        return {"profile": Popularity().fit(matrix)}

    found = fitted(shop(60), extra=extra)
    (split, matrix, users) = seen[0]
    assert max(one.at for one in split.before) <= split.cut < min(one.at for one in split.after)
    assert matrix.values.nnz <= len(split.before)
    assert len(users) == found.users
    assert [one.name for one in found.sources] == ["profile", *QUICK]


def test_the_command_fits_saves_and_shows(settings: Settings, tmp_path: Path) -> None:
    home = tmp_path / "shop"
    with open_stores(read_settings(environ={}, overrides={"store": {"home": home}})) as stores:
        stores.catalog.upsert_items(Item(item, item) for item in ITEMS)
        events = shop(60)
        stores.catalog.upsert_users(User(user) for user in sorted({e.user_id for e in events}))
        stores.event_log.append_interactions(events)
        data_hash = stores.database.data_hash()
    command = ["--home", str(home), "fit"]
    run = CliRunner().invoke(app, [*command, "--max-users", "50", "--threads", "1"])
    assert run.exit_code == 0, run.output
    saved, certificate = load_weights(home), load_certificate(home)
    assert saved is not None
    assert certificate is not None
    assert saved.kind == "learned"
    assert saved.data_hash == data_hash
    assert certificate.users <= 50
    models = read_models(home)
    assert models is not None
    assert set(models.sources) == weighing(saved) | {"popular"}
    page = next((home / "certificates").glob("*.html"))
    for word in ("behaviour", "next_item", "CombSUM", "Gate of the mixture", "pool recall"):
        assert word in run.output
    for path in (page, page.with_suffix(".json")):
        assert str(path) in run.output.replace("\n", "")
    shown = CliRunner().invoke(app, [*command, "--show"])
    assert shown.exit_code == 0
    assert shown.output in run.output, "the same once more, without the progress"
    page.with_suffix(".json").write_text(json.dumps({"format": 99}))
    assert main([*command, "--show"]) == 2


def test_showing_where_nothing_was_fitted_is_an_error_that_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(tmp_path / "none"), "fit", "--show"]) == 3
    assert "palate fit" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
