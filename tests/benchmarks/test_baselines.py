from __future__ import annotations

import inspect

from benchmarks.baselines import stored, told
from benchmarks.classical import METHODS, Classical
from training.recipe import Recipe


def by_set(name: str) -> dict[str, Classical | None]:
    recipe = Recipe.named(name)
    return {chosen.name: told(recipe, chosen) for chosen in recipe.validation}


def test_methods_are_told_what_a_set_says_of_its_damage() -> None:
    denoise = by_set("ipt-v2-tiny-denoise")
    assert denoise["Set12 sigma 25"] == Classical("BM3D", {"sigma": 25})
    assert denoise["camera, Set14"] is denoise["PolyU"] is denoise["clean"] is None
    assert by_set("semanir-tiny-denoise")["Set5 sigma 25"] == Classical("BM3D", {"sigma": 25})
    assert by_set("grl-tiny-upscale-x3")["Set5"] == Classical("bicubic", {"scale": 3})
    assert by_set("semanir-tiny-demosaic")["Set5"] == Classical("Malvar", {})
    assert set(by_set("ipt-v2-tiny-derain").values()) == {None}


def test_what_is_stored_tells_its_method_its_settings_and_why_it_was_chosen() -> None:
    for sets in stored().values():
        for methods in sets.values():
            ((name, row),) = methods.items()
            inspect.signature(METHODS[name]).bind(**row["settings"])
            if "training_side" in row:
                best = max(row["training_side"]["tried"], key=lambda each: each["psnr_db"])
                assert best == {"method": name, **row["settings"], "psnr_db": best["psnr_db"]}
