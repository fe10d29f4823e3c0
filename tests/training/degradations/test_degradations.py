from __future__ import annotations

from dataclasses import FrozenInstanceError, is_dataclass

import pytest
import torch

from training.degradations import DEGRADATIONS, create, takes
from training.degradations.ranges import DegradationError

# Rain is laid on from pairs that a user has; it is tested beside its own module.
KINDS = [kind for kind in DEGRADATIONS if kind != "rain"]


def clean_pictures(batch: int = 4, side: int = 48) -> torch.Tensor:
    down, right = torch.meshgrid(torch.linspace(0, 1, side), torch.linspace(0, 1, side), indexing="ij")
    picture = torch.stack((down, right, 0.5 + 0.5 * torch.sin(20 * down * right)))
    return (picture * 255).round().expand(batch, 3, side, side) / 255


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_is_finite_float32_and_its_target_has_the_clean_shape(kind: str) -> None:
    clean = clean_pictures()
    degraded, target = create(kind)(clean, torch.Generator().manual_seed(1))
    assert degraded.dtype == target.dtype == torch.float32
    assert target.shape == clean.shape
    assert degraded.isfinite().all()
    assert not torch.equal(degraded, target)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_fixes_the_pair_and_another_seed_gives_another(kind: str) -> None:
    clean, degrade = clean_pictures(), create(kind)
    first, again, other = (degrade(clean, torch.Generator().manual_seed(seed))[0] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (kind == "downscale")


@pytest.mark.parametrize("kind", KINDS)
def test_the_clean_pictures_are_left_alone(kind: str) -> None:
    clean = clean_pictures()
    create(kind)(clean, torch.Generator().manual_seed(1))
    assert torch.equal(clean, clean_pictures())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("noise", "mixed-noise", "downscale")])
def test_an_input_holds_what_an_8_bit_file_can(kind: str) -> None:
    degraded, _ = create(kind)(clean_pictures(), torch.Generator().manual_seed(5))
    torch.testing.assert_close(degraded * 255, (degraded * 255).round().clamp(0, 255), atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_degradation_is_a_frozen_dataclass(kind: str) -> None:
    degrade = create(kind)
    assert is_dataclass(degrade)
    with pytest.raises(FrozenInstanceError):
        degrade.new_field = 1  # type: ignore[attr-defined]


def test_every_kind_names_a_class_that_exists() -> None:
    for kind in KINDS:
        assert type(create(kind)).__name__ == DEGRADATIONS[kind].rpartition(".")[2]


# Weather, mixed and camera noise pick pictures by their numbers, which a device without memory does not have.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("weather", "mixed-noise", "camera-noise")])
def test_what_a_cpu_generator_draws_is_used_on_the_pictures_device(kind: str) -> None:
    elsewhere = clean_pictures().to("meta")  # refuses to be mixed with the CPU's tensors, as a GPU's do
    degraded, target = create(kind)(elsewhere, torch.Generator().manual_seed(0))
    assert degraded.device == target.device == elsewhere.device


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_a_cpu_generator_gives_a_gpu_the_same_pictures(kind: str) -> None:
    here, _ = create(kind)(clean_pictures(), torch.Generator().manual_seed(6))
    there, target = create(kind)(clean_pictures().cuda(), torch.Generator().manual_seed(6))
    assert there.is_cuda
    assert target.is_cuda
    # Rounding to 8 bits, and JPEG's coefficients, may fall to the other side for a few pixels.
    assert (here - there.cpu()).abs().mean() < 0.5 / 255


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_generator_draws_on_the_gpu(kind: str) -> None:
    degraded, _ = create(kind)(clean_pictures().cuda(), torch.Generator("cuda").manual_seed(6))
    assert degraded.is_cuda


def test_options_of_a_recipe_become_ranges_and_parts() -> None:
    weather = create("weather", haze_share=0.5, rain_fog_share=0, snow={"density": [0.001, 0.002]})
    assert weather.snow.density == (0.001, 0.002)  # type: ignore[attr-defined]
    assert weather.haze_share == 0.5  # type: ignore[attr-defined]


def test_a_part_keeps_what_its_whole_gives_it() -> None:
    rain_fog = create("rain-fog", fog={"tint": 0.0})
    assert rain_fog.fog.airlight == create("rain-fog").fog.airlight  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("fog", {}, "there is no degradation 'fog'; there are rain, noise"),
        ("noise", {"sgima": [0, 1]}, "noise has no field 'sgima'; it has sigma"),
        ("noise", {"sigma": [10, 5]}, "sigma must be a range"),
        ("noise", {"sigma": [0, float("nan")]}, "sigma must be a range"),
        ("noise", {"sigma": 25}, "sigma must be a range"),
        ("noise", {"sigma": [0, "x"]}, "sigma must be a range"),
        ("noise", {"sigma": {"a": 1}}, "noise.sigma takes a value, not a table"),
        ("noise", {"grey_share": 1.5}, "grey_share must be a probability"),
        ("jpeg", {"quality": [0, 50]}, "quality must be a range"),
        ("weather", {"snow_share": 0.9}, "must not exceed 1 together"),
        ("weather", {"snow": {"density": [0, 1]}}, "density must be a range"),
        ("downscale", {"scale": 5}, "scale must be 2, 3 or 4"),
        ("mosaic", {"pattern": "rgbg"}, "pattern must be one of rggb"),
    ],
)
def test_nonsense_is_refused_when_it_is_made(kind: str, options: dict, said: str) -> None:
    with pytest.raises(DegradationError, match=said):
        create(kind, **options)


def test_a_part_takes_a_table() -> None:
    with pytest.raises(DegradationError, match=r"weather\.drops takes a table, not 3"):
        create("weather", drops=3)


def test_it_is_known_which_degradations_take_pairs() -> None:
    assert [kind for kind in DEGRADATIONS if takes(kind, "pairs")] == ["rain"]
