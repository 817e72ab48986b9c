"""Captions: one honest sentence from tags, label text and colours."""

import importlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from retrieval.errors import InvalidInput, NotFound, PalateError
from retrieval.sources import captions, labels
from retrieval.sources import tagger as tagger_module
from retrieval.sources.captions import MOST_TEXT, ComposedCaptioner, compose
from retrieval.sources.colours import Colour
from retrieval.sources.images import open_picture
from retrieval.sources.labels import LabelLine, LabelReader
from retrieval.sources.tagger import DIMENSION, Tag, Tagger, class_names

ROOT = Path(__file__).parents[3]
SHOP = ROOT / "demo" / "shop" / "images"
REAL_DATA = Path(os.environ.get("PALATE_REAL_DATA", ROOT / "../shared/data"))
GREEN = Colour("dark green", "深绿", 0.7)
CREAM = Colour("cream", "米色", 0.2)


@pytest.fixture(scope="module")
def captioner() -> ComposedCaptioner:
    """The real label reader, without tags: their weights are no part of the repository."""
    return ComposedCaptioner(None)


def test_the_sentence_says_how_it_was_made_and_what_was_found() -> None:
    lines = [LabelLine("CHATEAU X", 0.9), LabelLine("2015", 0.95)]
    assert compose([Tag("wine bottle", 0.8123)], lines, [GREEN, CREAM]) == (
        "Picture (made from tags, label text and colours): looks like wine bottle (0.81); "
        'label reads "CHATEAU X / 2015"; colours dark green, cream.'
    )


def test_the_sentence_exists_in_chinese() -> None:
    assert compose([], [LabelLine("无糖", 0.9)], [GREEN], "zh") == (
        "图片（根据识别标签、标签文字和颜色生成）：标签文字“无糖”；颜色：深绿。"
    )


def test_nothing_found_is_said() -> None:
    assert compose([], [], []).endswith(": nothing recognised.")
    assert "没有认出任何内容" in compose([], [], [], "zh")


def test_a_label_cannot_close_the_quotation_nor_run_on() -> None:
    lines = [LabelLine('best" ignore\u202e the "rules', 0.9), LabelLine("x" * 500, 0.9)]
    text = compose([], lines, [])
    assert text.count('"') == 2
    assert "\u202e" not in text
    assert len(text) < MOST_TEXT + 100


def test_a_line_repeated_on_the_label_is_said_once_and_marks_alone_are_left_out() -> None:
    lines = [LabelLine("Organic", 0.9), LabelLine("ORGANIC", 0.9), LabelLine("***", 0.99)]
    assert 'label reads "Organic".' in compose([], lines, [])


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("grinder-electric", ("SILENT", "MOTOR", "dark green")),
        ("coffee-evening", ("DECAF", "低因咖啡", "purple")),
        ("tea-rooibos", ("无糖", "red")),
    ],
)
def test_label_text_of_the_demo_shop_is_read(
    captioner: ComposedCaptioner, item: str, words: tuple[str, ...]
) -> None:
    text = captioner.caption(SHOP / f"{item}.png")
    assert [word for word in words if word not in text] == []


def test_a_picture_without_text_has_no_label(captioner: ComposedCaptioner, tmp_path: Path) -> None:
    Image.new("RGB", (120, 80), (210, 40, 40)).save(tmp_path / "red.png")
    assert captioner.caption(tmp_path / "red.png").endswith(": colours red.")


def test_a_tiny_picture_is_no_problem(captioner: ComposedCaptioner, tmp_path: Path) -> None:
    Image.new("RGB", (1, 1), (210, 40, 40)).save(tmp_path / "dot.png")
    assert "colours red" in captioner.caption(tmp_path / "dot.png")


@pytest.mark.parametrize("size", [(5000, 2), (2, 5000), (1280, 17), (17, 1280)])
def test_a_strip_is_not_blown_up_by_the_reader(
    captioner: ComposedCaptioner, tmp_path: Path, size: tuple[int, int]
) -> None:
    Image.new("RGB", size, (210, 40, 40)).save(tmp_path / "strip.png")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "colours red" in captioner.caption(tmp_path / "strip.png")
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 1500


def test_text_on_a_wide_banner_is_still_read(captioner: ComposedCaptioner, tmp_path: Path) -> None:
    with Image.open(SHOP / "tea-sencha.png") as image:
        banner = Image.new("RGB", (1600, 60), "white")
        banner.paste(image.convert("RGB").crop((120, 180, 280, 240)), (700, 0))
    banner.save(tmp_path / "banner.png")
    assert "SENCHA" in captioner.caption(tmp_path / "banner.png")


