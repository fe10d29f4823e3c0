"""Colour spaces told by numbers, as AVIF (`colr nclx`) and PNG (`cICP`) do: ITU-T H.273, code points of video."""

from __future__ import annotations

from typing import Final

# As a screen shows them, BT.709's curve, that of BT.601 and the two of BT.2020 for 10 and 12 bits are sRGB's.
_USUAL_PRIMARIES: Final = {1, 2}  # BT.709, unspecified
_USUAL_TRANSFERS: Final = {1, 2, 6, 13, 14, 15}
_PRIMARIES: Final = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_TRANSFERS: Final = {8: "linear", 16: "PQ (HDR)", 18: "HLG (HDR)"}


def unusual(primaries: int, transfer: int) -> str | None:
    """What is not sRGB's of a colour space, in words; None where nothing is."""
    words = []
    if primaries not in _USUAL_PRIMARIES:
        words.append(f"primaries {_PRIMARIES.get(primaries, primaries)}")
    if transfer not in _USUAL_TRANSFERS:
        words.append(f"curve {_TRANSFERS.get(transfer, transfer)}")
    return " and ".join(words) or None
