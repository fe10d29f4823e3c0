"""Which kind of file the first bytes announce. Names and media types sent along are not believed."""

from __future__ import annotations

from imaging.errors import UnsupportedImage
from imaging.picture import Format

_TAKEN = ", ".join(format.label for format in Format)

# Known kinds that are not taken, each with what the sender can do.
_REFUSED: tuple[tuple[bytes, int, str], ...] = (
    (b"GIF8", 0, "a GIF; its 256 colours and frames do not survive restoration. Send single frames as PNG"),
    (b"BM", 0, "a BMP; save it as PNG, which holds the same pixels"),
    (b"\x00\x00\x00\x0cJXL ", 0, "a JPEG XL picture; save it as PNG or JPEG"),
    (b"\xff\x0a", 0, "a JPEG XL picture; save it as PNG or JPEG"),
    (b"\x00\x00\x00\x0cjP  ", 0, "a JPEG 2000 picture; save it as TIFF or PNG"),
    (b"\xff\x4f\xff\x51", 0, "a JPEG 2000 picture; save it as TIFF or PNG"),
    (b"8BPS", 0, "a Photoshop document; export it as TIFF or PNG"),
    (b"%PDF", 0, "a PDF; export its picture as TIFF or PNG"),
    (b"\x76\x2f\x31\x01", 0, "an OpenEXR picture; its light values have no upper end. Export it as 16-bit TIFF"),
    (b"FUJIFILMCCD-RAW", 0, "a camera's raw file; develop it to TIFF or JPEG first"),
    (b"PK\x03\x04", 0, "an archive; send the pictures in it one by one"),
    (b"<svg", 0, "a drawing (SVG), not a photograph"),
    (b"<?xml", 0, "an XML document, not a picture"),
)
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}


def sniff(data: bytes) -> Format:
    """The kind of file; raises UnsupportedImage, naming the kind where it is known, for all that is not taken."""
    if data.startswith(b"\xff\xd8\xff"):
        return Format.JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Format.PNG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return Format.WEBP
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        if data[8:10] == b"CR":
            raise _refusal("a camera's raw file; develop it to TIFF or JPEG first")
        return Format.TIFF
    if data[4:8] == b"ftyp":
        return _brand(data)
    for signature, offset, what in _REFUSED:
        if data[offset:].startswith(signature):
            raise _refusal(what)
    if not data:
        raise UnsupportedImage(f"The upload is empty. Send a picture: {_TAKEN}.", allowed=list(Format))
    raise _refusal("text, not a picture" if _is_text(data[:512]) else "no kind of picture known here")


def _brand(data: bytes) -> Format:
    """Of the family of containers around ISO media files, AVIF alone is taken."""
    size = int.from_bytes(data[:4], "big")
    box = data[8 : min(max(size, 16), 256)]
    brands = {box[:4], *(box[at : at + 4] for at in range(8, len(box), 4))}
    if brands & {b"avif", b"avis"}:
        return Format.AVIF
    if brands & _HEIC_BRANDS:
        raise _refusal("a HEIC photograph; save it as JPEG (phones do so when asked for the most compatible format)")
    raise _refusal("a film or another media file, not a picture")


def _refusal(what: str) -> UnsupportedImage:
    return UnsupportedImage(f"This is {what}. Taken are {_TAKEN}.", allowed=list(Format))


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode("utf-8", errors="strict" if len(start) < 512 else "ignore")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n" for character in text)
