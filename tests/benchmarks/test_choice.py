from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks import choice
from benchmarks.choice import Choice
from benchmarks.classical import METHODS, Array, Classical
from training.recipe import RECIPES, Recipe

SCHEDULE = {"steps": 1, "lr": 1e-3, "phases": [{"until": 1.0, "patch": 128, "batch": 1}]}


def recipe(*validation: dict[str, Any], **changes: Any) -> Recipe:
    made: dict[str, Any] = {
        "name": "r",
        "task": "denoise",
        "network": "n",
        "config": "c",
        "data": {"about": "", "clean": ["clean"]},
        "degradation": {"kind": "noise"},
        "schedule": SCHEDULE,
        "validation": validation,
    }
    return Recipe(**made | changes)


def save(path: Path, colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((200, 200, 3), colour, np.uint8)).save(path)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One grey photograph to train on, one red to validate on in the same folder; methods that need no package."""
    save(tmp_path / "clean" / "grey.png", (128, 128, 128))
    save(tmp_path / "clean" / "red.png", (255, 0, 0))

    def mean(x: Array) -> Array:
        return np.broadcast_to(x.mean(axis=(0, 1)), x.shape)

    monkeypatch.setitem(METHODS, "mean", lambda share: lambda x: share * mean(x) + (1 - share) * x)  # type: ignore[arg-type]
    candidates = tuple(Classical("mean", {"share": share}) for share in (0.5, 1.0, 0.0))
    monkeypatch.setattr(choice, "CANDIDATES", {"denoise": candidates})
    monkeypatch.setattr(choice, "PICTURES", 3)
    return tmp_path


NOISY = {"name": "red", "folder": "clean", "pictures": ["red.png"], "degradation": {"sigma": [25, 25]}}


def test_the_candidate_of_the_highest_psnr_is_chosen_and_all_are_told(data: Path) -> None:
    made = recipe(NOISY)
    found = Choice(made, data).of(made.validation[0])
    assert found is not None
    best, record = found
    assert best == Classical("mean", {"share": 1.0})
    assert record["pictures"] == 3
    assert record["input_psnr_db"] == pytest.approx(20.17, abs=0.1)
    assert [(each["method"], each["share"]) for each in record["tried"]] == [
        ("mean", 0.5),
        ("mean", 1.0),
        ("mean", 0.0),
    ]
    decibels = [each["psnr_db"] for each in record["tried"]]
    assert decibels[1] == 50
    assert decibels[0] == pytest.approx(20.17 + 6.02, abs=0.1)
    assert decibels[2] == pytest.approx(record["input_psnr_db"], abs=0.1)


def test_pictures_that_are_validated_on_have_no_say(data: Path) -> None:
    made = recipe(NOISY)
    targets = [example.target for example in Choice(made, data).training_side(made.validation[0])]
    assert len(targets) == 3
    assert all((target == np.float32(128 / 255)).all() for target in targets)


def test_the_training_side_has_the_sets_damage_and_is_the_same_every_time(data: Path) -> None:
    made = recipe(NOISY)
    first, second = (list(Choice(made, data).training_side(made.validation[0])) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.degraded, other.degraded)
        assert (one.degraded - one.target).std() * 255 == pytest.approx(25, rel=0.05)
    assert not np.array_equal(first[0].degraded, first[1].degraded)


def test_drawn_pages_have_no_say(data: Path) -> None:
    made = recipe(NOISY, data={"about": "", "clean": ["clean"], "pages": 2})
    assert all(
        (each.target == each.target[0, 0]).all() for each in Choice(made, data).training_side(made.validation[0])
    )


def test_of_pairs_those_are_shown_that_are_trained_on(data: Path) -> None:
    lines = ["rainy\tclean\tset"]
    for index, name in enumerate(("a", "b", "c", "d", "e", "other")):
        save(data / "rain" / f"{name}.png", (index, index, index))
        lines.append(f"{name}.png\t../clean/grey.png\t{'another' if name == 'other' else 'ours'}")
    (data / "rain" / "pairs.tsv").write_text("\n".join(lines) + "\n")
    chosen = {"name": "Rain", "pairs": "ours"}
    kept = {"about": "", "clean": ["clean"], "pairs": "rain", "held_out": ["c.png"]}
    made = recipe(chosen, data=kept, degradation={"kind": "rain"})
    shown = list(Choice(made, data).training_side(made.validation[0]))
    assert [example.name for example in shown] == ["a.png", "b.png", "e.png"]
    assert shown[1].degraded.shape == (192, 192, 3)
    assert shown[1].degraded[0, 0, 0] == np.float32(1 / 255)
    assert shown[1].target[0, 0, 0] == np.float32(128 / 255)


def test_pairs_of_files_take_the_choice_of_the_set_whose_damage_is_theirs(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for half in ("real", "mean"):
        save(data / "val" / f"1_{half}.png", (9, 9, 9))
    monkeypatch.setattr(choice, "KIN", {"photographs": "red"})
    files = {"folder": "val", "input": "*_real.png", "target": "*_mean.png"}
    made = recipe(NOISY, {"name": "photographs"} | files, {"name": "without kin"} | files)
    choices = Choice(made, data)
    assert choices.of(made.validation[1]) == choices.of(made.validation[0]) is not None
    assert choices.of(made.validation[2]) is None


def test_clean_pictures_and_tasks_without_candidates_have_no_method(data: Path) -> None:
    made = recipe(NOISY | {"degradation": {}, "clean": True})
    assert Choice(made, data).of(made.validation[0]) is None
    other = recipe(NOISY, task="demosaic")
    assert Choice(other, data).of(other.validation[0]) is None


def test_kin_are_sets_of_one_recipe() -> None:
    names = [{each.name for each in Recipe.read(path).validation} for path in RECIPES.glob("*.toml")]
    for kin in choice.KIN.values():
        assert any(kin in together for together in names)
