"""The record of a reference run (``kind: systems``): ``runs/ID/record.json``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from eval.config import EvalConfig
from eval.records.folder import RunFolder
from eval.records.origin import commit, versions
from eval.records.whole import write_json
from eval.run import EvalResult, Miss
from retrieval.types import Interaction


def data_hash(interactions: Sequence[Interaction]) -> str:
    """SHA-256 over every interaction in order."""
    digest = hashlib.sha256()
    for x in interactions:
        digest.update(repr((x.user_id, x.item_id, x.kind, x.value, x.at.timestamp())).encode())
    return digest.hexdigest()


def write_record(
    runs: Path, config: EvalConfig, result: EvalResult, interactions: Sequence[Interaction]
) -> Path:
    """Write the record under a new id and return its path; whole or not at all."""
    at = datetime.now(UTC)
    with RunFolder.create(runs, config.name, run_id=None, at=at) as folder:
        record = {
            "format": 1,
            "id": folder.run_id,
            "at": at.isoformat(),
            "kind": "systems",
            "name": config.name,
            "config": config.model_dump(mode="json"),
            "data_sha256": data_hash(interactions),
            "commit": commit(),
            "versions": versions(),
            "queries": result.queries,
            "result": {**asdict(result), "misses": [_flat(miss) for miss in result.misses]},
            "verdict": "failed" if result.misses else "passed",
            "verdict_because": (
                f"{len(config.expect) - len(result.misses)} of {len(config.expect)} "
                "expectations held"
            ),
        }
        return write_json(folder.path / "record.json", record)


def _flat(miss: Miss) -> dict[str, object]:
    return {**miss.expected.model_dump(), "measured": miss.measured}
