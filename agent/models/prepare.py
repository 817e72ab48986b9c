"""Make a model of the registry ready to use: fetch, verify, convert; cached by digest."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path
from typing import IO

from agent.models import convert, machine
from agent.models.fetch import fetch, fetched_path, locked
from agent.models.registry import ModelEntry
from retrieval.errors import ModelUnavailable
from retrieval.ports import Progress

STAMP = "palate.json"
_PERCENT = re.compile(r"(\d{1,3})%\|")


def prepare(
    entry: ModelEntry, cache_dir: Path, progress: Progress, *, given: Path | None = None
) -> Path:
    """Fetch, verify and, for a language model, convert.

    Safe when two run at once (the second waits and finds everything done) and after a kill at
    any moment (what was whole is kept).

    Args:
        entry: what to prepare.
        cache_dir: the cache folder; made when absent.
        progress: told what is under way and how far.
        given: a file to take instead of the registry's sources.

    Returns:
        An absolute path: the folder that vLLM serves for a language model, else the file.

    Raises:
        ModelUnavailable: no source works, wrong digest, disk full, or conversion failed.
    """
    ready = prepared_path(entry, cache_dir)
    if ready is not None:
        return ready
    with locked(
        cache_dir,
        entry.sha256,
        lambda: progress.note(f"another process is preparing {entry.name}; waiting for it"),
    ):
        ready = prepared_path(entry, cache_dir)
        if ready is not None:
            return ready
        file = fetch(entry, cache_dir, progress, given=given)
        if entry.format != "gguf":
            return file
        return _converted(entry, file, cache_dir, progress)


def prepared_path(entry: ModelEntry, cache_dir: Path) -> Path | None:
    """Where the ready model is, or ``None`` when ``prepare`` has still to run; reads no hub."""
    if entry.format != "gguf":
        path = fetched_path(entry, cache_dir)
        return path if path.is_file() and path.stat().st_size == entry.bytes else None
    folder = _folder(entry, cache_dir)
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        whole = all((folder / name).stat().st_size == size for name, size in stamp.items())
    except (OSError, ValueError, AttributeError):
        return None
    return folder if whole else None


def require_prepared(entry: ModelEntry, cache_dir: Path) -> Path:
    """Where the ready model is.

    Raises:
        ModelUnavailable: ``prepare`` has still to run; the hint says how.
    """
    folder = prepared_path(entry, cache_dir)
    if folder is None:
        raise ModelUnavailable(
            f"{entry.name} is not prepared in {cache_dir}",
            f"run: palate llm prepare {entry.name} (or set llm.base_url to a server, or "
            "llm.model = none)",
        )
    return folder


def _folder(entry: ModelEntry, cache_dir: Path) -> Path:
    return (cache_dir / "converted" / f"{entry.sha256[:16]}-v{convert.VERSION}").absolute()


def _converted(entry: ModelEntry, file: Path, cache_dir: Path, progress: Progress) -> Path:
    folder = _folder(entry, cache_dir)
    folder.parent.mkdir(parents=True, exist_ok=True)
    need = 2 * entry.weight_parameters + (200 << 20)
    free = shutil.disk_usage(folder.parent).free
    if free < need:
        raise ModelUnavailable(
            f"converting {entry.name} needs {need >> 20} MiB in {folder.parent}, where "
            f"{free >> 20} MiB are free",
            "free some space, or set llm.cache_dir to a larger disk",
        )
    memory = machine.available_memory()
    if memory < _convert_bytes(entry):
        raise ModelUnavailable(
            f"converting {entry.name} needs about {_convert_bytes(entry) / machine.GIB:.1f} GiB of "
            f"memory, and {memory / machine.GIB:.1f} GiB are free",
            "free some memory and run it again; what was fetched is kept",
        )
    progress.start(f"converting {entry.name} (%)", 100)
    with tempfile.TemporaryDirectory(prefix="converting-", dir=folder.parent) as scratch:
        fresh = Path(scratch) / "model"
        _run_converter(file, fresh, entry, progress)
        sizes = {path.name: path.stat().st_size for path in fresh.iterdir()}
        (fresh / STAMP).write_text(json.dumps(sizes), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        os.replace(fresh, folder)
    return folder


def _converter(file: Path, folder: Path) -> list[str]:
    return [sys.executable, "-m", convert.__name__, str(file), str(folder)]


def _convert_bytes(entry: ModelEntry) -> int:
    """Memory of a conversion; measured 5.6 GiB for 1.78 billion parameters."""
    return 7 * entry.weight_parameters // 2


def _run_converter(file: Path, fresh: Path, entry: ModelEntry, progress: Progress) -> None:
    environ = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    with subprocess.Popen(
        _converter(file, fresh),
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            last = _follow(process.stderr, progress)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        killed = process.returncode < 0
        raise ModelUnavailable(
            f"converting {entry.name} failed: "
            + (f"killed by signal {-process.returncode}" if killed else last),
            f"it takes about {_convert_bytes(entry) >> 20} MiB of memory"
            if killed
            else "the cpu extra must be installed: pip install 'palate[cpu]'",
        )


def _follow(stderr: IO[str], progress: Progress) -> str:
    """Turn the converter's own percentages into progress; returns its last line."""
    told, tail, line = 0, deque[str](maxlen=20), ""
    while text := stderr.read(64):
        line += text
        *whole, line = re.split(r"[\r\n]+", line)
        for part in whole:
            if part.strip():
                tail.append(part.strip())
            if found := _PERCENT.search(part):
                now = min(99, int(found[1]))
                if now > told:
                    progress.advance(now - told)
                    told = now
    progress.advance(100 - told)
    return (line.strip() or (tail[-1] if tail else "it said nothing"))[:300]
