"""Picture files as arrays, as the codec reads them: 8 and 16 bits, upright, damaged ones refused."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.codec import decode
from imaging.errors import PictureError

Array = NDArray[np.float32]


class PictureFileError(ValueError):
    """A file that cannot be trained or measured on; the text names it and says why."""


def read(path: Path, channels: int = 3) -> Array:
    """Read a picture as (H, W, channels) in 0..1, channels 1 or 3; grey becomes three equal channels, and these grey.

    Raises PictureFileError for a file that the codec refuses, and for colours where one channel is asked for.
    """
    try:
        pixels = decode(_encoded(path)).pixels
    except PictureError as error:
        raise PictureFileError(f"{path}: {error}") from error
    grey = pixels[..., :1]
    if channels == 3:
        return np.repeat(grey, 3, axis=2) if pixels.shape[2] == 1 else pixels
    if (pixels != grey).any():
        raise PictureFileError(f"{path} is in colour, where one channel is taken")
    return grey


def read_8bit(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) of 8 bits. Raises PictureFileError as `read` does."""
    return (read(path) * 255).round().astype(np.uint8)


def _encoded(path: Path) -> bytes:
    """The file's bytes; a BMP's, which test sets come in and the codec does not take, as PNG."""
    if path.suffix.lower() != ".bmp":
        return path.read_bytes()
    file = BytesIO()
    try:
        with Image.open(path) as image:
            image.save(file, "PNG", compress_level=0)
    except (OSError, Image.DecompressionBombError) as error:
        raise PictureFileError(f"{path}: {error}") from error
    return file.getvalue()
