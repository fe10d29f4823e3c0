from __future__ import annotations

import argparse
import json

import pytest

from benchmarks import command


def test_a_picture_goes_through_in_little_memory(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args(["gigapixel", "--megapixels", "2", "--json"])) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["width"] * row["height"] == pytest.approx(2e6, rel=0.01)
    assert row["megapixels"] == pytest.approx(2, rel=0.01)
    assert 30 < row["peak_mb"] < 500
    assert row["output_mb"] > 1
