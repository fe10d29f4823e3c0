"""What baseline JPEG takes from a picture, for a whole batch at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.degradations.colour import luma
from training.degradations.draws import Draws
from training.degradations.ranges import Range, check_range, check_shares

# ITU-T T.81, tables K.1 (luminance) and K.2 (chrominance), row by row.
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
# JFIF 1.02: R, G, B to Y, Cb - 128, Cr - 128.
_TO_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


@dataclass(frozen=True)
class Jpeg:
    """Baseline JPEG of unknown quality, chroma sampling and place of its 8x8 grid.

    Attributes:
        quality: libjpeg's quality 1..100, drawn per picture from the whole numbers in the range, each as likely.
        subsampled_share: share of pictures with 4:2:0 chroma; the others have 4:4:4.
        grey_share: share of pictures that are grey (three equal channels).
        shifted_share: share of pictures whose grid starts anywhere, as in a picture cropped after it was compressed.
        clean_share: share of pictures left as they are, so that the network learns to do no harm.
    """

    quality: Range = (5.0, 95.0)
    subsampled_share: float = 0.6
    grey_share: float = 0.25
    shifted_share: float = 0.5
    clean_share: float = 0.03

    def __post_init__(self) -> None:
        check_range("quality", self.quality, 1, 100)
        check_shares(self)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (decoded JPEG, clean) of sRGB pictures (B, 3, H, W) in 0..1; both grey where grey was drawn."""
        draw = Draws(generator, clean.device)
        batch, _, height, width = clean.shape
        target = torch.where(draw.chosen(self.grey_share, batch), luma(clean), clean)
        least, most = math.ceil(self.quality[0]), math.floor(self.quality[1])
        quality = draw.uniform((least, most + 1), batch).floor().clamp_max(most)  # 32 bits may round up to the end
        subsampled = draw.chosen(self.subsampled_share, batch).flatten()
        shift = (draw.uniform((0.0, 16.0), batch, 2) * draw.chosen(self.shifted_share, batch)[..., 0, 0]).long()
        canvas = _shifted(target, shift, height + 16, width + 16)
        decoded = _shifted(compress(canvas, quality, subsampled=subsampled), -shift, height, width)
        return torch.where(draw.chosen(self.clean_share, batch), target, decoded), target


def compress(pictures: Tensor, quality: Tensor, *, subsampled: Tensor) -> Tensor:
    """Encode and decode pictures (B, 3, H, W), 0..1, as libjpeg does, entropy coding (which loses nothing) left out.

    Every step rounds where libjpeg's integers do; a decoder may differ from ours by a step or two of 255 here and
    there, as decoders differ among themselves. `quality` is (B,), 1..100; `subsampled` (B,) booleans choose 4:2:0 over
    4:4:4.
    """
    height, width = pictures.shape[-2:]
    rgb = F.pad(pictures * 255.0, (0, -width % 16, 0, -height % 16), mode="replicate").round()
    planes = _mix(rgb, _TO_YCBCR).round()
    light = _quantise(planes[:, :1] - 128.0, _table(_LUMINANCE, quality)) + 128.0
    table = _table(_CHROMINANCE, quality)
    full = _quantise(planes[:, 1:], table)
    halved = F.interpolate(
        _quantise(_halve(planes[:, 1:]), table), scale_factor=2, mode="bilinear", align_corners=False
    ).round()
    chroma = torch.where(subsampled[:, None, None, None], halved, full).clamp(-128.0, 127.0)
    decoded = _mix(torch.cat((light.clamp(0.0, 255.0), chroma), dim=1), _TO_RGB).round().clamp(0.0, 255.0)
    return decoded[..., :height, :width] / 255.0


def _shifted(pictures: Tensor, shift: Tensor, height: int, width: int) -> Tensor:
    """Move each picture down and right by its own `shift` (B, 2) onto a height x width canvas, edges continued."""
    rows = (torch.arange(height, device=pictures.device) - shift[:, :1]).clamp(0, pictures.shape[-2] - 1)
    columns = (torch.arange(width, device=pictures.device) - shift[:, 1:]).clamp(0, pictures.shape[-1] - 1)
    index = rows[:, :, None] * pictures.shape[-1] + columns[:, None, :]
    flat = index.flatten(1)[:, None].expand(-1, pictures.shape[1], -1)
    return pictures.flatten(2).gather(2, flat).view(len(pictures), -1, height, width)


def _mix(planes: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """Multiply the channels of (B, 3, H, W) by a 3x3 matrix."""
    mixed: Tensor = torch.tensor(matrix, device=planes.device) @ planes.flatten(2)
    return mixed.view_as(planes)


def _halve(chroma: Tensor) -> Tensor:
    """Average 2x2 pixels, rounding down with a bias that alternates by column, as libjpeg's h2v2 downsampling does."""
    bias = 0.25 + 0.25 * (torch.arange(chroma.shape[-1] // 2, device=chroma.device) % 2)
    return (F.avg_pool2d(chroma, 2) + bias).floor()


def _table(base: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """Quantisation tables (B, 64) for qualities (B,): libjpeg's scaling of the standard's table."""
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    steps = torch.tensor(base, dtype=torch.float32, device=quality.device).flatten()
    return ((steps * percent[:, None] + 50) / 100).floor().clamp(1, 255)


def _quantise(planes: Tensor, table: Tensor) -> Tensor:
    """Round the 8x8 DCT coefficients of (B, C, H, W) planes, 8 dividing H and W, to multiples of the table (B, 64)."""
    batch, channels, height, width = planes.shape
    transform = _dct(planes.device)
    blocks = planes.view(batch, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    coefficients = blocks.reshape(batch, -1, 64) @ transform.T
    coefficients = (coefficients * 8 + 0.5).floor() / 8  # eighths are what libjpeg's integers hold
    steps = table[:, None]
    levels = coefficients / steps
    # Halves go away from zero, as in libjpeg: flat blocks of whole pixel values meet them often.
    rounded = (levels.abs() + (0.5 + 1e-5)).floor().copysign(levels) * steps
    pixels = (rounded @ transform).round().view(batch, channels, height // 8, width // 8, 8, 8)
    return pixels.transpose(3, 4).reshape(batch, channels, height, width)


def _dct(device: torch.device) -> Tensor:
    """The orthonormal two-dimensional DCT-II of an 8x8 block as one 64x64 matrix (T.81, A.3.3)."""
    frequency, place = torch.arange(8.0)[:, None], torch.arange(8.0)
    rows = torch.cos((2 * place + 1) * frequency * math.pi / 16) / 2
    rows[0] /= math.sqrt(2)
    return torch.kron(rows, rows).to(device)
