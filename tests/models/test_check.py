from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.check import GoldenError, check
from models.iitransformer import keys
from models.iitransformer.model import IITransformer


def test_every_output_of_the_authors_code_is_reproduced(goldens: list[Path]) -> None:
    results = check(goldens)
    assert len(results) == sum(len(json.loads(path.read_text())["cases"]) for path in goldens)
    assert all(result.passed for result in results)


def test_at_the_training_size_equation_6_and_the_released_code_agree(goldens: list[Path]) -> None:
    for path in (path for path in goldens if path.stem.startswith("ii_")):
        tensors = load_file(path.with_suffix(".safetensors"))
        config = keys.config(json.loads(path.read_text())["kwargs"])
        network = IITransformer(replace(config, border="roll"))
        network.load_state_dict(keys.weights({key[11:]: t for key, t in tensors.items() if key.startswith("state_")}))
        with torch.no_grad():
            assert (network(tensors["input.0"]) - tensors["output.0"]).abs().max() < 1e-4
            assert (network(tensors["input.1"]) - tensors["output.1"]).abs().max() > 1e-3


@pytest.mark.parametrize("prefix", ["model.", "model_g."])
def test_a_published_checkpoint_loads_whatever_its_prefix(goldens: list[Path], tmp_path: Path, prefix: str) -> None:
    for source in goldens:
        renamed = {
            key.replace("state_dict.", f"state_dict.{prefix}"): tensor.contiguous()
            for key, tensor in load_file(source.with_suffix(".safetensors")).items()
        }
        save_file(renamed, tmp_path / f"{source.stem}.safetensors")
        (tmp_path / source.name).write_text(source.read_text())
    assert all(result.passed for result in check(sorted(tmp_path.glob("*.json"))))


def test_a_changed_weight_fails(goldens: list[Path], tmp_path: Path) -> None:
    source = goldens[0]
    tensors = load_file(source.with_suffix(".safetensors"))
    tensors["state_dict.conv_first.bias"] += 0.01
    save_file(tensors, tmp_path / f"{source.stem}.safetensors")
    (tmp_path / source.name).write_text(source.read_text())
    assert not any(result.passed for result in check([tmp_path / source.name]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cls": "models.Restormer"}, "there is no network for 'models.Restormer'"),
        ({"cases": None}, "not iterable"),
        ({"kwargs": {"gated": True}}, "'gated' is not known"),
        ({"kwargs": {"img_range": 255.0}}, "img_range=255.0 is not supported"),
        ({"kwargs": {"upscale": 1}}, "the weights do not fit GRL: Missing key"),
    ],
)
def test_a_golden_of_something_else_is_refused_by_name(
    goldens: list[Path], tmp_path: Path, change: dict[str, object], message: str
) -> None:
    golden = json.loads(goldens[0].read_text()) | change
    (tmp_path / "other.json").write_text(json.dumps(golden))
    (tmp_path / "other.safetensors").write_bytes(goldens[0].with_suffix(".safetensors").read_bytes())
    with pytest.raises(GoldenError, match=message):
        check([tmp_path / "other.json"])


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json"])
def test_a_file_that_is_no_golden_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content)
    with pytest.raises(GoldenError, match="broken"):
        check([path])
