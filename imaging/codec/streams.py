"""Pictures that are too large for memory: read row by row from a file, and written row by row into another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pyvips
from numpy.typing import NDArray
from tifffile import imwrite

from imaging import directories
from imaging.codec import tiff
from imaging.codec.decoding import damaged, describe, lost_pixels, to_unit
from imaging.codec.encoding import (
    CLASSIC_TIFF_BYTES,
    UNKNOWN_DPI,
    Keep,
    as_stored,
    kept,
    of_size,
    refuse_loss,
    stored_depth,
)
from imaging.codec.header import Limits, check, open_header
from imaging.errors import BadImage
from imaging.picture import Format, Metadata, Picture

Array = NDArray[np.float32]

_TILE: Final = 256  # of a written TIFF
_EFFORT: Final = 1  # of zlib, which takes three times as long at 6 for a twentieth less
_BUFFER_BYTES: Final = 2**23  # compressed and written at once
_XMP, _IPTC, _UNDEFINED = 700, 33723, 7  # tags of TIFF, and the type of plain bytes
_WITHOUT_PIXELS: Final = np.empty((0, 0, 1), dtype=np.float32)


class Reader:
    """A picture's rows, from the top.

    Attributes:
        header: what the file says of its picture.
        metadata: profile, EXIF and the like.
    """

    def __init__(self, path: Path, limits: Limits | None = None, *, frame: int | None = None) -> None:
        """Open a file and hold it to the limits. Raises what `decode` raises."""
        self._path, self._frame = path, frame or 0
        with _mapped(path) as data:
            check(data, limits or Limits(), frame, path=path)
            self.header, image = open_header(data, self._frame, path=path)
            self.metadata = describe(self.header, image, data, self._frame)
        self._dtype = np.uint8 if image.format == "uchar" else np.uint16
        self._bands = image.bands
        self._fail_on = "warning" if self.header.format is Format.JPEG else "error"
        self._region: pyvips.Region | None = None  # of a picture that can be read once, from the top

    @property
    def by_rows(self) -> bool:
        """Whether the picture can be restored from the top: not turned, and without transparency."""
        return self.header.orientation == 1 and not self.header.alpha

    @cached_property
    def channels(self) -> int:
        """As `Picture.visible` has them: 1 of a grey picture, and of three that are equal everywhere; else 3.

        Grey in three channels is read to its end, any other picture as far as its first colour. Raises BadImage.
        """
        height = self.header.height
        bands = (self._values(top, min(top + _TILE, height)) for top in range(0, height, _TILE))
        grey = self.header.channels == 1 or all((band[..., :3] == band[..., :1]).all() for band in bands)
        self._region = None
        return 1 if grey else 3

    def rows(self, top: int, bottom: int) -> Array:
        """Rows `top` to `bottom`, (rows, W, `channels`) float32, values 0..1. Raises BadImage."""
        channels = self.channels
        return to_unit(self._values(top, bottom)[..., :channels], self.header.depth)

    def _values(self, top: int, bottom: int) -> NDArray[Any]:
        """The stored values, (rows, W, bands); as in `decode`, a JPEG is read anew where a warning costs no pixel."""
        height, width = bottom - top, self.header.width
        try:
            self._region = self._region or self._opened()
            raw = self._region.fetch(0, top, width, height)
        except (pyvips.Error, BadImage) as error:
            if self._fail_on == "error" or lost_pixels(error):
                raise damaged(self.header, error) from error
            self._fail_on, self._region = "error", None
            return self._values(top, bottom)
        return np.frombuffer(raw, dtype=self._dtype).reshape(height, width, self._bands)

    def _opened(self) -> pyvips.Region:
        with _mapped(self._path) as data:
            options = {"access": "sequential", "fail_on": self._fail_on}
            return pyvips.Region.new(open_header(data, self._frame, path=self._path, **options)[1])


@contextmanager
def _mapped(path: Path) -> Iterator[bytes]:
    """A file's bytes, which are read as they are asked for."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as mapped:
        yield cast(bytes, mapped)


def write(
    path: Path,
    rows: Iterable[Array],
    *,
    width: int,
    height: int,
    channels: int,
    depth: int,
    metadata: Metadata,
    keep: Keep = "all",
) -> None:
    """Write a picture whose rows come from the top, (rows, W, C) float32, as a TIFF in tiles.

    If `rows` raises, so does this, and what is in `path` is no picture.

    Args:
        path: of the file.
        rows: as many as `height` in all; values outside 0..1 are clipped, one channel stands for all.
        width: pixels across.
        height: pixels down.
        channels: 1 or 3.
        depth: bits per value of the picture that was read; beyond 8, 16 are written.
        metadata: to be kept.
        keep: as for `encode`.

    Raises:
        UnsupportedImage: a TIFF cannot hold this picture.
        OSError: it cannot be written.
    """
    like = Picture(_WITHOUT_PIXELS, depth=max(depth, 8), metadata=metadata)
    refuse_loss(like, Format.TIFF)
    depth = stored_depth(like, Format.TIFF)
    metadata = of_size(kept(metadata, keep), width, height)
    blobs = ((_XMP, metadata.xmp), (_IPTC, metadata.iptc))
    imwrite(
        path,
        _tiles(rows, channels, depth),
        shape=(height, width) if channels == 1 else (height, width, channels),
        dtype=np.uint8 if depth == 8 else np.uint16,
        tile=(_TILE, _TILE),
        photometric="minisblack" if channels == 1 else "rgb",
        planarconfig=None if channels == 1 else "contig",
        compression="zlib",
        compressionargs={"level": _EFFORT},
        predictor=True,
        buffersize=_BUFFER_BYTES,
        bigtiff=width * height * channels * depth // 8 > CLASSIC_TIFF_BYTES,
        byteorder="<",
        resolution=metadata.dpi or UNKNOWN_DPI,
        resolutionunit="inch",
        iccprofile=metadata.icc,
        metadata=None,
        software=False,
        extratags=[(tag, _UNDEFINED, len(blob), blob, True) for tag, blob in blobs if blob is not None],
    )
    directories.append_to_file(path, tiff.tags(metadata.exif, metadata.geography))


def _tiles(rows: Iterable[Array], channels: int, depth: int) -> Iterator[NDArray[Any]]:
    """Tiles of stored values, row by row of tiles; those at the right and the bottom are filled up."""
    for band in _bands(rows):
        height, width = band.shape[:2]
        for left in range(0, width, _TILE):
            values = as_stored(band[:, left : left + _TILE], depth)
            tile = np.zeros((_TILE, _TILE, channels), dtype=np.uint8 if depth == 8 else np.uint16)
            tile[:height, : values.shape[1]] = values
            yield tile[..., 0] if channels == 1 else tile


def _bands(rows: Iterable[Array]) -> Iterator[Array]:
    """The same rows, as many at once as a tile has; fewer at the end."""
    band: Array = _WITHOUT_PIXELS
    filled = 0
    for part in rows:
        if not filled:
            band = np.empty((_TILE, *part.shape[1:]), dtype=part.dtype)
        top = 0
        while top < len(part):
            more = min(_TILE - filled, len(part) - top)
            band[filled : filled + more] = part[top : top + more]
            filled, top = (filled + more) % _TILE, top + more
            if not filled:
                yield band
    if filled:
        yield band[:filled]
