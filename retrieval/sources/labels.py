"""The text on labels, read by RapidOCR (PP-OCRv6, English and Chinese).

The models ship inside the package and are named by path: given a path, RapidOCR never
looks for a download. Its drawing helper, which would fetch fonts, is not used.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.errors import PalateError
from retrieval.sources.images import Picture, Pixels
from retrieval.sources.tagger import MEDIA_HINT

_MODELS = {
    "Det.model_path": "PP-OCRv6_det_small.onnx",
    "Cls.model_path": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec.model_path": "PP-OCRv6_rec_small.onnx",
}


# The detector enlarges the shorter side to 736 pixels and the longer one with it: a strip of
# 1280 x 1 pixels would grow to a million pixels in width and take all memory.
_LEAST_SIDE = 16
_MOST_ASPECT = 4.0


@dataclass(frozen=True, slots=True)
class LabelLine:
    """One line of text as read, with the reader's confidence in [0, 1]."""

    text: str
    confidence: float


class LabelReader:
    """Reads label text; about a second a picture on two cores.

    Raises:
        PalateError: the optional package or one of its models is missing; the hint holds
            the install line.
    """

    def __init__(self) -> None:
        try:
            package = importlib.import_module("rapidocr")
        except ImportError as error:
            raise PalateError(
                "reading label text needs the package rapidocr", MEDIA_HINT
            ) from error
        folder = Path(str(package.__file__)).parent / "models"
        for name in _MODELS.values():
            if not (folder / name).is_file():
                raise PalateError(
                    f"rapidocr came without its model {name}", f"{MEDIA_HINT} --force-reinstall"
                )
        paths = {key: str(folder / name) for key, name in _MODELS.items()}
        self._engine: Any = package.RapidOCR(params={"Global.log_level": "error", **paths})
        self.version = importlib.metadata.version("rapidocr")

    def lines(self, picture: Picture, *, least: float = 0.0) -> list[LabelLine]:
        """Lines of at least confidence ``least``, top to bottom; empty when there is no text.

        A picture under ``_LEAST_SIDE`` pixels on its shorter side has no legible text.
        """
        if min(picture.pixels.shape[:2]) < _LEAST_SIDE:
            return []
        # The engine expects OpenCV's channel order.
        result = self._engine(_less_narrow(picture.pixels)[:, :, ::-1].copy())
        texts, scores = getattr(result, "txts", None), getattr(result, "scores", None)
        if not texts or not scores:
            return []
        read = [
            LabelLine(" ".join(str(text).split()), float(score))
            for text, score in zip(texts, scores, strict=True)
        ]
        return [line for line in read if line.text and line.confidence >= least]


def _less_narrow(pixels: Pixels) -> Pixels:
    """White below or to the right until no side is over ``_MOST_ASPECT`` times the other."""
    height, width = pixels.shape[:2]
    least = math.ceil(max(height, width) / _MOST_ASPECT)
    padding = ((0, max(0, least - height)), (0, max(0, least - width)), (0, 0))
    return np.pad(pixels, padding, constant_values=255)
