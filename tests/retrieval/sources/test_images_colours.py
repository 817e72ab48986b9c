"""Dominant colours: the nearest name, its share, and no background."""

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.sources.colours import PALETTE, dominant_colours


def canvas(colour: int, side: int = 100) -> NDArray[np.uint8]:
    rgb = (colour >> 16, colour >> 8 & 255, colour & 255)
    return np.full((side, side, 3), rgb, dtype=np.uint8)


@pytest.mark.parametrize(("name", "name_zh", "value"), PALETTE)
def test_every_palette_colour_is_named_by_itself(name: str, name_zh: str, value: int) -> None:
    [colour] = dominant_colours(canvas(value))
    assert (colour.name, colour.name_zh, colour.share) == (name, name_zh, 1.0)


@pytest.mark.parametrize(
    ("value", "name"),
    [(0x145A32, "dark green"), (0xFFFDD0, "cream"), (0x0B1F4B, "navy"), (0xFF0000, "red")],
)
def test_near_colours_get_the_name_a_person_would_give(value: int, name: str) -> None:
    assert dominant_colours(canvas(value))[0].name == name


def test_a_uniform_background_is_no_colour_of_the_thing() -> None:
    pixels = canvas(0xF4F4F4)
    pixels[30:70, 30:70] = (0x1E, 0x4D, 0x2F)
    assert [colour.name for colour in dominant_colours(pixels)] == ["dark green"]
    assert dominant_colours(pixels)[0].share == pytest.approx(1.0)


def test_a_speck_on_the_background_does_not_hide_it() -> None:
    pixels = canvas(0xF4F4F4)
    pixels[50, 50] = (0, 0, 0)
    assert dominant_colours(pixels)[0].name == "white"


def test_shares_are_ordered_and_small_ones_left_out() -> None:
    pixels = canvas(0xD22B2B)
    pixels[:40] = (0x2F, 0x6F, 0xC6)
    pixels[40:45] = (0xF7, 0xDC, 0x3A)
    colours = dominant_colours(pixels)
    assert [colour.name for colour in colours] == ["red", "blue"]
    assert [round(colour.share, 2) for colour in colours] == [0.55, 0.4]


def test_a_single_pixel_has_a_colour() -> None:
    assert dominant_colours(canvas(0xD22B2B, side=1))[0].name == "red"
