from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto

from export import parity, to_onnx, to_tensorrt
from export.figures import difference
from export.fold import fold
from export.manifest import Precision
from export.precision import DTYPES, lower
from models import build
from models.kit.hashing import bucket
from models.network import RestorationNetwork

TILE = 64


@pytest.mark.parametrize(("precision", "least_db"), [("fp16", 60), ("bf16", 42)])
def test_a_lowered_network_is_near_the_network_from_float32_to_float32(
    network: RestorationNetwork, precision: Precision, least_db: float
) -> None:
    inputs = parity.tiles(TILE, 3)  # the random weights change a picture by far more than trained ones do
    found = parity.answers(lower(network, precision), inputs)
    assert network.restore(torch.from_numpy(inputs[:1])).dtype == torch.float32
    assert least_db <= difference(parity.expected(network, inputs), found).psnr_db < 100


def test_the_argument_is_left_alone(network: RestorationNetwork) -> None:
    lower(network, "fp16")
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert not any(module._forward_pre_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("precision", "element", "wide"),
    [("fp16", TensorProto.FLOAT16, 0), ("bf16", TensorProto.BFLOAT16, 2)],  # the picture's own two convolutions
)
def test_tensorrt_builds_a_graph_whose_products_are_narrow_and_whose_norms_are_not(
    network: RestorationNetwork, tmp_path: Path, precision: Precision, element: int, wide: int
) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    path = tmp_path / "64.onnx"
    to_onnx.export(fold(network), path, TILE, precision)
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    types |= {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
    products = Counter(types[node.input[0]] for node in model.graph.node if node.op_type in ("Conv", "MatMul"))
    norms = {types[node.input[0]] for node in model.graph.node if node.op_type == "LayerNormalization"}
    ends = {value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)}
    assert (norms, ends) == ({TensorProto.FLOAT}, {TensorProto.FLOAT})
    assert products.pop(TensorProto.FLOAT, 0) == wide
    assert set(products) == {element}
    assert len(to_tensorrt.build(trt, path)) > 10_000


@pytest.mark.parametrize(("architecture", "config"), [("semanir", "tiny_denoise"), ("kit", "tiny_deblur")])
def test_selection_sees_the_same_numbers_in_every_precision(
    architecture: str, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build.create(architecture, config).eval()
    for precision in ("fp16", "bf16"):
        lowered = lower(network, precision)
        for name, buffer in lowered.named_buffers():
            torch.testing.assert_close(buffer, network.get_buffer(name), rtol=0, atol=0)
    x = torch.randn(1, 8, 12)
    rotation = torch.randn(12, 8)
    assert bucket(x.to(DTYPES["fp16"]), rotation, 2).equal(bucket(x.half().float(), rotation, 2))
