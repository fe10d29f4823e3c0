from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from models.iitransformer.model import CONFIGS, Config, IITransformer

SMALL = Config(
    embed_dim=8,
    num_heads=(2, 2),
    kinds=(("intra", "intra"), ("inter", "inter")),
    shifts=((0, 2), (0, 2)),
    window_size=4,
    trained_size=(8, 8),
)
PUBLISHED = {
    "denoise_color": 9_870_483,
    "denoise_color_128": 9_941_139,
    "dejpeg_gray": 9_864_001,
    "sr_x2": 10_118_807,
    "sr_x3": 10_303_447,
    "sr_x4": 10_266_519,
}


def network(config: Config, dtype: torch.dtype = torch.float64) -> IITransformer:
    """A network whose every layer matters: random biases, no small weights."""
    torch.manual_seed(0)
    made = IITransformer(config).to(dtype).eval()
    for name, parameter in made.named_parameters():
        if "norm" not in name:
            torch.nn.init.normal_(parameter, std=0.15)
    return made


@pytest.mark.parametrize(("name", "params"), PUBLISHED.items())
def test_published_configurations_have_the_published_number_of_parameters(name: str, params: int) -> None:
    with torch.device("meta"):
        made = IITransformer(CONFIGS[name])
    assert sum(parameter.numel() for parameter in made.parameters()) == params


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_returns_a_picture_of_its_scale(name: str) -> None:
    config = CONFIGS[name]
    with torch.device("meta"):
        made, x = IITransformer(config), torch.empty(2, config.channels, 20, 33)
        with torch.no_grad():
            assert made(x).shape == (2, config.channels, 20 * config.scale, 33 * config.scale)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 30), (5, 3), (8, 8), (37, 41)])
@pytest.mark.parametrize("config", [SMALL, replace(SMALL, stem=2), replace(SMALL, scale=2, tail="pixelshuffle")])
def test_any_size_is_restored_and_a_batch_is_its_pictures(config: Config, height: int, width: int) -> None:
    made = network(config)
    x = torch.rand(2, 3, height, width, dtype=torch.float64)
    with torch.no_grad():
        out = made(x)
        singles = torch.cat([made(picture[None]) for picture in x])
    assert out.shape == (2, 3, height * config.scale, width * config.scale)
    assert (out - singles).abs().max() < 1e-10


def test_the_released_form_restores_a_batch_as_its_pictures() -> None:
    made = network(SMALL.as_released())
    x = torch.rand(2, 3, 12, 16, dtype=torch.float64)
    with torch.no_grad():
        assert (made(x) - torch.cat([made(picture[None]) for picture in x])).abs().max() < 1e-10


@pytest.mark.parametrize("stem", [1, 2])
def test_a_pixel_does_not_change_when_the_picture_grows_far_away_from_it(stem: int) -> None:
    made = network(replace(SMALL, stem=stem))
    small = torch.rand(1, 3, 32 * stem, 64 * stem, dtype=torch.float64)
    wide = torch.cat((small, torch.rand(1, 3, 32 * stem, 20 * stem, dtype=torch.float64)), dim=3)
    with torch.no_grad():
        change = (made(wide)[..., : 64 * stem] - made(small)).abs()
    assert change[..., 56 * stem :].max() > 1e-3  # near by, the growth is seen
    assert change[..., : 8 * stem].max() < 1e-10


def test_the_released_form_does_change_when_the_picture_grows() -> None:
    made = network(SMALL.as_released())
    small = torch.rand(1, 3, 32, 64, dtype=torch.float64)
    wide = torch.cat((small, torch.rand(1, 3, 32, 16, dtype=torch.float64)), dim=3)
    with torch.no_grad():
        assert (made(wide)[..., :8] - made(small)[..., :8]).abs().max() > 1e-3


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.01), (torch.bfloat16, 0.06)])
def test_half_precision_is_near_float32(dtype: torch.dtype, tolerance: float) -> None:
    made = network(SMALL, torch.float32)
    x = torch.rand(1, 3, 24, 24)
    with torch.no_grad():
        expected = made(x)
        assert (made.to(dtype)(x.to(dtype)).float() - expected).abs().max() < tolerance * expected.abs().max()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embed_dim": 9}, "do not divide 9 channels"),
        ({"shifts": ((0, 2),)}, "layers per stage"),
        ({"trained_size": (4, 8)}, "two or more patches"),
        ({"reference_bias": True}, "goes with border='roll'"),
        ({"stem": 2, "scale": 2, "tail": "pixelshuffle"}, "a stem of 2"),
    ],
)
def test_a_geometry_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_tiny_network_overfits_four_crops() -> None:
    torch.manual_seed(0)
    made = IITransformer(CONFIGS["tiny"])
    clean = F.interpolate(torch.rand(4, 3, 4, 4), scale_factor=8, mode="bicubic").clamp(0, 1)
    noisy = clean + 0.1 * torch.randn_like(clean)
    optimizer = torch.optim.AdamW(made.parameters(), lr=2e-3)
    for _ in range(150):
        optimizer.zero_grad()
        loss = F.l1_loss(made(noisy), clean)
        loss.backward()
        optimizer.step()
    assert loss < 0.4 * F.l1_loss(noisy, clean)
