"""Pictures: the good ones come out upright, RGB and small; the bad ones say what is wrong."""

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retrieval.errors import InvalidInput, NotFound
from retrieval.sources import images
from retrieval.sources.images import WORKING_SIDE, open_picture, picture_hash

RED, BLUE = (210, 40, 40), (40, 60, 200)


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def halves(width: int, height: int) -> Image.Image:
    """Left red, right blue."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    return image


def png_header(width: int, height: int) -> bytes:
    """A PNG that only claims its size: what a decompression bomb starts with."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def test_a_plain_picture_is_read_as_rgb_with_size_format_and_hash(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", halves(60, 40))
    picture = open_picture(path)
    assert (picture.width, picture.height, picture.format, picture.frames) == (60, 40, "PNG", 1)
    assert picture.pixels.shape == (40, 60, 3)
    assert picture.pixels.dtype == np.uint8
    assert tuple(picture.pixels[20, 5]) == RED
    assert tuple(picture.pixels[20, 55]) == BLUE
    assert picture.sha256 == picture_hash(path)


def test_a_large_picture_is_made_small_and_remembers_its_size(tmp_path: Path) -> None:
    path = saved(tmp_path / "large.jpg", halves(4000, 1000))
    picture = open_picture(path)
    assert (picture.width, picture.height) == (4000, 1000)
    assert max(picture.pixels.shape) <= WORKING_SIDE


@pytest.mark.parametrize("side", [400, 3000])
def test_exif_orientation_is_applied(tmp_path: Path, side: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to show
    path = saved(tmp_path / "turned.jpg", halves(side, side // 2), exif=exif, quality=95)
    picture = open_picture(path)
    assert (picture.width, picture.height) == (side // 2, side)
    height, width, _ = picture.pixels.shape
    assert height > width
    assert np.abs(picture.pixels[5, width // 2].astype(int) - RED).max() < 40
    assert np.abs(picture.pixels[-5, width // 2].astype(int) - BLUE).max() < 40


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16"])
def test_every_colour_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        values = np.linspace(0, 65535, 40 * 30).reshape(30, 40).astype(np.uint16)
        image = Image.fromarray(values)
    else:
        image = halves(40, 30).convert(mode)
    name = "m.tif" if mode in ("CMYK", "YCbCr", "I") else "m.png"
    picture = open_picture(saved(tmp_path / name, image))
    assert picture.pixels.shape == (30, 40, 3)
    assert picture.pixels.std() > 5


def test_see_through_parts_become_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    palette = Image.new("P", (20, 20), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    for path in (
        saved(tmp_path / "rgba.png", image),
        saved(tmp_path / "palette.gif", palette, transparency=0),
    ):
        assert (open_picture(path).pixels == 255).all()


def test_of_an_animation_the_first_frame_is_read(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (30, 30), RED), Image.new("RGB", (30, 30), BLUE)
    path = saved(tmp_path / "moving.gif", first, save_all=True, append_images=[second, second])
    picture = open_picture(path)
    assert picture.frames > 1
    assert np.abs(picture.pixels[15, 15].astype(int) - RED).max() < 20


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    for width, height in ((30_000, 30_000), (9_000, 9_000)):
        path = tmp_path / f"bomb{width}.png"
        path.write_bytes(png_header(width, height))
        with pytest.raises(InvalidInput, match=rf"bomb{width}\.png") as caught:
            open_picture(path)
        assert "50 million pixels" in caught.value.hint


def test_a_truncated_picture_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    for suffix in ("png", "jpg", "gif", "webp", "tif", "bmp"):
        whole = saved(tmp_path / f"whole.{suffix}", Image.fromarray(noise)).read_bytes()
        path = tmp_path / f"cut.{suffix}"
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InvalidInput, match=rf"cut\.{suffix}"):
            open_picture(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"just some text, no picture", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "not a picture|damaged"),
        ("一段文字".encode(), "not a picture"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "label 1.png"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=message) as caught:
        open_picture(path)
    assert "label 1.png" in caught.value.message
    assert caught.value.hint


def test_containers_beyond_the_short_list_are_refused(tmp_path: Path) -> None:
    for name in ("a.ico", "a.ppm", "a.pdf", "a.eps"):
        path = saved(tmp_path / name, halves(32, 32))
        with pytest.raises(InvalidInput, match="not a picture"):
            open_picture(path)


def test_a_file_too_large_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", 100)
    path = tmp_path / "fat.png"
    path.write_bytes(b"x" * 101)
    with pytest.raises(InvalidInput, match="101 bytes is more than the 100 allowed"):
        picture_hash(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="absent"):
        open_picture(tmp_path / "absent.png")
    with pytest.raises(InvalidInput, match="cannot be read"):
        open_picture(tmp_path)


def test_square_is_the_centre_of_the_picture(tmp_path: Path) -> None:
    square = open_picture(saved(tmp_path / "a.png", halves(300, 100))).square(64)
    assert square.shape == (64, 64, 3)
    assert np.abs(square[32, 10].astype(int) - RED).max() < 5
    assert np.abs(square[32, 54].astype(int) - BLUE).max() < 5


@given(st.binary(max_size=300), st.sampled_from([0, 8, 16, 40, 120]))
def test_damaged_bytes_never_escape_as_anything_but_invalid_input(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int
) -> None:
    buffer = io.BytesIO()
    halves(24, 24).save(buffer, "PNG")
    data = buffer.getvalue()
    path = tmp_path_factory.mktemp("fuzz") / "f.png"
    path.write_bytes(data[:at] + noise + data[at + len(noise) :])
    with contextlib.suppress(InvalidInput):
        assert open_picture(path).pixels.ndim == 3
