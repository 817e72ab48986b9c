"""An operator's folder: copies of shipped texts with other numbers, and records of runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prompts.library import PromptLibrary


def add_version(
    folder: Path,
    name: str,
    number: int,
    *,
    like: str = "",
    edit: Callable[[str], str] = lambda text: text,
) -> None:
    """Write both languages of a version, the text of ``like`` (production) edited."""
    folder.mkdir(parents=True, exist_ok=True)
    for lang in ("en", "zh"):
        old = PromptLibrary().find(like or name, lang)
        text = old.source.replace(f"\nversion: {old.number}\n", f"\nversion: {number}\n", 1)
        path = folder / f"{name}.v{number}.{lang}.md"
        path.write_text(edit(text), encoding="utf-8")


def write_run(folder: Path, library: PromptLibrary, *references: str, **changes: Any) -> Path:
    """The record of a run that passed with the given versions, in both languages."""
    prompts = [
        {
            "variant": reference,
            "reference": library.find(reference, lang).version,
            "lang": lang,
            "sha256": library.find(reference, lang).sha256,
        }
        for reference in references
        for lang in ("en", "zh")
    ]
    record = {
        "format": 1,
        "id": folder.name,
        "kind": "prompts",
        "verdict": "passed",
        "verdict_because": "every threshold holds",
        "prompts": prompts,
        "thresholds": [
            {"text": f"{name}|m|0 ndcg@10 delta_low >= 0", "measured": 0.1, "passed": True}
            for name in references
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").write_text(json.dumps(record | changes), encoding="utf-8")
    return folder
