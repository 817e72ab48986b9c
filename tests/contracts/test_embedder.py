"""What every Embedder does."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from retrieval.embedding.load import BUNDLED, load_embedder
from retrieval.ports import Embedder

TEXTS = ["a warm acoustic guitar", "一把温暖的木吉他", "tax forms for 2019", "", " \n", "😀"]


@pytest.fixture(scope="module", params=["bundled", "tiny transformer"])
def embedder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Embedder]:
    if request.param == "bundled":
        yield load_embedder(BUNDLED)
    else:
        yield load_embedder(str(make_tiny_model(tmp_path_factory.mktemp("model") / "tiny")))


def make_tiny_model(folder: Path) -> Path:
    """A BERT with random weights and a vocabulary of characters: real files, no download."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling
    from transformers import BertConfig, BertModel, BertTokenizerFast

    inner = folder.parent / "bert"
    inner.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *map(chr, range(97, 123))]
    vocabulary += [f"##{letter}" for letter in map(chr, range(97, 123))]
    (inner / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast(vocab=str(inner / "vocab.txt")).save_pretrained(inner)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(inner)
    words = Transformer(str(inner))
    model = SentenceTransformer(modules=[words, Pooling(32, "mean")], device="cpu")
    model.save(str(folder), create_model_card=False)
    return folder


def test_vectors_are_unit_rows_of_float32(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_no_text_gives_no_row(embedder: Embedder) -> None:
    empty = embedder.embed([])
    assert empty.shape == (0, embedder.dimension)
    assert empty.dtype == np.float32


def test_the_same_call_gives_the_same_vectors(embedder: Embedder) -> None:
    np.testing.assert_array_equal(embedder.embed(TEXTS), embedder.embed(TEXTS))


def test_neighbours_in_the_list_change_nothing_that_matters(embedder: Embedder) -> None:
    many = [f"text number {number}" for number in range(150)] + TEXTS
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    np.testing.assert_allclose(embedder.embed(many)[-len(TEXTS) :], alone, atol=1e-5)


def test_long_and_broken_texts_do_no_harm(embedder: Embedder) -> None:
    odd = ["word " * 50_000, "长" * 100_000, "half \ud83d pair", "nul \x00 inside"]
    assert np.isfinite(embedder.embed(odd)).all()


def test_the_id_names_model_and_revision(embedder: Embedder) -> None:
    name, _, revision = embedder.embedder_id.rpartition("@")
    assert name
    assert len(revision) == 12


def test_threads_may_share_an_embedder(embedder: Embedder) -> None:
    expected = embedder.embed(TEXTS)
    found: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: found.append(embedder.embed(TEXTS))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for vectors in found:
        np.testing.assert_array_equal(vectors, expected)
