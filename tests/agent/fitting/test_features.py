"""Item vectors: computed once for each content, never while serving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.fitting import vector_files
from agent.fitting.features import features_from, item_features
from agent.stores import Stores
from retrieval.errors import InvalidInput, ModelUnavailable
from retrieval.sources.images import Picture
from retrieval.types import Item
from tests.agent.fitting.fitted_shop import Quiet


def items_of(stores: Stores) -> list[Item]:
    return list(stores.catalog.items())


class Colours:
    """In place of the network: the mean colour of a picture."""

    digest = "colours"

    def __init__(self) -> None:
        self.seen = 0

    def vector(self, picture: Picture) -> np.ndarray:
        self.seen += 1
        vector = np.zeros(1280, dtype=np.float32)
        vector[:3] = picture.pixels.mean(axis=(0, 1))
        return vector / np.linalg.norm(vector)


def test_only_new_and_changed_items_are_embedded_again(stores: Stores, embedded: list[str]) -> None:
    progress = Quiet()
    first = item_features(stores, items_of(stores), pictures=None, progress=progress)
    assert first.features.text is not None
    assert first.features.text.shape == (12, 64)
    assert first.computed == len(embedded) == 12
    assert progress.stages == [("reading the items' words", 12)]
    embedded.clear()
    again = item_features(stores, items_of(stores), pictures=None, progress=progress)
    assert (again.computed, embedded) == (0, [])
    np.testing.assert_array_equal(again.features.text, first.features.text)
    stores.catalog.upsert_items([Item("a0", "Whisk"), Item("m2", "Crystal mug", {"price": 11.0})])
    third = item_features(stores, items_of(stores), pictures=None, progress=progress)
    assert third.computed == 2
    assert embedded == ["Whisk", "Crystal mug\n11"]
    assert third.features_id == first.features_id


def test_profiles_and_reviews_do_not_take_part(stores: Stores, embedded: list[str]) -> None:
    item_features(stores, items_of(stores), pictures=None, progress=Quiet())
    assert not any("quiet" in text or "noise" in text for text in embedded)


def test_serving_finds_the_rows_by_id_and_embeds_nothing(
    stores: Stores, embedded: list[str]
) -> None:
    made = item_features(stores, items_of(stores), pictures=None, progress=Quiet())
    embedded.clear()
    home = stores.settings.store.home
    found = features_from(home, made.features_id, ["t1", "nobody's", "g1"])
    assert made.features.text is not None
    assert found.text is not None
    ids = [item.item_id for item in items_of(stores)]
    np.testing.assert_array_equal(found.text[0], made.features.text[ids.index("t1")])
    np.testing.assert_array_equal(found.text[2], made.features.text[ids.index("g1")])
    assert not found.text[1].any()
    assert embedded == []


def test_an_item_without_words_gets_a_row_of_zeros(stores: Stores, embedded: list[str]) -> None:
    bare = [Item("x", ""), Item("y", "Kettle")]
    made = item_features(stores, bare, pictures=None, progress=Quiet())
    assert made.features.text is not None
    assert made.features.text.any(axis=1).tolist() == [False, True]
    assert item_features(stores, bare[:1], pictures=None, progress=Quiet()).features_id == ""
    assert embedded == ["Kettle"]


def test_a_run_that_dies_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_files, "_BATCH", 2)
    digests = {f"i{at}": f"{at + 1:064x}" for at in range(7)}
    asked: list[str] = []

    def compute(ids):  # type: ignore[no-untyped-def]
        if "i4" in ids and not asked.count("i2") > 1 and len(asked) == 4:
            raise ModelUnavailable("out of memory")
        asked.extend(ids)
        return np.ones((len(ids), 3), dtype=np.float32)

    def run() -> int:
        return vector_files.kept_vectors(
            tmp_path / "v.npz", digests, compute, dimension=3, stage="x", progress=Quiet()
        )[1]

    with pytest.raises(ModelUnavailable):
        run()
    assert asked == ["i0", "i1", "i2", "i3"]
    asked.clear()
    assert run() == 3
    assert asked == ["i4", "i5", "i6"]


def test_a_damaged_vector_file_is_made_again_and_refused_by_serving(stores: Stores) -> None:
    made = item_features(stores, items_of(stores), pictures=None, progress=Quiet())
    home = stores.settings.store.home
    path = home / "models" / f"{made.features_id}.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InvalidInput, match=path.name) as caught:
        features_from(home, made.features_id, ["t1"])
    assert caught.value.hint == "run palate fit again"
    progress = Quiet()
    again = item_features(stores, items_of(stores), pictures=None, progress=progress)
    assert again.computed == 12
    assert "cannot be read" in progress.notes[0]


def test_without_an_embedder_the_fit_goes_on_without_words(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModelUnavailable("no such model")

    monkeypatch.setattr("retrieval.embedding.load.load_embedder", missing)
    progress = Quiet()
    made = item_features(stores, items_of(stores), pictures=None, progress=progress)
    assert (made.features.text, made.features_id) == (None, "")
    assert progress.notes == ["The words of items do not take part: no such model."]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "data" / "images"
    images.mkdir(parents=True)
    for name, colour in {"red": (200, 0, 0), "blue": (0, 0, 200), "green": (0, 200, 0)}.items():
        Image.new("RGB", (40, 40), colour).save(images / f"{name}.png")
    (images / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (40, 40)).save(tmp_path / "secret.png")
    return tmp_path / "data"


PICTURED = [
    Item("none", "A"),
    Item("one", "B", media=("images/red.png",)),
    Item("two", "C", media=("images/red.png", "images/blue.png")),
    Item("broken", "D", media=("images/broken.png",)),
    Item("lost", "E", media=("images/lost.png",)),
    Item("outside", "F", media=("../secret.png",)),
]


def test_pictures_become_vectors_once(
    stores: Stores, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger = Colours()
    monkeypatch.setattr("agent.fitting.features.open_tagger", lambda *_: tagger)
    made = item_features(stores, PICTURED, pictures=folder, progress=Quiet())
    assert made.features.pictures is not None
    assert made.features.pictures.shape == (6, 1280)
    np.testing.assert_allclose(made.features.pictures[1, :3], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(made.features.pictures[2, :3], [0.5**0.5, 0, 0.5**0.5], atol=1e-6)
    assert made.features.pictures.any(axis=1).tolist() == [False, True, True, False, False, False]
    assert tagger.seen == 3
    item_features(stores, PICTURED, pictures=folder, progress=Quiet())
    assert tagger.seen == 3
    (folder / "images/red.png").write_bytes((folder / "images/green.png").read_bytes())
    item_features(stores, PICTURED[:2], pictures=folder, progress=Quiet())
    assert tagger.seen == 4
    home = stores.settings.store.home
    found = features_from(home, made.features_id, ["one"])
    assert found.text is not None
    assert found.pictures is not None
    np.testing.assert_allclose(found.pictures[0, :3], [0, 1, 0], atol=1e-6)


def test_without_the_extra_or_pictures_there_is_no_picture_source(
    stores: Stores, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Quiet()
    monkeypatch.setattr("agent.fitting.features.open_tagger", lambda *_: None)
    assert (
        item_features(stores, PICTURED, pictures=folder, progress=progress).features.pictures
        is None
    )
    for items in (PICTURED[:1], PICTURED[4:]):
        made = item_features(stores, items, pictures=folder, progress=progress)
        assert made.features.pictures is None
        assert "Pictures do not take part" in progress.notes[-1]
