"""Environments of peers: one a library, made once."""

import re
from pathlib import Path

import pytest

from eval.bench.peers import environment
from eval.bench.peers.environment import (
    LIBRARIES,
    default_folder,
    ensure_environment,
    python_of,
    requirements,
)
from eval.bench.peers.runner import SYSTEMS
from retrieval.errors import InvalidInput, NotFound


class Quiet:
    """Counts the stages."""

    stages = 0

    def start(self, stage: str, total: int | None) -> None:
        self.stages += 1

    def advance(self, n: int = 1) -> None:
        """Quiet."""

    def note(self, text: str) -> None:
        """Quiet."""


@pytest.fixture
def fake_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Writes down how it was called; fails when a file ``broken`` lies beside it."""
    uv = tmp_path / "uv"
    uv.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n'
        f"if [ -e {tmp_path}/broken ]; then echo 'no such wheel' >&2; exit 1; fi\n"
    )
    uv.chmod(0o755)
    monkeypatch.setattr(environment, "_uv", lambda: str(uv))
    return tmp_path


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_package_is_pinned_and_torch_is_never_a_cuda_build(library: str) -> None:
    lines = [
        line for line in requirements(library).read_text().splitlines() if not line.startswith("#")
    ]
    assert all(re.match(r"[a-z0-9-]+==\S+( ; .+)?$", line) for line in lines)
    assert any(line.startswith(f"{library}==") for line in lines)
    assert any(line.startswith("optuna==") for line in lines)
    for line in lines:
        assert not line.startswith(("nvidia", "triton"))
        if line.startswith("torch=="):
            assert "+cpu" in line or "sys_platform != 'linux'" in line


def test_every_system_has_a_library_with_an_environment() -> None:
    assert set(SYSTEMS.values()) == set(LIBRARIES)


def test_an_environment_is_made_once(fake_uv: Path) -> None:
    folder, progress = fake_uv / "made", Quiet()
    folder.mkdir()
    assert python_of(folder) is None
    python = ensure_environment("implicit", progress, folder)
    assert python == python_of(folder) == ensure_environment("implicit", progress, folder)
    assert progress.stages == 1
    venv, install = calls(fake_uv)
    assert venv.startswith("venv --clear")
    assert "--no-deps" in install
    assert str(requirements("implicit")) in install


def test_what_uv_said_is_told_and_the_next_call_tries_again(fake_uv: Path) -> None:
    folder = fake_uv / "made"
    folder.mkdir()
    (fake_uv / "broken").touch()
    with pytest.raises(InvalidInput, match=r"(?s)environment of cornac.*no such wheel"):
        ensure_environment("cornac", Quiet(), folder)
    (fake_uv / "broken").unlink()
    ensure_environment("cornac", Quiet(), folder)
    assert len(calls(fake_uv)) == 3


def test_another_list_of_packages_has_another_folder_and_strangers_have_none() -> None:
    assert len({default_folder(library) for library in LIBRARIES}) == 3
    with pytest.raises(NotFound, match="no peers of 'surprise'"):
        default_folder("surprise")
