"""Dominant colours of a picture, named.

Distances are Euclidean in OKLab (B. Ottosson, 2020), where equal steps look about
equally large. A near-uniform background is not a colour of the thing shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.sources.images import Pixels

PALETTE: tuple[tuple[str, str, int], ...] = (
    ("black", "黑色", 0x17171A),
    ("charcoal", "炭灰", 0x45464B),
    ("grey", "灰色", 0x8C8D92),
    ("light grey", "浅灰", 0xC9CBCE),
    ("white", "白色", 0xFAFAFA),
    ("cream", "米色", 0xF3E9CF),
    ("beige", "浅棕", 0xD4BC94),
    ("brown", "棕色", 0x80542F),
    ("dark brown", "深棕", 0x432818),
    ("copper", "铜色", 0xB8733A),
    ("red", "红色", 0xD22B2B),
    ("dark red", "深红", 0x7B1E24),
    ("orange", "橙色", 0xEE8026),
    ("gold", "金色", 0xCFA32B),
    ("yellow", "黄色", 0xF7DC3A),
    ("light green", "浅绿", 0xA6D48A),
    ("green", "绿色", 0x3E9B4B),
    ("dark green", "深绿", 0x1E4D2F),
    ("olive", "橄榄绿", 0x7A7B34),
    ("turquoise", "青绿", 0x38B5AD),
    ("light blue", "浅蓝", 0x9CCBEA),
    ("blue", "蓝色", 0x2F6FC6),
    ("navy", "藏青", 0x1C2A55),
    ("purple", "紫色", 0x73439A),
    ("lavender", "淡紫", 0xC3AEE0),
    ("pink", "粉色", 0xEFA3BE),
    ("magenta", "洋红", 0xC2307F),
)

BACKGROUND_SHARE = 0.6
BACKGROUND_DISTANCE = 0.05
SMALLEST_SUBJECT = 0.02


@dataclass(frozen=True, slots=True)
class Colour:
    """A named colour and its share of the thing shown, in (0, 1]."""

    name: str
    name_zh: str
    share: float


def dominant_colours(pixels: Pixels, *, most: int = 3, least_share: float = 0.12) -> list[Colour]:
    """The colours that cover at least ``least_share`` of the subject, largest first.

    Args:
        pixels: uint8 of shape (height, width, 3), RGB.
        most: how many at most.
        least_share: smaller ones are left out; empty when none reaches it.
    """
    step = max(1, int(max(pixels.shape[:2]) / 160))
    lab = _oklab(pixels[::step, ::step])
    subject = _without_background(lab)
    names = np.argmin(((subject[:, None, :] - _PALETTE_LAB[None, :, :]) ** 2).sum(axis=2), axis=1)
    shares = np.bincount(names, minlength=len(PALETTE)) / len(subject)
    order = np.argsort(-shares, kind="stable")[:most]
    return [
        Colour(PALETTE[index][0], PALETTE[index][1], float(shares[index]))
        for index in order
        if shares[index] >= least_share
    ]


def _without_background(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    everything = lab.reshape(-1, 3)
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    centre = np.median(border, axis=0)
    near = np.linalg.norm(border - centre, axis=1) < BACKGROUND_DISTANCE
    if near.mean() < BACKGROUND_SHARE:
        return everything
    subject = everything[np.linalg.norm(everything - centre, axis=1) >= BACKGROUND_DISTANCE]
    if len(subject) < SMALLEST_SUBJECT * len(everything):
        return everything
    return np.asarray(subject, dtype=np.float64)


def _oklab(pixels: Pixels) -> NDArray[np.float64]:
    srgb = pixels.astype(np.float64) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    lab: NDArray[np.float64] = np.cbrt(linear @ _TO_LMS.T) @ _TO_LAB.T
    return lab


_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_PALETTE_LAB = _oklab(
    np.array(
        [[value >> 16, value >> 8 & 255, value & 255] for _, _, value in PALETTE], dtype=np.uint8
    )
)
