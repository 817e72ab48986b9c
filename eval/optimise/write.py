"""What a search leaves behind: its record always, a prompt's files where one was found."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from eval.optimise.report import OptimiseReport, Tried
from eval.optimise.rewrite import build_prompt_text
from eval.optimise.sentence import because
from eval.records.origin import commit, versions
from eval.records.whole import write_json
from prompts.history import locked
from prompts.library import PromptLibrary
from prompts.parse import parse_prompt
from prompts.prompt import PromptError
from retrieval.errors import InvalidInput

SEARCH = "optimise.json"


@dataclass(frozen=True, slots=True)
class Written:
    """A new version of a prompt: its reference, e.g. ``rerank@2``, and one file a language."""

    reference: str
    paths: tuple[Path, ...]


def write_version(folder: Path, winner: Tried, name: str) -> Written:
    """Write the prompt as the next free version, in every language.

    The files are written beside their places first and renamed one after the other: one
    language without the other does not load.

    Args:
        folder: an operator's; made if need be.
        winner: the prompt.
        name: of the prompt, as the shipped ones know it.

    Raises:
        InvalidInput: the folder cannot be written, or what is in it is not valid.
    """
    try:
        with locked(folder):
            number = PromptLibrary(folder).versions(name)[-1] + 1
            texts = {
                folder / f"{name}.v{number}.{lang}.md": _renumbered(text, number, winner)
                for lang, text in winner.candidate.sources.items()
            }
            partials = {path: path.with_name(path.name + ".partial") for path in texts}
            for path, text in texts.items():
                partials[path].write_text(text, encoding="utf-8")
            for path, partial in partials.items():
                os.replace(partial, path)
            PromptLibrary(folder)  # refuses a version that is not fit for use
    except PromptError as error:
        raise InvalidInput(str(error), "repair that folder, or name another with --out") from error
    except OSError as error:
        raise InvalidInput(
            f"{folder} cannot be written: {error.strerror or error}", "name another with --out"
        ) from error
    return Written(f"{name}@{number}", tuple(texts))


def write_search(
    runs: Path, name: str, report: OptimiseReport, written: Written | None, *, at: datetime
) -> Path:
    """Write ``runs/TIME-NAME/optimise.json``: every candidate, block and comparison.

    Raises:
        InvalidInput: the folder cannot be made or written.
    """
    folder = runs / f"{at.astimezone(UTC):%Y%m%dT%H%M%S%f}-{name}-optimise"
    record = report.to_json() | {
        "at": at.isoformat(),
        "name": name,
        "because": because(report),
        "written": None if written is None else written.reference,
        "files": [] if written is None else [str(path) for path in written.paths],
        "commit": commit(),
        "versions": versions(),
    }
    try:
        folder.mkdir(parents=True)
        return write_json(folder / SEARCH, record)
    except OSError as error:
        raise InvalidInput(
            f"{folder} cannot be written: {error.strerror or error}", "name another with --runs"
        ) from error


def _renumbered(source: str, number: int, winner: Tried) -> str:
    """The candidate's file as version ``number``; nothing that a model sees changes."""
    where = winner.candidate.name
    before = parse_prompt(source, where=where)
    text = build_prompt_text(before, None, None, number)
    about = json.dumps(f"found by palate eval optimise: {where}", ensure_ascii=False)
    text = text.replace(f"version: {number}\n", f"version: {number}\nabout: {about}\n", 1)
    after = parse_prompt(text, where=where)
    if (after.number, after.turns) != (number, before.turns):
        raise PromptError(f"{where} would change when it is written as version {number}")
    return text
