from __future__ import annotations

import shutil
from pathlib import Path

import onnx_inverter
import pytest

from benchmarks import workers


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_two_real_workers_share_a_picture_and_make_the_bytes_of_one(tmp_path: Path) -> None:
    found = workers.measure(onnx_inverter.write(tmp_path), "derain", side=400, wait_ms=20)
    assert found.same_bytes
    assert found.tiles > 50
    assert found.one_s > found.tiles * 0.02
    assert 0 < found.cores <= 2.1
    assert "nothing was computed" in workers._text(found)
