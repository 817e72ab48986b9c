"""Which version an alias stood for, when, and why: one line a change, and no line is ever edited.

``promotions.jsonl`` in the operator's folder. An alias stands for what its last line says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from prompts.prompt import PromptError

HISTORY_FILE = "promotions.jsonl"
ALIAS = r"[a-z][a-z0-9_-]{0,39}"
_LOCK_SECONDS = 10.0


class Promotion(BaseModel):
    """One change of one alias.

    Attributes:
        at: when.
        alias: e.g. ``production``.
        name: of the prompt.
        number: the version that the alias stands for from now on.
        previous: the one before; ``None`` where the alias was new.
        action: ``forced`` skipped the proof.
        sha256: of the version's files by language, so that a later edit shows.
        run: id of the run that justifies it; empty for a rollback and where none was given.
        run_sha256: of that run's ``record.json``.
        verdict: of that run.
        judged: languages of the version that the run judged.
        because: why, in somebody's words.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    at: AwareDatetime
    alias: str = Field(pattern=f"^{ALIAS}$")
    name: str = Field(min_length=1)
    number: int = Field(ge=1)
    previous: int | None = Field(ge=1)
    action: Literal["promoted", "forced", "rolled back"]
    sha256: dict[str, str]
    run: str
    run_sha256: str
    verdict: str
    judged: tuple[str, ...]
    because: str


def read_history(folder: Path) -> list[Promotion]:
    """Every line, oldest first; nothing where there is no file.

    Raises:
        PromptError: the file cannot be read, or names the line that is broken.
    """
    path = folder / HISTORY_FILE
    lines = []
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            lines.append(Promotion.model_validate_json(line))
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise PromptError(
                f"{path}, line {number}: {f'{field}: ' if field else ''}{first['msg']}"
            ) from error
    return lines


def append(folder: Path, line: Promotion) -> None:
    """Add one line; a process that dies here leaves the old file or the new one.

    Call it inside ``locked``.
    """
    path = folder / HISTORY_FILE
    before = _text(path)
    if before and not before.endswith("\n"):
        before += "\n"
    partial = path.with_suffix(".partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(f"{before}{line.model_dump_json()}\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise PromptError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nobody else changes an alias of this folder meanwhile; the folder is made if need be.

    Raises:
        PromptError: somebody else has been changing aliases for ten seconds, or the folder
            cannot be written.
    """
    lock = FileLock(folder / f"{HISTORY_FILE}.lock", timeout=_LOCK_SECONDS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise PromptError(f"another process is changing the aliases in {folder}") from error
    except OSError as error:
        raise PromptError(f"{folder} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def check_unchanged(line: Promotion, sha256: Mapping[str, str]) -> None:
    """Whether a version's files are still those that were promoted.

    Raises:
        PromptError: names the file that was edited since.
    """
    for lang, now in sha256.items():
        if line.sha256.get(lang) != now:
            raise PromptError(
                f"{line.name}.v{line.number}.{lang}.md was edited after {line.name}@{line.alias}"
                f" became version {line.number} on {line.at:%Y-%m-%d}; restore it, and give the"
                " new text a new number"
            )


def stack_of(lines: Sequence[Promotion]) -> list[int]:
    """The versions that a rollback goes down, the current one last; empty without any line.

    A promotion lays a version on top, a rollback takes one off: rolling back twice goes two
    versions back and never returns to the one that was taken off.

    Args:
        lines: of one alias of one prompt, oldest first.
    """
    versions: list[int] = []
    for line in lines:
        if line.action == "rolled back":
            versions = versions[:-1]
            continue
        if not versions and line.previous is not None:
            versions.append(line.previous)
        versions.append(line.number)
    return versions


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"{path} cannot be read: {error}") from error
