from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms


@pytest.fixture(scope="session")
def photo():
    """A small picture in which no row, column or corner is like another."""
    rows, columns = np.mgrid[0:37, 0:52]
    planes = [rows * 6 % 256, columns * 4 % 256, (rows * columns) % 256]
    return np.stack(planes, axis=-1).astype(np.uint8)


@pytest.fixture(scope="session")
def icc():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="session")
def saved():
    """Save a PIL image, or an array, as bytes."""

    def save(image, format, mode=None, **options):
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        buffer = io.BytesIO()
        (image.convert(mode) if mode else image).save(buffer, format, **options)
        return buffer.getvalue()

    return save


@pytest.fixture(scope="session")
def opened():
    """Open bytes with a second library than the one under test."""
    return lambda data: Image.open(io.BytesIO(data))
