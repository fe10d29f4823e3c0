from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from models.grl.model import CONFIGS, GRL, Config

SMALL = Config(
    embed_dim=36,
    depths=(4,),
    num_heads_window=(3,),
    num_heads_stripe=(2,),
    window_size=4,
    stripe_size=(4, 8),
    anchor_factor=2,
    trained_size=8,
    local_connection=True,
)
PUBLISHED = {  # in millions
    "tiny_denoise_gray": 0.8779,
    "tiny_denoise_color": 0.8802,
    "tiny_sr_x2": 0.8854,
    "tiny_sr_x3": 0.8941,
    "tiny_sr_x4": 0.9062,
    "small_denoise_gray": 3.1156,
    "small_denoise_color": 3.1202,
    "small_sr_x2": 3.3400,
    "small_sr_x3": 3.5246,
    "small_sr_x4": 3.4877,
    "base_denoise_gray": 19.7988,
    "base_denoise_color": 19.8053,
    "base_sr_x2": 20.0536,
    "base_sr_x3": 20.2382,
    "base_sr_x4": 20.2013,
}


def network(config: Config, dtype: torch.dtype = torch.float64) -> GRL:
    """A network whose every layer matters: random biases, no small weights."""
    torch.manual_seed(0)
    made = GRL(config).to(dtype).eval()
    for name, parameter in made.named_parameters():
        if "norm" not in name and "logit_scale" not in name:
            torch.nn.init.normal_(parameter, std=0.15)
    return made


@pytest.mark.parametrize(("name", "millions"), PUBLISHED.items())
def test_published_configurations_have_the_published_number_of_parameters(name: str, millions: float) -> None:
    with torch.device("meta"):
        made = GRL(CONFIGS[name])
    assert sum(parameter.numel() for parameter in made.parameters()) == pytest.approx(millions * 1e6, rel=1e-4)


@pytest.mark.parametrize(
    "name", ["tiny_sr_x3", "small_dejpeg_color", "small_demosaic", *(name for name in CONFIGS if "laptop" in name)]
)
def test_configurations_return_a_picture_of_their_scale(name: str) -> None:
    config = CONFIGS[name]
    with torch.device("meta"), torch.no_grad():
        shape = GRL(config)(torch.empty(2, config.in_channels, 20, 33)).shape
    assert shape == (2, config.out_channels, 20 * config.scale, 33 * config.scale)


@pytest.mark.parametrize("name", ["base_motion_deblur", "base_dual_pixel_deblur", "base_real_sr_x4"])
def test_the_large_configurations_of_other_tasks_return_a_picture_of_their_scale(name: str) -> None:
    config = replace(CONFIGS[name], depths=(4,), num_heads_window=(3,), num_heads_stripe=(3,))
    with torch.device("meta"), torch.no_grad():
        shape = GRL(config)(torch.empty(1, config.in_channels, 20, 33)).shape
    assert shape == (1, config.out_channels, 20 * config.scale, 33 * config.scale)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 30), (5, 3), (16, 16), (19, 21)])
@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        replace(SMALL, in_channels=6),
        replace(SMALL, in_channels=1, out_channels=1, scale=2, tail="pixelshuffledirect", stem=2, picture_skip=True),
        replace(SMALL, scale=4, tail="nearest+conv"),
    ],
)
def test_any_size_is_restored_and_a_batch_is_its_pictures(config: Config, height: int, width: int) -> None:
    made = network(config)
    x = torch.rand(2, config.in_channels, height, width, dtype=torch.float64)
    with torch.no_grad():
        out = made(x)
        singles = torch.cat([made(picture[None]) for picture in x])
    assert out.shape == (2, config.out_channels, height * config.scale, width * config.scale)
    assert (out - singles).abs().max() < 1e-10


def test_the_released_form_restores_a_batch_as_its_pictures() -> None:
    made = network(SMALL.as_released())
    x = torch.rand(2, 3, 16, 24, dtype=torch.float64)
    with torch.no_grad():
        assert (made(x) - torch.cat([made(picture[None]) for picture in x])).abs().max() < 1e-10


@pytest.mark.parametrize("released", [False, True])
def test_a_pixel_changes_with_far_growth_of_the_picture_only_in_the_released_form(released: bool) -> None:
    made = network(SMALL.as_released() if released else SMALL)
    small = torch.rand(1, 3, 16, 128, dtype=torch.float64)
    wide = torch.cat((small, torch.rand(1, 3, 16, 43, dtype=torch.float64)), dim=3)
    with torch.no_grad():
        change = (made(wide)[..., :128] - made(small)).abs()
    assert change[..., 120:].max() > 1e-3  # near by, the growth is seen
    assert (change[..., :8].max() > 1e-6) == released
    assert (change[..., :8].max() < 1e-10) != released


def test_at_the_training_size_the_box_of_the_channel_attention_is_the_whole_picture() -> None:
    made, whole = network(SMALL), network(replace(SMALL, whole_image_pool=True))
    whole.load_state_dict(made.state_dict())
    x = torch.rand(1, 3, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        assert (made.restore(x) - whole.restore(x)).abs().max() < 1e-12
        x = torch.rand(1, 3, 8, 32, dtype=torch.float64)
        assert (made.restore(x) - whole.restore(x)).abs().max() > 1e-6


def test_stripes_are_shifted_only_where_the_picture_is_longer_than_they_are() -> None:
    made = network(replace(SMALL, local_connection=False))
    stripe = made.stages[0].blocks[2].attention.stripe  # of 4 x 8, shifted
    assert stripe._grid(4, 8).offset == (0, 0)
    assert stripe._grid(4, 16).offset == (0, 4)
    assert stripe._grid(8, 8).offset == (2, 0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.02), (torch.bfloat16, 0.1)])
def test_half_precision_is_near_float32(dtype: torch.dtype, tolerance: float) -> None:
    made = network(SMALL, torch.float32)
    x = torch.rand(1, 3, 24, 24)
    with torch.no_grad():
        expected = made(x)
        assert (made.to(dtype)(x.to(dtype)).float() - expected).abs().max() < tolerance * expected.abs().max()


def test_a_flat_picture_is_restored_in_half_precision() -> None:
    made = GRL(SMALL).half().eval()
    with torch.no_grad():
        assert made(torch.zeros(1, 3, 16, 16, dtype=torch.float16)).isfinite().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embed_dim": 38}, "heads do not divide half of 38"),
        ({"depths": (4, 4)}, "2 stages"),
        ({"stripe_size": (4, 10)}, "cannot be shifted by half"),
        ({"trained_size": 20}, "half the training size 20"),
        ({"picture_skip": True, "in_channels": 6}, "a picture of 6 channels"),
        ({"stem": 2}, "a stem of 2"),
    ],
)
def test_a_geometry_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_laptop_network_overfits_four_crops() -> None:
    torch.manual_seed(0)
    made = GRL(CONFIGS["tiny_laptop_x2"])
    sharp = F.interpolate(torch.rand(4, 3, 16, 16), scale_factor=4, mode="nearest")
    small = F.interpolate(sharp, scale_factor=0.5, mode="bicubic", antialias=True)
    optimizer = torch.optim.AdamW(made.parameters(), lr=2e-3)
    for _ in range(80):
        optimizer.zero_grad()
        loss = F.l1_loss(made(small), sharp)
        loss.backward()
        optimizer.step()
    enlarged = F.interpolate(small, scale_factor=2, mode="bilinear")
    assert loss < 0.5 * F.l1_loss(enlarged, sharp)
