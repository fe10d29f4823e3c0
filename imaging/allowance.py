"""How much is read of the directories of one TIFF, whose sender may mean to keep the reader busy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Allowance:
    """What may still be read of one file. Directories and values may overlap, so its length bounds neither.

    The defaults are some times what a thousand pages with all their overviews need.

    Attributes:
        directories: how many, those of EXIF and GPS included.
        entries: in all of them.
        value_bytes: of the tags that are wanted.
    """

    directories: int = 10_000
    entries: int = 250_000
    value_bytes: int = 2**26

    def spend(self, *, directories: int = 0, entries: int = 0, value_bytes: int = 0) -> None:
        """Take off what is about to be read. Raises ValueError where it is too much."""
        self.directories -= directories
        self.entries -= entries
        self.value_bytes -= value_bytes
        if min(self.directories, self.entries, self.value_bytes) < 0:
            raise ValueError("its directories hold more than any picture's do")
