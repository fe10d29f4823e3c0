from __future__ import annotations

import argparse
import json

import pytest
import torch

from benchmarks import training
from models.layers.rep_conv import RepDepthwise, RepPointwise


def test_a_recipes_speed_is_told_with_its_networks_as_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "ENOUGH_S", 0.01)
    threads = torch.get_num_threads()
    parser = argparse.ArgumentParser()
    training.add_arguments(parser)
    assert training.run(parser.parse_args(["ipt-v2-tiny-defocus", "--json"])) == 0
    torch.set_num_threads(threads)
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["crop"] == 128
    assert row["crops_per_s"] > row["crops_per_s_as_written"] > 0
    assert 0 < row["share_of_matrix_rate"] < 1


def test_as_written_is_the_same_function_and_ends_when_it_is_left() -> None:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(RepPointwise(4, 8), RepDepthwise(8))
    x = torch.rand(1, 6, 6, 4)
    forward = RepPointwise.forward
    with training.as_written():
        assert RepPointwise.forward is RepPointwise.branches
        written = layers(x)
    assert RepPointwise.forward is forward
    assert (layers(x) - written).abs().max() < 1e-5
