"""Changing what an alias stands for: forward with a run that proves it, and back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from prompts.history import (
    ALIAS,
    HISTORY_FILE,
    Promotion,
    append,
    check_unchanged,
    locked,
    read_history,
    stack_of,
)
from prompts.library import PromptLibrary
from prompts.prompt import PromptError

RECORD_FILE = "record.json"


class _Judged(BaseModel):
    """A prompt that a run judged with."""

    variant: str
    reference: str
    lang: str
    sha256: str


class _Bar(BaseModel):
    """A threshold; its text begins with the system that it is about, VARIANT|MODEL|SEED."""

    text: str


class _Run(BaseModel):
    """What counts here of a run's record."""

    model_config = ConfigDict(extra="ignore")

    id: str
    kind: str
    verdict: str
    verdict_because: str = ""
    prompts: tuple[_Judged, ...] = ()
    thresholds: tuple[_Bar, ...] = ()


def promote(
    folder: Path,
    reference: str,
    alias: str,
    *,
    at: datetime,
    run: Path | None = None,
    because: str = "",
    force: bool = False,
) -> Promotion:
    """Let an alias stand for another version from now on.

    Args:
        folder: the operator's; made if need be.
        reference: the version, e.g. ``rerank@2``.
        alias: e.g. ``production``.
        at: now.
        run: a run's folder or its ``record.json``: it passed, and with this very text.
        because: why; the run's own reason where nothing is said.
        force: do without the proof; ``because`` must say why. What the run said is recorded.

    Raises:
        UnknownPrompt: there is no such version.
        PromptError: the alias stands for it already, or nothing proves it.
    """
    because = because.strip()
    if re.fullmatch(ALIAS, alias) is None:
        raise PromptError(
            f"{alias[:50]!r} is no alias; write small letters, digits, - and _, a letter first"
        )
    if force and not because:
        raise PromptError("a promotion without proof needs a reason")
    library = PromptLibrary(folder)
    name, number = library.resolve(reference)
    sha256 = library.sha256(f"{name}@{number}")
    if run is not None:
        record, run_sha256 = _read_run(run)
    elif force:
        record, run_sha256 = _Run(id="", kind="", verdict=""), ""
    else:
        raise PromptError(f"no run proves {name}@{number}")
    judged = tuple(one for one in record.prompts if one.reference == f"{name}@{number}")
    if not force:
        _check_proof(record, judged, f"{name}@{number}", sha256)
    with locked(folder):
        previous = PromptLibrary(folder).aliases(name).get(alias)
        if previous == number:
            raise PromptError(f"{name}@{alias} is version {number} already")
        line = Promotion(
            at=at,
            alias=alias,
            name=name,
            number=number,
            previous=previous,
            action="forced" if force else "promoted",
            sha256=sha256,
            run=record.id,
            run_sha256=run_sha256,
            verdict=record.verdict,
            judged=tuple(
                sorted({one.lang for one in judged if sha256.get(one.lang) == one.sha256})
            ),
            because=because or record.verdict_because,
        )
        append(folder, line)
    return line


def rollback(folder: Path, alias: str, name: str, *, at: datetime, because: str) -> Promotion:
    """Let an alias stand again for what it stood for before its last promotion.

    Twice in a row goes two promotions back.

    Raises:
        UnknownPrompt: there is no such prompt, or the version to go back to is gone.
        PromptError: nothing was promoted, that version was edited since, or no reason is given.
    """
    if not because.strip():
        raise PromptError("a rollback needs a reason")
    library = PromptLibrary(folder)
    library.versions(name)
    nothing = PromptError(f"{name}@{alias} was not promoted: there is nothing to go back to")
    if not (folder / HISTORY_FILE).exists():
        raise nothing
    with locked(folder):
        lines = [one for one in read_history(folder) if (one.alias, one.name) == (alias, name)]
        stack = stack_of(lines)
        if len(stack) < 2:
            raise nothing
        sha256 = library.sha256(f"{name}@{stack[-2]}")
        for earlier in [one for one in lines if one.number == stack[-2]][-1:]:
            check_unchanged(earlier, sha256)
        line = Promotion(
            at=at,
            alias=alias,
            name=name,
            number=stack[-2],
            previous=stack[-1],
            action="rolled back",
            sha256=sha256,
            run="",
            run_sha256="",
            verdict="",
            judged=(),
            because=because.strip(),
        )
        append(folder, line)
    return line


def _read_run(run: Path) -> tuple[_Run, str]:
    """A run's record and the hash of its file."""
    path = run / RECORD_FILE if run.is_dir() else run
    try:
        data = path.read_bytes()
        return _Run.model_validate_json(data), hashlib.sha256(data).hexdigest()
    except FileNotFoundError as error:
        raise PromptError(f"there is no run at {run}: {path} does not exist") from error
    except OSError as error:
        raise PromptError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise PromptError(f"{path} is no record of a run: {field} {first['msg']}") from error


def _check_proof(
    run: _Run, judged: tuple[_Judged, ...], version: str, sha256: Mapping[str, str]
) -> None:
    if run.kind != "prompts":
        raise PromptError(f"run {run.id} proves nothing: it is a run of {run.kind}, not of prompts")
    if run.verdict != "passed":
        raise PromptError(
            f"run {run.id} does not prove {version}: its verdict is {run.verdict!r}"
            + (f" ({run.verdict_because})" if run.verdict_because else "")
        )
    if not judged:
        raise PromptError(f"run {run.id} did not judge with {version}")
    held = [f"{one.variant}|" for one in judged]
    if not any(bar.text.startswith(name) for bar in run.thresholds for name in held):
        raise PromptError(f"run {run.id} does not prove {version}: no threshold is about it")
    for one in judged:
        if sha256.get(one.lang) != one.sha256:
            raise PromptError(
                f"run {run.id} judged with another text of {version} ({one.lang}) than there is now"
            )
