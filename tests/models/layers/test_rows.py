from __future__ import annotations

from math import prod
from pathlib import Path

import pytest
import torch
from torch import nn

from export.fold import fold
from export.to_onnx import export
from models.build import create
from models.layers.rows import added, beside, by_rows

CONFIGS = {"ipt_v2": "tiny_deep", "iitransformer": "tiny", "grl": "tiny_laptop_x2", "kit": "tiny_deblur"}


def test_rows_are_only_another_view_of_a_map() -> None:
    x, y = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5).permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3)
    norm = nn.LayerNorm(5)
    assert torch.equal(added(x, y), x + y)
    assert torch.equal(beside(x, y[..., :2]), torch.cat([x, y[..., :2]], dim=-1))
    assert torch.equal(by_rows(norm, x), norm(x))


@pytest.mark.filterwarnings("ignore")  # the exporter's own
@pytest.mark.parametrize("network", CONFIGS)
def test_openvino_copies_no_map_into_another_layout_on_its_way_out_of_a_convolution(
    network: str, tmp_path: Path
) -> None:
    ov = pytest.importorskip("openvino")
    made = fold(create(network, CONFIGS[network]).eval())
    side = -(-128 // made.lattice) * made.lattice
    export(made, tmp_path / "graph.onnx", side)
    core = ov.Core()
    model = core.read_model(tmp_path / "graph.onnx")
    model.reshape([1, 3, side, side])
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    copied = []
    for node in compiled.get_runtime_model().get_ordered_ops():
        said = node.get_rt_info()
        kind, layout = (said[key].astype(str) if key in said else "" for key in ("layerType", "outputLayouts"))
        shape = list(node.output(0).shape) if node.outputs() else []
        # A "fake" one takes no time; pictures are of one layout outside and of another for their convolution.
        fake = node.friendly_name.endswith("fake")
        if kind in ("Reorder", "Transpose") and layout == "acdb" and not fake and prod(shape) > 3 * side**2:
            copied.append((node.friendly_name, shape))
    assert not copied
