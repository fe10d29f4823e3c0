"""What can go wrong with a picture, as a small tree.

Exception
├── PictureError(ValueError)        the picture's fault; `facts` says what was found and what is allowed
│   ├── UnsupportedImage            a kind of file or picture that is not taken (HTTP 415)
│   ├── BadImage                    the right kind, but damaged or cut short (HTTP 422)
│   └── ImageTooLarge               over a limit, judged from the header (HTTP 413)
├── PlanError(ValueError)           tile, halo and lattice do not go together
├── OutOfMemory(MemoryError)        a runner's device memory is full: the batch is halved
├── DeviceLost(RuntimeError)        a runner's device answers this process no more
├── InvalidResult(RuntimeError)     a runner answered with the wrong shape or with NaN
└── Cancelled                       the caller asked to stop
"""

from __future__ import annotations


class PictureError(ValueError):
    """A picture that cannot be taken; the message is a sentence for the person who sent it.

    Attributes:
        facts: what was found and what is allowed, for machines (`{"width": 70000, "max_side": 65535}`).
    """

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.facts = facts


class UnsupportedImage(PictureError):  # noqa: N818 - named for what it is, as Python's own MemoryError's peers are
    """A kind of file, or a kind of picture inside a known file, that is not taken."""


class BadImage(PictureError):  # noqa: N818
    """A file of a known kind that is damaged, cut short, or contradicts itself."""


class ImageTooLarge(PictureError):  # noqa: N818
    """A picture over one of the limits; nothing of it was decoded."""


class PlanError(ValueError):
    """A tile, halo, lattice or scale that cannot be; the message names the numbers."""


class OutOfMemory(MemoryError):  # noqa: N818
    """The device's memory is full. Runners raise it in place of their runtime's own error."""


class DeviceLost(RuntimeError):  # noqa: N818
    """The device failed in a way that ends all work of this process on it. Another process may find it well."""


class InvalidResult(RuntimeError):  # noqa: N818
    """A runner returned something other than finite (N, C', scale * T, scale * T)."""


class Cancelled(Exception):  # noqa: N818
    """The caller asked for the work to stop; nothing was returned."""
