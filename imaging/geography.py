"""Where on earth a picture lies, as its TIFF's tags say it, once it is enlarged: its pixels cover less ground each.

OGC GeoTIFF 1.1, and the RPC tag of "RPCs in GeoTIFF". Raster coordinates count from the first pixel's corner, or from
its centre: always in RPCs, and in GeoTIFF where GTRasterTypeGeoKey says that a pixel is a point. What lies at i counted
from corners then lies at s * i, and what lies at i counted from centres at s * i + (s - 1) / 2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imaging.directories import Tag

PIXEL_SCALE: Final = 33550
TIE_POINTS: Final = 33922
TRANSFORMATION: Final = 34264
KEYS: Final = 34735
RPC: Final = 50844
_RASTER_TYPE, _PIXEL_IS_POINT = 1025, 2
_DOUBLE = 12  # TIFF's field type
_LINE_OFFSET, _SAMPLE_OFFSET, _LINE_SCALE, _SAMPLE_SCALE = 2, 3, 7, 8  # in the RPC tag

Values = NDArray[np.float64]


def enlarged(tags: tuple[Tag, ...], scale: int) -> tuple[Tag, ...]:
    """A TIFF's tags for the picture enlarged by `scale`; those that are damaged stay as they are."""
    from_centres = (scale - 1) / 2
    shift = from_centres if _pixel_is_point(tags) else 0.0
    return tuple(_enlarged(tag, scale, from_centres if tag.number == RPC else shift) for tag in tags)


def _enlarged(tag: Tag, scale: int, shift: float) -> Tag:
    if tag.kind != _DOUBLE:
        return tag
    values = np.frombuffer(tag.value, dtype="<f8").copy()
    if tag.number == PIXEL_SCALE:
        values[:2] /= scale
    elif tag.number == TIE_POINTS:  # i, j, k and x, y, z of each
        values[0::6] = values[0::6] * scale + shift
        values[1::6] = values[1::6] * scale + shift
    elif tag.number == TRANSFORMATION and values.size == 16:
        matrix = values.reshape(4, 4)
        matrix[:, :2] /= scale
        matrix[:, 3] -= matrix[:, :2].sum(axis=1) * shift
    elif tag.number == RPC and values.size > _SAMPLE_SCALE:
        offsets = [_LINE_OFFSET, _SAMPLE_OFFSET]
        values[offsets] = values[offsets] * scale + shift
        values[[_LINE_SCALE, _SAMPLE_SCALE]] *= scale
    return replace(tag, value=values.tobytes())


def _pixel_is_point(tags: tuple[Tag, ...]) -> bool:
    """Whether the key directory says so: entries of four numbers, of which are the key's and, at the end, its value."""
    keys = next((tag.integers for tag in tags if tag.number == KEYS and tag.kind == 3), ())
    return (_RASTER_TYPE, _PIXEL_IS_POINT) in zip(keys[4::4], keys[7::4], strict=False)
