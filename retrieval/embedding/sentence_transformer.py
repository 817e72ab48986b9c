"""``Embedder`` over sentence-transformers; the only importer of it and of torch for embedding.

Importing this file takes seconds: ``retrieval.embedding.load`` does it on first use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import InputModule

from retrieval.errors import ModelOutputError, ModelUnavailable
from retrieval.ports import Vectors

MAX_CHARACTERS = 8_000
"""Longer texts are cut at the last white space before; models read far less anyway."""

_BATCH = 64
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "*.npz", "*.onnx")


class SentenceTransformerEmbedder:
    """Implements ``retrieval.ports.Embedder``. Safe to share between threads.

    The same call gives the same vectors. A text embedded beside other texts may differ in the
    last bits (about 1e-6), as every matrix product does.
    """

    def __init__(self, model: SentenceTransformer, embedder_id: str) -> None:
        """Take a loaded model; ``embedder_id`` must change whenever its vectors would."""
        self._model = model
        self._embedder_id = embedder_id
        self._lock = Lock()
        self._dimension = int(self._encode(["dimension"]).shape[1])

    @classmethod
    def load(cls, name: str) -> SentenceTransformerEmbedder:
        """Load a folder, or a model from the hub's cache or the hub.

        Raises:
            ModelUnavailable: it is not there, cannot be fetched, or is no such model.
        """
        try:
            model = SentenceTransformer(name)
        except (OSError, ValueError, ImportError, RuntimeError, KeyError, TypeError) as error:
            raise ModelUnavailable(
                f"embed.model = {name!r} cannot be loaded: {_first_line(error)}",
                "give a sentence-transformers folder, a hub name that can be reached, "
                "or use-multilingual-v3, which is bundled",
            ) from error
        return cls(model, f"{name}@{_revision(name, model)}")

    @classmethod
    def around(
        cls, encode: Callable[[Sequence[str]], Vectors], embedder_id: str
    ) -> SentenceTransformerEmbedder:
        """Wrap any function from texts to vectors as a sentence-transformers module."""
        return cls(SentenceTransformer(modules=[_Encoder(encode)], device="cpu"), embedder_id)

    @property
    def embedder_id(self) -> str:
        """Name and revision, e.g. ``use-multilingual-v3@0db566fd0af8``."""
        return self._embedder_id

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._dimension

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 of shape (len(texts), dimension), rows of norm 1; shape (0, d) for no text.

        Raises:
            ModelUnavailable: the model failed, e.g. for lack of memory.
            ModelOutputError: a vector is zero or not finite.
        """
        vectors = np.empty((len(texts), self._dimension), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            batch = [_shortened(text) for text in texts[start : start + _BATCH]]
            vectors[start : start + len(batch)] = self._encode(batch)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
        if bad.size:
            raise ModelOutputError(
                f"{self._embedder_id} gives no usable vector for {texts[bad[0]][:60]!r}",
                "use another embed.model",
            )
        vectors /= norms
        return vectors

    def _encode(self, texts: list[str]) -> Vectors:
        try:
            # One batch at a time: a query waits for one batch of a long build, not for all.
            with self._lock:
                vectors = self._model.encode(
                    texts, batch_size=_BATCH, convert_to_numpy=True, show_progress_bar=False
                )
        except (RuntimeError, ValueError, IndexError, TypeError, MemoryError) as error:
            raise ModelUnavailable(
                f"{self._embedder_id} failed on {len(texts)} texts: {_first_line(error)}",
                "free memory or use a smaller embed.model",
            ) from error
        return np.asarray(vectors, dtype=np.float32)


class _Encoder(InputModule):
    """A function from texts to vectors, in the clothes of a sentence-transformers module."""

    def __init__(self, encode: Callable[[Sequence[str]], Vectors]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # theirs has no annotations
        self._encode = encode

    def preprocess(
        self, inputs: Sequence[Any], prompt: str | None = None, **_: Any
    ) -> dict[str, Any]:
        return {"texts": self._prepend_prompt(list(inputs), prompt or "")}

    def forward(self, features: dict[str, Any], **_: Any) -> dict[str, Any]:
        vectors = self._encode(features["texts"])
        return features | {"sentence_embedding": torch.from_numpy(vectors)}

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        raise NotImplementedError(f"a wrapped function cannot be saved to {output_path}")


def _shortened(text: str) -> str:
    # Half surrogate pairs have no UTF-8 form, and tokenizers want UTF-8.
    text = text[: MAX_CHARACTERS + 1].encode("utf-8", "replace").decode("utf-8")
    if len(text) <= MAX_CHARACTERS:
        return text
    cut = text[:MAX_CHARACTERS].rsplit(None, 1)
    # Chinese has no spaces: cutting at the only one near the start would throw all away.
    return cut[0] if len(cut[0]) > MAX_CHARACTERS // 2 else text[:MAX_CHARACTERS]


def _revision(name: str, model: SentenceTransformer) -> str:
    """A folder's revision is a digest over its weights; a hub model's is its commit."""
    folder = Path(name)
    if folder.is_dir():
        digest = hashlib.sha256()
        for path in sorted(p for pattern in _WEIGHTS for p in folder.rglob(pattern)):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:12]
    config = getattr(model.transformers_model, "config", None)
    return str(getattr(config, "_commit_hash", None) or "unknown")[:12]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
