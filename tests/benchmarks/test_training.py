from __future__ import annotations

import argparse
import json

import pytest
import torch

from benchmarks import training


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
