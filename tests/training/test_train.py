from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from training.batches import RecipeBatches
from training.beginning import Beginning
from training.checkpoint import CheckpointError, alone_in, origin
from training.recipe import Recipe
from training.train import Trainer, TrainError
from training.validation import Validation

RECIPE = """
name = "test"
task = "denoise"
network = "ipt_v2"
config = "tiny"
[data]
about = "one picture"
clean = ["clean"]
[degradation]
kind = "noise"
[schedule]
steps = {steps}
lr = 2e-3
warmup_steps = 1
validate_every = 2
phases = [{{ until = 1.0, patch = 32, batch = 1 }}]
[[validation]]
name = "noisy"
folder = "val"
degradation = {{ sigma = [25, 25] }}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one self-made picture, to train on and to be judged by."""
    y, x = np.mgrid[:48, :40]
    waves = np.stack([np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 11)], axis=-1)
    for folder in ("clean", "val"):
        (tmp_path / folder).mkdir()
        Image.fromarray((waves * 100 + 128).astype(np.uint8)).save(tmp_path / folder / "waves.png")
    return tmp_path


def trainer(
    data: Path, run: Path, steps: int, beginning: Beginning | None = None, changed: Mapping[str, str] | None = None
) -> Trainer:
    path = data / f"{steps}.toml"
    text = RECIPE.format(steps=steps)
    for old, new in (changed or {}).items():
        text = text.replace(old, new)
    path.write_text(text)
    recipe = Recipe.read(path)
    device = torch.device("cpu")
    return Trainer(recipe, RecipeBatches(recipe, data, device), Validation(recipe, data), run, device, beginning)


def test_a_run_leaves_weights_a_history_and_curves(data: Path, tmp_path: Path) -> None:
    progress = trainer(data, tmp_path / "run", 2).train()
    assert progress.step == progress.pictures == 2
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "best.safetensors",
        "checkpoint.pt",
        "curves.png",
        "history.json",
    }
    assert np.isfinite(progress.history[-1]["noisy"])
    kept = load_file(tmp_path / "run" / "best.safetensors")
    assert not any(name.endswith((".first", ".second")) for name in kept), "pairs of matrices are kept as their product"


def test_a_recipe_may_say_what_a_shift_of_colours_costs(data: Path, tmp_path: Path) -> None:
    costs = {"patch = 32, batch = 1": "patch = 32, batch = 1, colour_shift = 9.0"}
    free, dear = (
        trainer(data, tmp_path / name, 20, changed=changed).train().history[-1]["loss"]
        for name, changed in (("free", None), ("dear", costs))
    )
    assert dear > free


def test_a_run_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(data: Path, tmp_path: Path) -> None:
    straight = trainer(data, tmp_path / "straight", 4)
    straight.train()
    halved = trainer(data, tmp_path / "halved", 4)
    for share in (0.0, 0.25):
        halved._step(halved.network, share)
    halved._save()
    resumed = trainer(data, tmp_path / "halved", 4)
    assert resumed.progress.step == 2
    resumed.train()
    for mine, expected in zip(resumed.network.parameters(), straight.network.parameters(), strict=True):
        assert torch.equal(mine, expected)


def test_weights_tell_what_they_grew_from_also_after_a_stop(data: Path, tmp_path: Path) -> None:
    trainer(data, tmp_path / "first", 2).train()
    first = tmp_path / "first" / "best.safetensors"
    assert origin(first) is None
    (tmp_path / "known-3.safetensors").write_bytes(first.read_bytes())
    grown = trainer(data, tmp_path / "grown", 2, Beginning.read(tmp_path / "known-3.safetensors"))
    grown._save()
    trainer(data, tmp_path / "grown", 2).train()
    assert origin(tmp_path / "grown" / "best.safetensors") == "known-3"


def test_the_best_weights_of_a_run_that_goes_on_are_judged_by_the_recipe_as_it_is_now(
    data: Path, tmp_path: Path
) -> None:
    begun = trainer(data, tmp_path / "run", 4)
    begun._step(begun.network, 0.0)
    begun._validate()
    begun.progress.best_psnr = 99.0  # as another recipe would have had it
    begun._save()
    assert trainer(data, tmp_path / "run", 4).progress.best_psnr == pytest.approx(
        begun.progress.history[-1]["noisy"], abs=0.01
    )


def test_a_time_limit_ends_the_schedule(data: Path, tmp_path: Path) -> None:
    assert trainer(data, tmp_path / "run", 1000).train(limit_s=1e-3).step <= 1


