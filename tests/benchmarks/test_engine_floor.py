from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from benchmarks.engine_floor import macs, rate
from export import manifest as manifests
from export.manifest import Precision


def test_a_tile_of_twice_the_side_takes_four_times_the_multiplications(artifacts: Path) -> None:
    manifest = manifests.load(artifacts / "small")
    assert macs(manifest, 128) == pytest.approx(4 * macs(manifest, 64), rel=0.02)


@pytest.mark.parametrize("precision", get_args(Precision))
def test_bare_arithmetic_is_measured_in_every_precision(precision: Precision) -> None:
    assert rate(precision, "cpu", 1) > 1e8
