"""A finished run copied into an MLflow store; the only place that knows mlflow.

Metric names there may not hold ``@``, ``|`` or ``~``: ``ndcg@10`` of ``v2|qwen|0~shuffled`` is
``ndcg_at_10/v2:qwen:0-shuffled``. Every export makes a new MLflow run.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from eval.records.record import RunRecord, read_record
from retrieval.errors import InvalidInput, StoreError

_SQLITE = "sqlite:///"
_LONGEST = 500
_NAMES = str.maketrans({"|": ":", "~": "-"})
_FORBIDDEN = re.compile(r"[^\w.: -]", re.ASCII)
_ACCEPTED = "sqlite:///FILE.db or the address of a running MLflow server"
_FILES = ("record.json", "report.html")


def export(folder: Path, tracking_uri: str, experiment: str) -> str:
    """Log a run's parameters, mean figures, tags and files; returns the id of MLflow's run.

    Args:
        folder: of a finished run of prompts.
        tracking_uri: of the store: ``sqlite:///mlflow.db`` or ``http://127.0.0.1:5000``.
        experiment: its name there; made when it is missing. Files of a new experiment in
            SQLite go to ``mlartifacts`` beside the database.

    Raises:
        NotFound: the run is unfinished.
        InvalidInput: mlflow is not installed, no run of prompts, or another kind of address.
        StoreError: MLflow refused or does not answer, or the file is no database.
    """
    record = read_record(folder)
    # mlflow reads these when it is imported. It must not report to anybody, and a store that
    # does not answer should be said within seconds.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    try:
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise InvalidInput(
            "mlflow is not installed", "pip install 'palate[mlflow]', then export again"
        ) from error
    _look_at(tracking_uri)  # last: looking at a database that is not there makes it
    try:
        client = MlflowClient(tracking_uri=tracking_uri)
        run_id: str = client.create_run(
            _experiment(client, tracking_uri, experiment),
            run_name=record.id,
            tags=_tags(record),
        ).info.run_id
        client.log_batch(
            run_id,
            metrics=[Metric(name, value, 0, 0) for name, value in metrics_of(record).items()],
            params=[Param(name, value) for name, value in _params(record).items()],
        )
        for path in [*(folder / name for name in _FILES), *sorted(folder.glob("*.parquet"))]:
            if path.is_file():
                client.log_artifact(run_id, str(path))
        client.set_terminated(run_id)
    except MlflowException as error:
        raise StoreError(
            f"MLflow at {tracking_uri}: {str(error).strip().splitlines()[0][:300]}",
            f"check that it is {_ACCEPTED}",
        ) from error
    return run_id


def metrics_of(record: RunRecord) -> dict[str, float]:
    """Mean of every figure by MLflow's name for it; what could not be measured is left out."""
    found: dict[str, float] = {}
    for system in record.systems:
        name = _FORBIDDEN.sub("_", system.name.translate(_NAMES))
        values = {metric: figure.mean for metric, figure in system.figures.items()}
        values |= {"coverage": system.coverage, "tokens_per_query": system.cost.tokens_per_query}
        for metric, value in values.items():
            if value is not None:
                found[f"{_FORBIDDEN.sub('_', metric.replace('@', '_at_'))}/{name}"] = value
    return found


def _tags(record: RunRecord) -> dict[str, str]:
    return {
        "palate.run": record.id,
        "commit": record.commit,
        "data_sha256": record.data_sha256,
        "verdict": record.verdict,
        "mlflow.note.content": record.verdict_because,
    }


def _params(record: RunRecord) -> dict[str, str]:
    values = {
        "name": record.name,
        "primary": record.primary,
        "queries": record.queries,
        "catalogue": record.catalogue,
        "split": record.split.get("kind", ""),
        "seeds": ", ".join(str(seed) for seed in record.seeds),
        "models": ", ".join(model.model_id for model in record.models),
        "prompts": ", ".join(
            f"{one.reference} {one.lang} {one.sha256[:12]}" for one in record.prompts
        ),
    }
    return {name: str(value)[:_LONGEST] for name, value in values.items()}


def _look_at(tracking_uri: str) -> None:
    """Refuse at once what MLflow would try again and again, or fail at with SQL's own errors."""
    if tracking_uri.startswith(_SQLITE):
        path = tracking_uri.removeprefix(_SQLITE)
        try:
            with closing(sqlite3.connect(path)) as database:
                database.execute("PRAGMA user_version")
        except sqlite3.Error as error:
            raise StoreError(
                f"{path} cannot be opened as an SQLite database: {error}",
                "name a new file in a folder that is there, or a database of MLflow",
            ) from error
    elif not tracking_uri.startswith(("http://", "https://")):
        raise InvalidInput(
            f"no MLflow store can be reached at {tracking_uri!r}",
            f"give {_ACCEPTED}, which may stand before any other store",
        )


def _experiment(client: Any, tracking_uri: str, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        known: str = found.experiment_id
        return known
    location = None
    if tracking_uri.startswith(_SQLITE):
        database = Path(tracking_uri.removeprefix(_SQLITE)).absolute()
        location = (database.parent / "mlartifacts").as_uri()
    made: str = client.create_experiment(name, artifact_location=location)
    return made
