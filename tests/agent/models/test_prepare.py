"""Conversion: all or nothing, in a process of its own."""

import signal
import sys
from pathlib import Path

import pytest

from agent.models import convert, machine
from agent.models import prepare as preparing
from agent.models.prepare import prepare, prepared_path
from agent.models.registry import ModelEntry
from retrieval.errors import ModelUnavailable

GOOD = """
import sys
from pathlib import Path
print("Converting:  50%|#####     | 1/2\\rConverting: 100%|##########| 2/2", file=sys.stderr)
folder = Path(sys.argv[2])
folder.mkdir()
(folder / "config.json").write_text("{}")
(folder / "model.safetensors").write_bytes(Path(sys.argv[1]).read_bytes()[:10])
"""


@pytest.fixture
def gguf(entry: ModelEntry, weights: bytes, tmp_path: Path) -> ModelEntry:
    local = tmp_path / "cache" / "local" / "toy.pth"
    local.parent.mkdir(parents=True)
    local.write_bytes(weights)
    return entry.model_copy(update={"format": "gguf", "role": "llm", "weight_parameters": 1000})


@pytest.fixture
def converter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Replaces the program that converts; the process around it is the real one."""

    def use(program: str) -> None:
        path = tmp_path / "converter.py"
        path.write_text(program)
        monkeypatch.setattr(
            preparing,
            "_converter",
            lambda file, to: [sys.executable, str(path), str(file), str(to)],
        )

    return use


def test_a_language_model_becomes_a_folder_and_only_once(
    gguf: ModelEntry, converter, tmp_path: Path, told
) -> None:
    converter(GOOD)
    folder = prepare(gguf, tmp_path / "cache", told)
    assert folder.is_absolute()
    assert {path.name for path in folder.iterdir()} >= {"config.json", "model.safetensors"}
    assert told.done == 100
    converter("raise SystemExit('must not run again')")
    assert (
        prepare(gguf, tmp_path / "cache", told) == folder == prepared_path(gguf, tmp_path / "cache")
    )


def test_a_damaged_folder_is_made_again(gguf: ModelEntry, converter, tmp_path: Path, told) -> None:
    converter(GOOD)
    folder = prepare(gguf, tmp_path / "cache", told)
    (folder / "model.safetensors").write_bytes(b"cut")
    assert prepared_path(gguf, tmp_path / "cache") is None
    prepare(gguf, tmp_path / "cache", told)
    assert (folder / "model.safetensors").stat().st_size == 10


def test_a_converter_that_fails_is_quoted_and_leaves_nothing(
    gguf: ModelEntry, converter, tmp_path: Path, told
) -> None:
    converter("import gguf_that_is_not_there")
    with pytest.raises(ModelUnavailable, match="gguf_that_is_not_there") as caught:
        prepare(gguf, tmp_path / "cache", told)
    assert "cpu extra" in caught.value.hint
    assert list((tmp_path / "cache" / "converted").iterdir()) == []
    converter(GOOD)
    assert prepare(gguf, tmp_path / "cache", told).is_dir()


def test_a_converter_that_is_killed_hints_at_memory(
    gguf: ModelEntry, converter, tmp_path: Path, told
) -> None:
    converter(f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})")
    with pytest.raises(ModelUnavailable, match="killed by signal 9") as caught:
        prepare(gguf, tmp_path / "cache", told)
    assert "memory" in caught.value.hint


def test_too_little_memory_is_said_with_both_numbers_before_anything_runs(
    gguf: ModelEntry, converter, tmp_path: Path, told, monkeypatch: pytest.MonkeyPatch
) -> None:
    converter("raise SystemExit('must not run')")
    monkeypatch.setattr(machine, "available_memory", lambda: machine.GIB)
    large = gguf.model_copy(update={"weight_parameters": 2_000_000_000})
    monkeypatch.setattr(preparing.shutil, "disk_usage", lambda path: Disk())
    with pytest.raises(ModelUnavailable, match=r"needs about 6\.5 GiB .* 1\.0 GiB are free"):
        prepare(large, tmp_path / "cache", told)


class Disk:
    free = 1 << 50


def test_the_real_converter_is_named_by_its_module() -> None:
    assert preparing._converter(Path("a.gguf"), Path("b"))[1:3] == ["-m", convert.__name__]
