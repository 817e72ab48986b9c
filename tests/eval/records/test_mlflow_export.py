"""A real MLflow store in SQLite, read back through MLflow's own client; nothing leaves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from eval.records.mlflow_export import export, metrics_of
from eval.records.record import read_record
from retrieval.errors import InvalidInput, StoreError
from tests.eval.example_run import V2

# MLflow 3.17 with SQLAlchemy 2.1: its own loader option is deprecated there.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")


def test_metric_names_hold_only_what_mlflow_allows(example: Path) -> None:
    found = metrics_of(read_record(example))
    assert "ndcg_at_10/v2:tiny:0-shuffled" in found
    assert "tokens_per_query/v2:tiny:0" in found


def test_without_mlflow_the_hint_is_how_to_get_it(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InvalidInput, match="mlflow is not installed") as error:
        export(example, "sqlite:///x.db", "palate")
    assert "pip install 'palate[mlflow]'" in error.value.hint
    assert list(tmp_path.iterdir()) == [], "no database was made"


def test_a_run_is_read_back_through_mlflow(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    first = export(example, uri, "palate")
    second = export(example, uri, "palate")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == os.environ["DO_NOT_TRACK"] == "true"

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("palate")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_id for run in runs} == {first, second}
    data = client.get_run(first).data
    record = read_record(example)
    assert data.metrics["ndcg_at_10/v2:tiny:0"] == record.system(V2).figures["ndcg@10"].mean
    assert data.params["split"] == "global-temporal"
    assert data.params["prompts"].startswith("rerank@1 en aaaaaaaaaaaa")
    assert data.tags["commit"] == record.commit
    assert data.tags["data_sha256"] == record.data_sha256
    assert client.get_run(first).info.status == "FINISHED"
    files = {file.path for file in client.list_artifacts(first)}
    assert files == {"record.json", "rows.parquet", "judgements.parquet", "prompts.parquet"}
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", "mlartifacts"}


def test_a_file_that_is_no_database_is_a_store_error(example: Path, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database " * 100)
    for name in ("text.db", "no/such/folder/x.db", "."):
        with pytest.raises(StoreError, match="cannot be opened as an SQLite database"):
            export(example, f"sqlite:///{tmp_path / name}", "palate")
    assert [path.name for path in tmp_path.iterdir()] == ["text.db"]


@pytest.mark.parametrize("uri", ["", "mlruns", "file:///tmp/mlruns", "postgresql://host/db"])
def test_an_address_of_another_kind_is_refused(example: Path, uri: str) -> None:
    with pytest.raises(InvalidInput, match=f"at {uri!r}") as error:
        export(example, uri, "palate")
    assert "sqlite:///FILE.db" in error.value.hint


def test_a_server_that_does_not_answer_is_a_store_error(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(StoreError, match="MLflow at http://127"):
        export(example, "http://127.0.0.1:9", "palate")