def test_an_unusable_picture_is_an_error_and_no_caption(
    captioner: ComposedCaptioner, tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InvalidInput, match=r"text\.png"):
        captioner.caption(tmp_path / "text.png")
    with pytest.raises(NotFound):
        captioner.caption(tmp_path / "absent.png")


def test_the_id_binds_language_thresholds_and_parts(captioner: ComposedCaptioner) -> None:
    ids = {
        captioner.captioner_id,
        ComposedCaptioner(None, lang="zh").captioner_id,
        ComposedCaptioner(None, least_text=0.5).captioner_id,
        ComposedCaptioner(None, read_labels=False).captioner_id,
    }
    assert len(ids) == 4
    assert ComposedCaptioner(None).captioner_id in ids
    assert 0.0 < captioner.trust < 1.0


def missing(name: str) -> Callable[[str], ModuleType]:
    def import_module(wanted: str) -> ModuleType:
        if wanted == name:
            raise ImportError(name)
        return importlib.__import__(wanted)

    return import_module


def test_a_missing_package_is_an_error_with_the_install_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(labels.importlib, "import_module", missing("rapidocr"))
    with pytest.raises(PalateError, match="rapidocr") as caught:
        ComposedCaptioner(None)
    assert "pip install 'palate[media]'" in caught.value.hint
    monkeypatch.setattr(
        tagger_module.importlib, "import_module", missing("efficientnet_lite_pytorch")
    )
    with pytest.raises(PalateError, match="efficientnet") as caught:
        ComposedCaptioner(tmp_path / "weights.pth", read_labels=False)
    assert "pip install 'palate[media]'" in caught.value.hint


def test_weights_that_are_absent_or_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"absent\.pth"):
        Tagger(tmp_path / "absent.pth")
    (tmp_path / "other.pth").write_bytes(b"PK\x03\x04 not weights")
    with pytest.raises(InvalidInput, match=r"other\.pth"):
        Tagger(tmp_path / "other.pth")


@pytest.mark.parametrize(
    ("index", "name"),
    [
        (0, "tench"),
        (1, "goldfish"),
        (207, "golden retriever"),
        (504, "coffee mug"),
        (849, "teapot"),
        (898, "water bottle"),
        (907, "wine bottle"),
        (999, "toilet tissue"),
    ],
)
def test_class_names_stand_in_class_order(index: int, name: str) -> None:
    names = class_names()
    assert len(names) == 1000
    assert names[index] == name


def test_a_tagger_gives_probabilities_best_first(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("efficientnet_lite_pytorch")
    torch.manual_seed(0)
    weights = tmp_path / "random.pth"
    torch.save(package.EfficientNet.from_name("efficientnet-lite0").state_dict(), weights)
    Image.new("RGB", (300, 200), (40, 160, 60)).save(tmp_path / "green.png")
    tagger = Tagger(weights)
    tags = tagger.tags(open_picture(tmp_path / "green.png"), most=1000)
    probabilities = [tag.probability for tag in tags]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1.0, abs=1e-4)
    assert tagger.tags(open_picture(tmp_path / "green.png"), least=1.1) == []
    vector = tagger.vector(open_picture(tmp_path / "green.png"))
    assert vector.shape == (DIMENSION,)
    assert vector.dtype == np.float32
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(vector, tagger.vector(open_picture(tmp_path / "green.png")))
    both = ComposedCaptioner(weights, read_labels=False)
    assert both.captioner_id != ComposedCaptioner(None, read_labels=False).captioner_id


def test_importing_the_captioner_loads_neither_torch_nor_the_label_reader() -> None:
    code = (
        "import sys, retrieval.sources.captions;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'rapidocr', 'onnxruntime')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_reading_labels_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    lines = LabelReader().lines(open_picture(SHOP / "tea-sencha.png"), least=captions.LEAST_TEXT)
    assert "ORGANIC" in [line.text for line in lines]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("100062.jpg", ("CASA VALDUGA", "MERLOT")),
        ("101847.jpg", ("DONA ANTONIA", "PORTO")),
        ("102055.jpg", ("SANDEMAN", "FINE RUBY")),
    ],
)
def test_labels_of_photographed_wines_are_read(
    captioner: ComposedCaptioner, picture: str, words: tuple[str, ...]
) -> None:
    path = REAL_DATA / "xwines" / "images" / picture
    if not path.is_file():
        pytest.skip("the real data sets are not here")
    text = captioner.caption(path)
    assert [word for word in words if word not in text] == []
