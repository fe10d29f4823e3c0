from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.engine_runtimes import COMPILED, EAGER, WRITTEN, runtimes
from export import manifest as manifests
from export.manifest import Backend

TORCH = [WRITTEN, EAGER, COMPILED]


@pytest.mark.parametrize(
    ("backends", "device", "made", "left_out"),
    [
        (("openvino", "onnx", "torch"), "cpu", ["openvino", "onnx"], {}),
        (("tensorrt-rtx", "onnx"), "cpu", ["onnx"], {"tensorrt-rtx": "needs a GPU"}),
        (
            ("openvino", "onnx", "torch"),
            "cuda",
            ["onnx", "tensorrt", "tensorrt-rtx"],
            {"openvino": "computes on the CPU alone"},
        ),
        (("tensorrt-rtx",), "cuda", ["tensorrt-rtx", "tensorrt"], {}),  # bfloat16, of which ONNX Runtime has none
    ],
)
def test_a_device_has_its_runtimes_and_the_others_of_an_artifact_are_told_of(
    artifacts: Path, backends: tuple[Backend, ...], device: str, made: list[str], left_out: dict[str, str]
) -> None:
    manifest = manifests.load(artifacts / "small").model_copy(update={"backends": backends})
    there_are, others = runtimes(artifacts / "small", manifest, 64, device, 1)
    assert list(there_are) == [*TORCH, *made]
    assert others == left_out


def test_every_runtime_takes_and_gives_arrays(artifacts: Path) -> None:
    made, _ = runtimes(artifacts / "small", manifests.load(artifacts / "small"), 64, "cpu", 1)
    tiles = np.random.default_rng(0).random((1, 3, 64, 64), dtype=np.float32)
    for name in (WRITTEN, EAGER, "onnx"):
        make, arguments = made[name]
        answer = make(*arguments)(tiles)
        assert isinstance(answer, np.ndarray), name
        assert (answer.shape, answer.dtype) == (tiles.shape, tiles.dtype), name
