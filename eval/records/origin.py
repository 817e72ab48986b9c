"""Where a run came from: the commit of the checkout and the versions of what it ran on."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = (
    "implicit",
    "numpy",
    "openai",
    "pyarrow",
    "scipy",
    "sentence-transformers",
    "statsmodels",
    "vllm",
)
"""Those whose version can change a figure."""


def commit() -> str:
    """The checkout's commit, with ``-dirty`` when a tracked file differs; "" outside one."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:  # a machine without git runs evaluations as well
        return ""
    return done.stdout.strip()


def versions(libraries: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Version of Palate, of Python and of each library; those not installed are left out."""
    found = {"palate": version("palate"), "python": platform.python_version()}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
