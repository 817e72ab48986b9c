"""Pictures from strangers: opened safely, turned upright, stripped and made small.

The one door to Pillow. What comes out is plain NumPy, so nothing behind this module
can be reached by a crafted file: the container is one of a short list, the size is
checked before a pixel is decoded, and EXIF (orientation, place, camera) ends here.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from retrieval.errors import InvalidInput, NotFound

MAX_BYTES = 32 * 1024 * 1024
MAX_PIXELS = 50_000_000
WORKING_SIDE = 1280
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")

_ON_ITS_SIDE = (5, 6, 7, 8)
_HINT_FORMATS = "use a PNG, JPEG, WebP, GIF, BMP or TIFF picture"

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    ``pixels`` is uint8 of shape (height, width, 3), RGB on white, longest side at most
    ``WORKING_SIDE``. ``width`` and ``height`` are those of the upright original.
    ``sha256`` is that of the file's bytes. ``frames`` > 1: only the first was read.
    """

    pixels: Pixels
    width: int
    height: int
    format: str
    frames: int
    sha256: str

    def square(self, side: int, crop: float = 0.875) -> Pixels:
        """The centred ``crop`` share of the shorter side, bicubic, as (side, side, 3)."""
        image = Image.fromarray(self.pixels)
        edge = min(image.size) * crop
        left, top = (image.width - edge) / 2, (image.height - edge) / 2
        resized = image.resize(
            (side, side), Image.Resampling.BICUBIC, box=(left, top, left + edge, top + edge)
        )
        return np.asarray(resized, dtype=np.uint8)

    def save_png(self, path: Path) -> None:
        """Upright, small and without metadata: what may be shown to another program."""
        Image.fromarray(self.pixels).save(path, "PNG")


def picture_hash(path: Path) -> str:
    """SHA-256 of the file's bytes, without decoding it.

    Raises:
        NotFound: there is no such file.
        InvalidInput: the file is empty or larger than ``MAX_BYTES``.
    """
    return hashlib.sha256(_read_bytes(path)).hexdigest()


def open_picture(path: Path) -> Picture:
    """Decode one picture file.

    Raises:
        NotFound: there is no such file.
        InvalidInput: too large, empty, truncated, a bomb, or no picture; names the file.
    """
    data = _read_bytes(path)
    try:
        with warnings.catch_warnings():
            # Pillow warns between 1x and 2x of its own limit; ours is below and stricter.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return _decode(image, path, hashlib.sha256(data).hexdigest())
    except InvalidInput:
        raise
    except UnidentifiedImageError as error:
        raise InvalidInput(f"{path}: not a picture", _HINT_FORMATS) from error
    except Image.DecompressionBombError as error:
        raise InvalidInput(f"{path}: {error}", _too_large_hint()) from error
    except MemoryError as error:
        raise InvalidInput(f"{path}: does not fit into memory", _too_large_hint()) from error
    except Exception as error:
        # Pillow's plugins raise OSError, SyntaxError, struct.error, ValueError, KeyError,
        # EOFError and more on damaged files; its own documentation gives no closed list.
        raise InvalidInput(
            f"{path}: the picture is damaged or incomplete ({error})",
            "export or copy the picture again",
        ) from error


def _read_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InvalidInput(
                f"{path}: {size:,} bytes is more than the {MAX_BYTES:,} allowed",
                "save it smaller; 2000 pixels on the longer side are plenty",
            )
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"{path}: no such picture", "check the name and the folder") from error
    except OSError as error:
        raise InvalidInput(
            f"{path}: cannot be read ({error.strerror})", "check what it is and who may read it"
        ) from error
    if not data:
        raise InvalidInput(f"{path}: the file is empty", _HINT_FORMATS)
    return data


def _too_large_hint() -> str:
    return f"save it with at most {MAX_PIXELS // 1_000_000} million pixels"


def _decode(image: Image.Image, path: Path, sha256: str) -> Picture:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InvalidInput(f"{path}: {width} x {height} pixels is too large", _too_large_hint())
    name = image.format or "?"
    frames = int(getattr(image, "n_frames", 1))
    if name == "JPEG":
        # The decoder itself scales down by 2, 4 or 8: less memory and much faster.
        image.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
    orientation = image.getexif().get(ExifTags.Base.Orientation)
    image.load()
    upright = ImageOps.exif_transpose(image)
    if orientation in _ON_ITS_SIDE:
        width, height = height, width
    flat = _on_white(upright)
    flat.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.LANCZOS)
    return Picture(np.asarray(flat, dtype=np.uint8).copy(), width, height, name, frames, sha256)


def _on_white(image: Image.Image) -> Image.Image:
    """RGB without transparency: a shop page is white, so see-through parts are too."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        values = np.asarray(image, dtype=np.float64)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        grey = (values - low) / ((high - low) or 1.0) * 255.0
        return Image.fromarray(np.nan_to_num(grey).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")
