"""A decoded picture: its colours as the networks take them, and all that must come back with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from imaging import geography
from imaging.alpha import enlarge, fill_transparent
from imaging.directories import Tag

Array = NDArray[np.float32]


class Format(StrEnum):
    """The kinds of file that are taken and given."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    TIFF = "tiff"
    AVIF = "avif"

    @property
    def media_type(self) -> str:
        """As in Content-Type and Accept."""
        return f"image/{self.value}"

    @property
    def label(self) -> str:
        """As people write it."""
        return "WebP" if self is Format.WEBP else self.value.upper()

    @property
    def suffix(self) -> str:
        """As at the end of a file's name."""
        return {Format.JPEG: ".jpg", Format.TIFF: ".tif"}.get(self, f".{self.value}")


@dataclass(frozen=True)
class Metadata:
    """What a file says about its picture, as bytes that are handed on, not understood.

    Attributes:
        icc: colour profile.
        exif: TIFF structure, without the "Exif" signature; orientation is already applied to the pixels.
        xmp: XML packet.
        iptc: IPTC-IIM block.
        dpi: pixels per inch, across and down.
        chunks: PNG chunks (type, data) that only a PNG can hold: gamma, chromaticities, texts.
        geography: GeoTIFF tags, which only a TIFF can hold.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    geography: tuple[Tag, ...] = ()

    def enlarged(self, scale: int) -> Metadata:
        """Of the same picture with sides `scale` times as long."""
        return replace(self, geography=geography.enlarged(self.geography, scale))


@dataclass(frozen=True)
class Picture:
    """A picture in memory.

    Attributes:
        pixels: (H, W, C) float32, values 0..1 as stored in the file (no colour conversion); C is 1 (grey) or 3.
        alpha: (H, W) float32, 0 transparent to 1 opaque, not multiplied into the colours; None without transparency.
        depth: bits per value of the file, 8, 10, 12 or 16; fewer than 8 become 8.
        format: the kind of file it came from.
        lossless: whether that file held its pixels exactly.
        metadata: profile, EXIF and the like.
    """

    pixels: Array
    alpha: Array | None = None
    depth: int = 8
    format: Format = Format.PNG
    lossless: bool = True
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def visible(self) -> Array:
        """The pixels to restore: where nothing shows, the colour of what shows nearby.

        Files often hold black under full transparency; a network would let it bleed into the edges as a dark fringe.
        Of three channels that are equal everywhere there is one, so that grey stays grey.
        """
        pixels = self.pixels[..., :1] if self._grey() else self.pixels
        return pixels if self.alpha is None else fill_transparent(pixels, self.alpha)

    def _grey(self) -> bool:
        first = self.pixels[..., :1]
        # A row tells nearly every colour picture, at no cost.
        return bool((self.pixels[:1] == first[:1]).all() and (self.pixels == first).all())

    def restored(self, pixels: Array) -> Picture:
        """The same picture with restored pixels (scale * H, scale * W, C'); alpha is enlarged along with them.

        Raises ValueError if the new sides are not a whole multiple of the old ones.
        """
        (height, width), (new_height, new_width) = self.pixels.shape[:2], pixels.shape[:2]
        scale = new_height // height
        if (new_height, new_width) != (height * scale, width * scale) or scale < 1:
            raise ValueError(f"{new_width} x {new_height} is no whole multiple of {width} x {height}")
        alpha = None if self.alpha is None else enlarge(self.alpha, scale)
        pixels = np.repeat(pixels, max(self.pixels.shape[2] // pixels.shape[2], 1), axis=2)
        return replace(self, pixels=pixels, alpha=alpha, metadata=self.metadata.enlarged(scale))
