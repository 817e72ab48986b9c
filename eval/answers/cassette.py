"""Recorded answers of one model: request hash -> answer, in a file that only grows.

A run looks here before it asks, and writes here before it goes on. So a run that was killed
repeats no call, two runs share what both ask, and a machine without any model replays a
recorded run exactly.

The file is JSON lines. The first names the model; every other one holds an answer. Each
line is written whole and synced; what a crash tore off is skipped and counted. A file that
ends in ``.gz`` is read, never written.

Failures are on record too, so that a replay fails where the run did. A model that is there is
asked about them again: it may have been mended.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from agent.ports import Message, ModelInfo
from prompts.prompt import conversation_sha256
from retrieval.errors import InvalidInput, NotFound

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded answer: ``logprobs`` of a label call or ``text`` of a generation.

    Both are ``None`` when the server failed at that prompt alone. Where a whole call failed,
    ``error`` is the code of the error and ``text`` its message. Tokens and milliseconds are
    the prompt's share of its call.
    """

    logprobs: Mapping[str, float] | None = None
    text: str | None = None
    finish: str = "stop"
    missing: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    milliseconds: float = 0.0
    error: str = ""

    @property
    def usable(self) -> bool:
        """Whether the model answered."""
        return not self.error and (self.logprobs is not None or self.text is not None)


def request_key(conversation: Sequence[Message], *what: object, salt: str = "") -> str:
    """SHA-256 of everything that decides an answer except the model.

    Args:
        conversation: what is shown.
        what: kind of request and its parameters, such as ``"labels", "yes", "no"``.
        salt: tells repeats of one request apart.
    """
    parts = json.dumps([conversation_sha256(conversation), *what, salt], ensure_ascii=False)
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()


class Cassette:
    """The answers of one model. Safe to use from several threads and several processes.

    Args:
        path: created with its folder when it does not exist and ``info`` is given.
        info: the model that will answer; ``None`` only replays.

    Raises:
        NotFound: nothing to replay at ``path``.
        InvalidInput: not a cassette, of another format, or of another model.
    """

    def __init__(self, path: Path, info: ModelInfo | None = None) -> None:
        self.path = path
        self.torn = 0
        self._answers: dict[str, Answer] = {}
        self._lock = threading.Lock()
        recorded = self._load(info) if path.exists() else None
        if recorded is not None:
            if info is not None and recorded.model_id != info.model_id:
                raise _of_another(path, recorded.model_id, info.model_id)
            self.info = recorded if info is None else info
        elif info is None:
            raise NotFound(f"there is no cassette at {path}", "record one: run with the model")
        else:
            self.info = info

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str) -> Answer | None:
        """The recorded answer."""
        return self._answers.get(key)

    def add(self, answers: Mapping[str, Answer]) -> None:
        """Write answers down; on return they survive a crash.

        Raises:
            InvalidInput: the file cannot be written.
        """
        lines = [json.dumps({"key": key, **_short(one)}) for key, one in answers.items()]
        with self._lock:
            try:
                self._append(lines)
            except OSError as error:
                raise InvalidInput(
                    f"the cassette {self.path} cannot be written: {error.strerror or error}",
                    "give a folder that you may write to",
                ) from error
            self._answers.update(answers)

    def _append(self, lines: Sequence[str]) -> None:
        if self.path.suffix == ".gz":
            raise OSError("packed cassettes are read only")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"), self.path.open("a+b") as file:
            file.seek(0)
            first = file.readline()
            if _torn_head(first, self.info):  # also of a file that is new
                file.truncate(0)
                lines = [_head(self.info), *lines]
            else:
                self._check_owner(first)
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # torn by a crash: it shall not tear ours as well
                    lines = ["", *lines]
            file.write(("\n".join(lines) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())

    def _check_owner(self, first: bytes) -> None:
        """Another model may have begun the file after we looked for it."""
        owner = json.loads(first)["cassette"]["model_id"]
        if owner != self.info.model_id:
            raise _of_another(self.path, owner, self.info.model_id)

    def _load(self, asking: ModelInfo | None) -> ModelInfo | None:
        """Read the file; ``None`` when a crash left not even its first line."""
        try:
            data = self.path.read_bytes()
            if asking is not None and _torn_head(data, asking):
                self.torn += bool(data)
                return None
            data = gzip.decompress(data) if self.path.suffix == ".gz" else data
            # What a crash leaves behind need not be text; such a line is skipped below.
            first, *rest = data.decode(errors="replace").split("\n")
            head = json.loads(first)
            if head["format"] != FORMAT:
                raise ValueError(f"format {head['format']!r}, expected {FORMAT}")
            info = ModelInfo(**head["cassette"])
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InvalidInput(
                f"{self.path} cannot be unpacked: {error}", "pack it again, or take a whole copy"
            ) from error
        except OSError as error:
            raise InvalidInput(
                f"{self.path} cannot be read: {error.strerror or error}", "check its rights"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInput(
                f"{self.path} is no cassette: {error}", "record a new one into another file"
            ) from error
        for line in filter(None, rest):
            try:
                record: dict[str, Any] = json.loads(line)
                key, answer = str(record.pop("key")), Answer(**record)
            except (ValueError, KeyError, TypeError, AttributeError):
                self.torn += 1
                continue
            if answer.usable or asking is None:
                self._answers[key] = answer
        return info


def _of_another(path: Path, owner: str, model_id: str) -> InvalidInput:
    return InvalidInput(
        f"{path} holds answers of {owner}, not of {model_id}",
        "name another cassette for another model",
    )


def _head(info: ModelInfo) -> str:
    return json.dumps({"format": FORMAT, "cassette": asdict(info)})


def _torn_head(data: bytes, info: ModelInfo) -> bool:
    """Whether nothing is there but the beginning of a first line, or not even that."""
    return not data.endswith(b"\n") and _head(info).encode().startswith(data)


def _short(answer: Answer) -> dict[str, Any]:
    """Only what differs from an empty answer: most lines hold log-probabilities and counts."""
    empty = asdict(Answer())
    return {name: value for name, value in asdict(answer).items() if value != empty[name]}
