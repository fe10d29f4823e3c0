"""Bytes to picture and back: what a file holds comes back, or is refused by name.

`probe` reads the header alone, `decode` checks the limits and then decodes, `encode` writes the same kind of file
unless told otherwise. Errors are those of `imaging.errors`; docs/pictures.md has the table of what is kept.
"""

from __future__ import annotations

from imaging.codec.decoding import decode
from imaging.codec.encoding import encode
from imaging.codec.header import Header, Limits, probe
from imaging.picture import Format, Metadata, Picture

__all__ = ["Format", "Header", "Limits", "Metadata", "Picture", "decode", "encode", "probe"]
