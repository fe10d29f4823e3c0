"""What a TIFF's directories hold beyond pixels: pages, previews, raw files, a fourth channel, EXIF and geography."""

from __future__ import annotations

from dataclasses import dataclass

from imaging import directories
from imaging.allowance import Allowance
from imaging.directories import EXIF, GPS, Tag
from imaging.errors import BadImage, UnsupportedImage
from imaging.geography import KEYS, PIXEL_SCALE, RPC, TIE_POINTS, TRANSFORMATION

_NEW_SUBFILE_TYPE, _PHOTOMETRIC, _SAMPLES_PER_PIXEL, _EXTRA_SAMPLES, _DNG_VERSION = 254, 262, 277, 338, 50706
_STRUCTURE = frozenset({_NEW_SUBFILE_TYPE, _PHOTOMETRIC, _SAMPLES_PER_PIXEL, _EXTRA_SAMPLES, _DNG_VERSION})
_STRUCTURE_BYTES = 2**20  # of them all; a page's are some ten
_COLOURS = {0: 1, 1: 1, 3: 1, 5: 4}  # by photometric interpretation: white is zero, black is zero, palette, CMYK
# Description, maker, model, software, date, artist, host computer, copyright, and the directories EXIF and GPS.
_DESCRIPTION = frozenset({270, 271, 272, 305, 306, 315, 316, 33432, EXIF, GPS})
# GeoTIFF's model and keys, RPCs, GDAL's metadata and value for no data.
_GEOGRAPHY = frozenset({PIXEL_SCALE, TIE_POINTS, TRANSFORMATION, KEYS, 34736, 34737, RPC, 42112, 42113})
_EXIF_SIGNATURE = b"Exif\0\0"


@dataclass(frozen=True)
class Facts:
    """What the directories say.

    Attributes:
        pages: numbers of the directories that are pages of their own, not smaller copies of another.
        channels: of each page, the tags that say what its channels mean.
    """

    pages: tuple[int, ...]
    channels: tuple[dict[int, tuple[int, ...]], ...]

    def refuse_other_channels(self, frame: int) -> None:
        """Raise UnsupportedImage where a page has a channel that is neither colour nor plain transparency."""
        _refuse_other_channels(self.channels[frame])


def facts(data: bytes) -> Facts:
    """Walk the directories.

    Raises:
        BadImage: they are damaged, run in a circle, or hold more than any picture's do.
        UnsupportedImage: a camera's raw file, or a preview comes first.
    """
    try:
        walked = directories.walk(data, _STRUCTURE, Allowance(value_bytes=_STRUCTURE_BYTES))
        found = [{tag.number: tag.integers for tag in tags} for tags in walked]
    except directories.DAMAGE as error:
        raise BadImage(f"This TIFF's directory is damaged or cut short: {error}.", format="tiff") from error
    if any(_DNG_VERSION in tags for tags in found):
        raise UnsupportedImage("This is a camera's raw file (DNG); develop it to TIFF or JPEG first.", kind="dng")
    pages = tuple(n for n, tags in enumerate(found) if not _first(tags, _NEW_SUBFILE_TYPE, 0) & 1)
    if 0 not in pages:
        raise UnsupportedImage("This TIFF begins with a preview, as raw files do; export the picture itself.")
    return Facts(pages, tuple(found[page] for page in pages))


def exif(data: bytes, page: int = 0) -> bytes | None:
    """A page's description, EXIF and GPS directories as an EXIF block; None where it has none or they are damaged."""
    tags = _tags(data, page, _DESCRIPTION)
    return directories.as_file(tags) if tags else None


def geography(data: bytes, page: int = 0) -> tuple[Tag, ...]:
    """A page's GeoTIFF tags."""
    return _tags(data, page, _GEOGRAPHY)


def with_tags(data: bytes, exif: bytes | None, geography: tuple[Tag, ...]) -> bytes:
    """The same TIFF with what an EXIF block says, and where on earth it lies."""
    further = tags(exif, geography)
    return directories.appended(data, further) if further and len(data) < directories.MAX_POINTER else data


def tags(exif: bytes | None, geography: tuple[Tag, ...]) -> tuple[Tag, ...]:
    """What an EXIF block says, and where on earth a picture lies, as tags of a TIFF."""
    return geography if exif is None else geography + _tags(exif.removeprefix(_EXIF_SIGNATURE), 0, _DESCRIPTION)


def _tags(data: bytes, page: int, wanted: frozenset[int]) -> tuple[Tag, ...]:
    try:
        return directories.tags_of(data, page, wanted)
    except directories.DAMAGE:
        return ()


def _refuse_other_channels(tags: dict[int, tuple[int, ...]]) -> None:
    extra = tags.get(_EXTRA_SAMPLES, ())
    samples = _first(tags, _SAMPLES_PER_PIXEL, 1)
    colours = _COLOURS.get(_first(tags, _PHOTOMETRIC, 1), 3)
    if 1 in extra:
        raise UnsupportedImage(
            "This TIFF has its transparency multiplied into the colours. Save it with straight (unassociated) alpha."
        )
    if samples > colours + 1 or (samples == colours + 1 and extra[:1] != (2,)):
        raise UnsupportedImage(
            f"This TIFF has {samples} channels of which only {colours} are colours and none is said to be "
            "transparency; an infrared band, for one, would be lost. Send the colours alone.",
            channels=samples,
        )


def _first(tags: dict[int, tuple[int, ...]], number: int, default: int) -> int:
    return (tags.get(number) or (default,))[0]
