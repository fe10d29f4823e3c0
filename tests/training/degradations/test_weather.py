from __future__ import annotations

import pytest
import torch

from training.degradations.depth import scene_depth
from training.degradations.draws import Draws
from training.degradations.drops import Drops
from training.degradations.haze import Haze, veil
from training.degradations.pale import Pale
from training.degradations.rain_fog import RainFog
from training.degradations.snow import Snow
from training.degradations.weather import Weather

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_koschmieders_law_keeps_the_scene_at_one_and_shows_the_air_at_zero() -> None:
    clean, air = torch.rand(1, 3, 4, 4), torch.rand(1, 3, 1, 1)
    assert torch.equal(veil(clean, torch.ones(1, 1, 4, 4), air), clean)
    assert torch.equal(veil(clean, torch.zeros(1, 1, 4, 4), air), air.expand_as(clean))


def test_depth_runs_from_zero_to_one_and_is_smooth() -> None:
    depth = scene_depth(Draws(generator(), CPU), torch.full((8, 3, 64, 80), 0.5))
    assert depth.shape == (8, 1, 64, 80)
    torch.testing.assert_close(depth.amin(dim=(2, 3)), torch.zeros(8, 1))
    torch.testing.assert_close(depth.amax(dim=(2, 3)), torch.ones(8, 1))
    assert depth.diff(dim=-1).abs().max() < 0.35


def test_thicker_haze_hides_more() -> None:
    clean = torch.rand(4, 3, 48, 48, generator=generator())
    spread = [
        Haze(thickness=(t, t), nearness=(1, 1), airlight=(0.8, 0.8), tint=0)(clean, generator())[0].std().item()
        / clean.std().item()
        for t in (0.2, 1.0, 2.0)
    ]
    assert spread == pytest.approx([0.819, 0.368, 0.135], abs=0.01)  # exp(-t): the same everywhere for nearness 1


def test_rain_adds_bright_streaks_to_fog() -> None:
    black = torch.zeros(4, 3, 64, 64)
    rainy, _ = RainFog(fog=Haze(thickness=(0, 0)), strength=(0.7, 0.7), density=(5e-3, 5e-3))(black, generator())
    covered = (rainy > 0.05).float().mean()
    assert 0.02 < covered < 0.7
    assert rainy.max() > 0.3


def test_snow_is_nearly_white_and_its_flakes_cover() -> None:
    snowy, _ = Snow(veil=Haze(thickness=(0, 0)))(torch.zeros(8, 3, 96, 96), generator())
    covered = (snowy > 0.3).float().mean(dim=(1, 2, 3))
    assert covered.min() > 0.001
    assert covered.max() < 0.5
    assert (snowy.amax(dim=1) - snowy.amin(dim=1)).max() < 0.06
    assert snowy.max() > 0.8


def test_a_drop_shows_the_scene_upside_down() -> None:
    # Light above, dark below; inside drops in the lower half, light from above appears.
    scene = torch.linspace(1, 0, 128)[:, None].expand(4, 3, 128, 128)
    seen, _ = Drops(fill=(1, 1), softness=(0.05, 0.05), shade=(0, 0), zoom=(3, 3))(scene, generator())
    changed = (seen - scene).abs() > 0.1
    assert 0.05 < changed.float().mean() < 0.8
    slope = seen.diff(dim=2)[changed[:, :, 1:] & changed[:, :, :-1]]
    assert (slope > 0).float().mean() > 0.7


def test_drops_leave_the_rest_of_the_window_alone() -> None:
    clean = (torch.rand(4, 3, 96, 96, generator=generator()) * 255).round() / 255
    seen, _ = Drops(fill=(0.3, 0.3))(clean, generator())
    assert ((seen - clean).abs() < 1e-6).all(dim=1).float().mean() > 0.5


def test_drops_of_share_zero_are_none() -> None:
    clean = (torch.rand(2, 3, 40, 52) * 255).round() / 255
    torch.testing.assert_close(Drops(fill=(0, 0))(clean, generator())[0], clean)


def test_each_picture_has_the_weather_of_its_lot_and_the_rest_stay_clean() -> None:
    clean = torch.rand(60, 3, 24, 24, generator=generator())
    shares = {"rain_fog_share": 0.2, "snow_share": 0.2, "drops_share": 0.2, "haze_share": 0.2}
    weathered, target = Weather(**shares)(clean, generator(1))
    assert torch.equal(target, clean)
    untouched = (weathered == clean).flatten(1).all(dim=1).float().mean()
    assert untouched.item() == pytest.approx(0.2, abs=0.15)


def test_one_weather_alone_can_be_asked_for() -> None:
    clean = torch.rand(6, 3, 32, 32)
    only = {"rain_fog_share": 0.0, "snow_share": 0.0, "drops_share": 0.0, "haze_share": 1.0}
    hazy, _ = Weather(haze=Haze(thickness=(3, 3), nearness=(1, 1), tint=0), **only)(clean, generator())
    assert hazy.std() < 0.2 * clean.std() + 0.15


def test_what_is_pale_by_itself_has_less_contrast_and_is_to_stay_so() -> None:
    clean = torch.rand(8, 3, 48, 48, generator=generator())
    pale, target = Pale(contrast=(0.5, 0.5), brightness=(0.6, 0.6), tint=0.3)(clean, generator())
    assert torch.equal(pale, target)
    torch.testing.assert_close(pale.std(dim=(2, 3)), 0.5 * clean.std(dim=(2, 3)), rtol=0.01, atol=0)
    assert (pale.mean(dim=(2, 3)).amax(dim=1) - pale.mean(dim=(2, 3)).amin(dim=1)).max() > 0.1  # of any colour


def test_pale_pictures_are_left_alone_among_the_weathers() -> None:
    clean = torch.rand(6, 3, 32, 32, generator=generator())
    only = {"rain_fog_share": 0.0, "snow_share": 0.0, "drops_share": 0.0, "haze_share": 0.0, "pale_share": 1.0}
    weathered, target = Weather(**only)(clean, generator(1))
    assert torch.equal(weathered, target)
    assert (weathered.flatten(1).std(dim=1) < clean.flatten(1).std(dim=1)).all()
