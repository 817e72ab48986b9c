"""Which embedder a name means. Importing this file is cheap; torch is imported on first use."""

from __future__ import annotations

from retrieval.errors import InvalidInput
from retrieval.ports import Embedder

BUNDLED = "use-multilingual-v3"


def load_embedder(name: str) -> Embedder:
    """The embedder called ``name``, ready to use.

    Args:
        name: ``use-multilingual-v3`` (a bundled package: English, Chinese and fourteen more
            languages, 512 dimensions, no download), or the path of a sentence-transformers
            folder, or the name of such a model on a hub.

    Raises:
        InvalidInput: the name is empty.
        ModelUnavailable: it cannot be loaded, or its weights are not the pinned ones.
    """
    if not name.strip():
        raise InvalidInput("embed.model is empty", f"the bundled embedder is {BUNDLED}")
    from retrieval.embedding.sentence_transformer import SentenceTransformerEmbedder

    if name == BUNDLED:
        from retrieval.embedding.universal import UniversalEncoder

        encoder = UniversalEncoder()
        return SentenceTransformerEmbedder.around(
            encoder.encode, f"{BUNDLED}@{encoder.revision[:12]}"
        )
    return SentenceTransformerEmbedder.load(name)