def test_a_run_that_diverged_keeps_nothing_of_it(data: Path, tmp_path: Path) -> None:
    diverged = trainer(data, tmp_path / "run", 2)
    next(diverged.network.parameters()).data.fill_(float("nan"))
    with pytest.raises(TrainError, match="run has diverged by step 1; lower the recipe's lr"):
        diverged.train()
    assert not list((tmp_path / "run").iterdir())


def test_a_run_that_is_asked_to_stop_saves_and_goes_on_from_there(data: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainer(data, tmp_path / "run", 4).train(stopping=lambda: True)
    assert trainer(data, tmp_path / "run", 4).progress.step == 1


def test_weights_without_a_checkpoint_are_not_overwritten(data: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "best.safetensors").write_bytes(b"of long ago")
    with pytest.raises(
        CheckpointError, match="run holds weights but no checkpoint: name another --run, or --init them"
    ):
        trainer(data, tmp_path / "run", 2)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no checkpoint at all"])
def test_a_checkpoint_that_cannot_be_read_is_named(data: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt cannot be read: .*; move it away to begin anew"):
        trainer(data, tmp_path / "run", 2)


def test_another_recipes_run_is_not_gone_on_with(data: Path, tmp_path: Path) -> None:
    trainer(data, tmp_path / "run", 2)._save()
    with pytest.raises(CheckpointError, match=r"a run of test \(denoise, ipt_v2/tiny\), not of test \(dejpeg, "):
        trainer(data, tmp_path / "run", 2, changed={'"denoise"': '"dejpeg"'})


def test_a_checkpoint_that_does_not_say_whose_it_is_is_gone_on_with_if_it_fits(data: Path, tmp_path: Path) -> None:
    begun = trainer(data, tmp_path / "run", 2)
    begun.progress.step = 1
    begun._save()
    path = tmp_path / "run" / "checkpoint.pt"
    parts = torch.load(path, weights_only=True)
    del parts["recipe"]
    torch.save(parts, path)
    assert trainer(data, tmp_path / "run", 2).progress.step == 1
    with pytest.raises(CheckpointError, match="a run of another network"):
        trainer(data, tmp_path / "run", 2, changed={'"tiny"': '"tiny_deep"'})


def test_a_run_that_goes_on_is_optimised_as_its_recipe_says_now(data: Path, tmp_path: Path) -> None:
    trainer(data, tmp_path / "run", 2)._save()
    changed = {"warmup_steps": "betas = [0.8, 0.9]\nweight_decay = 0.5\nwarmup_steps"}
    (group,) = trainer(data, tmp_path / "run", 2, changed=changed).optimizer.param_groups
    assert (group["betas"], group["weight_decay"]) == ((0.8, 0.9), 0.5)


def test_a_run_by_muon_that_goes_on_ends_as_one_that_was_not_cut(data: Path, tmp_path: Path) -> None:
    changed = {"warmup_steps": 'optimizer = "muon"\nwarmup_steps'}
    whole = trainer(data, tmp_path / "whole", 4, changed=changed)
    assert all(torch.equal(whole.average.state[name], value) for name, value in whole.network.state_dict().items())
    whole.train()
    cut = trainer(data, tmp_path / "cut", 4, changed=changed)
    with pytest.raises(KeyboardInterrupt):
        cut.train(stopping=lambda: cut.progress.step == 2)
    trainer(data, tmp_path / "cut", 4, changed=changed).train()
    first, second = (load_file(tmp_path / name / "best.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(CheckpointError, match="another network or optimizer"):
        trainer(data, tmp_path / "cut", 4)


def test_a_folder_that_is_trained_in_is_not_trained_in_twice(tmp_path: Path) -> None:
    first, second = alone_in(tmp_path / "run"), alone_in(tmp_path / "run")
    with first, pytest.raises(CheckpointError, match="run is in use by another run"), second:
        raise AssertionError("two runs in one folder")
    with alone_in(tmp_path / "run"):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said_and_what_was_saved_stays(data: Path, tmp_path: Path) -> None:
    begun = trainer(data, tmp_path / "run", 2)
    begun._save()
    saved = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    (tmp_path / "run" / "checkpoint.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"checkpoint\.pt cannot be written: "):
        begun._save()
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == saved


def test_a_run_is_validated_once_at_its_end_and_not_again(data: Path, tmp_path: Path) -> None:
    trainer(data, tmp_path / "run", 2).train()
    history = trainer(data, tmp_path / "run", 2).train().history
    assert [row["step"] for row in history] == [2]


def test_a_history_is_json_from_the_first_step_on(data: Path, tmp_path: Path) -> None:
    trainer(data, tmp_path / "run", 2).train()

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    (row,) = json.loads((tmp_path / "run" / "history.json").read_text(), parse_constant=refuse)
    assert row["loss"] > 0
