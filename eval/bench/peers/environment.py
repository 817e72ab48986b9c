"""One virtual environment for each library of peers, made once and kept in a cache folder.

The lists in ``environments/`` name every package with its version. As in ``deploy/install.sh``,
torch is the CPU build: from a local folder of wheels that pip is configured with, else from the
index that uv knows.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import platformdirs
from filelock import FileLock

from retrieval.errors import InvalidInput, NotFound
from retrieval.ports import Progress

LIBRARIES = ("cornac", "implicit", "recbole")
_PYTHONS = ">=3.11,<3.13"
_STAMP = "complete"
_LAST_LINES = 12


def requirements(library: str) -> Path:
    """The library's list of packages.

    Raises:
        NotFound: no peers of that library.
    """
    path = Path(__file__).parent / "environments" / f"{library}.txt"
    if library not in LIBRARIES:
        raise NotFound(f"no peers of {library!r}", f"libraries are {', '.join(LIBRARIES)}")
    return path


def default_folder(library: str) -> Path:
    """Where its environment is kept; another list of packages has another folder."""
    digest = hashlib.sha256(requirements(library).read_bytes()).hexdigest()[:12]
    return platformdirs.user_cache_path("palate") / "peers" / f"{library}-{digest}"


def python_of(folder: Path) -> Path | None:
    """The interpreter of a complete environment, or ``None``."""
    return _interpreter(folder) if (folder / _STAMP).exists() else None


def ensure_environment(library: str, progress: Progress, folder: Path | None = None) -> Path:
    """The interpreter of the library's environment, which is made on the first call.

    Args:
        library: one of ``LIBRARIES``.
        progress: sees one stage where there is something to make.
        folder: of the environment; ``None`` is ``default_folder``.

    Raises:
        NotFound: no such library, or no ``uv`` to make the environment with.
        InvalidInput: the packages cannot be installed; the message ends with what uv said.
    """
    folder = folder or default_folder(library)
    packages = requirements(library)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two benchmarks at once: the second one waits and finds it made.
    with FileLock(folder.with_name(folder.name + ".lock")):
        if python_of(folder) is None:
            progress.start(f"making the environment of {library}", None)
            _make(library, folder, packages)
            (folder / _STAMP).touch()
    return _interpreter(folder)


def _make(library: str, folder: Path, packages: Path) -> None:
    uv = _uv()
    _call(library, [uv, "venv", "--clear", "--no-python-downloads", "--python", _PYTHONS, folder])
    install: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--python",
        _interpreter(folder),
        "--no-deps",
    ]
    _call(library, [*install, *_where_torch_is(), "--requirements", packages])


def _uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise NotFound("no uv to make an environment with", "run: pip install uv")
    return found


def _where_torch_is() -> list[str]:
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.find-links"],
        capture_output=True,
        text=True,
        check=False,
    )
    folders = [*told.stdout.split(), *os.environ.get("PIP_FIND_LINKS", "").split()]
    options = [option for folder in folders for option in ("--find-links", folder)]
    wheels = [Path(one.removeprefix("file://")) for one in folders]
    if any(any(wheel.glob("torch-*+cpu-*.whl")) for wheel in wheels):
        return options
    return [*options, "--torch-backend", "cpu"]


def _interpreter(folder: Path) -> Path:
    return folder / "bin" / "python"


def _call(library: str, command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
        raise InvalidInput(
            f"the environment of {library} cannot be made:\n{said}",
            "look at eval/bench/peers/environments/, or go on without this library's peers",
        )
