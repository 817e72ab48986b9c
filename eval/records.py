"""What a run leaves behind: ``runs/ID/record.json``, enough to run it again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from eval.config import EvalConfig
from eval.run import EvalResult, Miss
from retrieval.types import Interaction

_LIBRARIES = ("numpy", "scipy", "implicit")


def data_hash(interactions: Sequence[Interaction]) -> str:
    """SHA-256 over every interaction in order."""
    digest = hashlib.sha256()
    for x in interactions:
        digest.update(repr((x.user_id, x.item_id, x.kind, x.value, x.at.timestamp())).encode())
    return digest.hexdigest()


def write_record(
    folder: Path, config: EvalConfig, result: EvalResult, interactions: Sequence[Interaction]
) -> Path:
    """Write the record under a new id and return its path; whole or not at all."""
    at = datetime.now(UTC)
    run = folder / f"{at:%Y%m%dT%H%M%S%f}-{config.name}"
    run.mkdir(parents=True)
    record = {
        "id": run.name,
        "at": at.isoformat(),
        "config": config.model_dump(mode="json"),
        "data_sha256": data_hash(interactions),
        "commit": _commit(),
        "versions": {
            "palate": version("palate"),
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        "result": {**asdict(result), "misses": [_flat(miss) for miss in result.misses]},
    }
    partial = run / "record.json.partial"
    partial.write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf-8")
    final = run / "record.json"
    os.replace(partial, final)
    return final


def _flat(miss: Miss) -> dict[str, object]:
    return {**miss.expected.model_dump(), "measured": miss.measured}


def _commit() -> str:
    """The checkout's commit; empty outside one."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
