"""Which embedder a name means, and what happens when it is not there."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from retrieval.embedding import universal
from retrieval.embedding.load import BUNDLED, load_embedder
from retrieval.embedding.sentence_transformer import (
    MAX_CHARACTERS,
    SentenceTransformerEmbedder,
    _shortened,
)
from retrieval.embedding.universal import PINNED_SHA256, UniversalEncoder, check_digest
from retrieval.errors import InvalidInput, ModelOutputError, ModelUnavailable
from retrieval.ports import Vectors


def test_the_bundled_embedder_reads_english_and_chinese() -> None:
    embedder = load_embedder(BUNDLED)
    assert (embedder.embedder_id, embedder.dimension) == (f"{BUNDLED}@0db566fd0af8", 512)
    english, chinese, other = embedder.embed(
        ["a warm acoustic guitar", "一把温暖的木吉他", "tax forms for 2019"]
    )
    assert float(english @ chinese) > 0.5
    assert float(english @ other) < 0.3


def test_importing_the_loader_imports_no_torch() -> None:
    code = "import sys, retrieval.embedding.load; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"embed\.model"):
        load_embedder(name)


@pytest.mark.parametrize("kind", ["absent", "empty folder", "a file", "broken config"])
def test_what_is_no_model_is_unavailable(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "model"
    if kind == "empty folder":
        place.mkdir()
    elif kind == "a file":
        place.write_text("hello", encoding="utf-8")
    elif kind == "broken config":
        place.mkdir()
        (place / "modules.json").write_text("{not json", encoding="utf-8")
    with pytest.raises(ModelUnavailable, match="cannot be loaded") as unavailable:
        load_embedder(str(place))
    assert BUNDLED in unavailable.value.hint


def test_other_weights_than_the_pinned_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(b"something else")
    with pytest.raises(ModelUnavailable, match=r"has sha256 [0-9a-f]{64}, expected 0db566"):
        check_digest(path, PINNED_SHA256["weights.npz"])
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        check_digest(tmp_path / "absent", PINNED_SHA256["weights.npz"])


def test_weights_are_hashed_again_only_when_the_file_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.npz"
    shutil.copy(universal._resources() / "sp.model", path)
    check_digest(path, PINNED_SHA256["sp.model"])
    with monkeypatch.context() as patched:
        patched.setattr(universal.hashlib, "file_digest", None)
        check_digest(path, PINNED_SHA256["sp.model"])
    path.write_bytes(b"changed")
    with pytest.raises(ModelUnavailable):
        check_digest(path, PINNED_SHA256["sp.model"])


def test_a_missing_package_comes_with_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(universal, "find_spec", lambda _: None)
    with pytest.raises(ModelUnavailable) as unavailable:
        UniversalEncoder()
    assert "pip install" in unavailable.value.hint


def test_long_texts_are_cut_between_words() -> None:
    assert _shortened("short") == "short"
    cut = _shortened("word " * MAX_CHARACTERS)
    assert cut.endswith("word")
    assert MAX_CHARACTERS - 10 < len(cut) <= MAX_CHARACTERS
    assert len(_shortened("first " + "长" * MAX_CHARACTERS)) == MAX_CHARACTERS


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_vector_that_cannot_be_scaled_to_one_is_an_error(value: float) -> None:
    def encode(texts: object) -> Vectors:
        return np.full((len(list(texts)), 3), value, dtype=np.float32)  # type: ignore[call-overload]

    embedder = SentenceTransformerEmbedder.around(encode, "broken@1")
    with pytest.raises(ModelOutputError, match="'hello'"):
        embedder.embed(["hello"])


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, MemoryError, IndexError])
def test_a_model_that_fails_is_unavailable(kind: type[Exception]) -> None:
    calls: list[int] = []

    def encode(texts: object) -> Vectors:
        calls.append(1)
        if len(calls) > 1:
            raise kind("no memory\nleft")
        return np.ones((1, 3), dtype=np.float32)

    embedder = SentenceTransformerEmbedder.around(encode, "frail@1")
    with pytest.raises(ModelUnavailable, match="frail@1 failed on 1 texts: no memory"):
        embedder.embed(["hello"])
