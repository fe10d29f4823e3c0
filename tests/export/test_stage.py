from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch

from export import custom_operator, stage, to_onnx
from export import manifest as manifests
from export.manifest import Precision, Seams
from export.stage import Options, OptionsError
from export.subject import Subject
from export.to_onnx import ExportError
from models import build
from models.network import RestorationNetwork


@pytest.fixture(autouse=True)
def _generated_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNSEAM_DATA", raising=False)


def test_a_network_whose_graph_is_not_right_is_not_exported(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = to_onnx.export

    def wrong(network: RestorationNetwork, path: Path, tile: int, precision: Precision) -> int:
        wrong_network = copy.deepcopy(network)
        wrong_network.head.weight.data += 0.1
        return honest(wrong_network, path, tile, precision)

    monkeypatch.setattr(to_onnx, "export", wrong)
    with pytest.raises(ExportError, match=r"ipt-v2-test on onnx is off by .* at tile 64: .* layer 'head' first"):
        stage.export(subject, tmp_path, Options(backends=("onnx",), tiles=(64,)))
    assert not (tmp_path / manifests.FILE_NAME).exists()


def test_a_halo_that_came_with_the_weights_is_measured_and_not_searched(subject: Subject, tmp_path: Path) -> None:
    manifest = stage.export(replace(subject, halo=16), tmp_path, Options(backends=("onnx",), tiles=(64, 96)))
    assert manifest.halo == 16
    assert [(one.tile, one.halo) for one in manifest.seams] == [(64, 16)]  # the smallest tile with a core inside it


def test_in_half_precision_files_and_manifest_say_so_and_the_torch_backend_rounds_as_well(
    subject: Subject, tmp_path: Path
) -> None:
    model = copy.deepcopy(subject.model)
    with torch.no_grad():
        model.head.weight *= 0.1  # what a network adds to a picture is small once it is trained
    options = Options(backends=("torch",), tiles=(64,), precision="bf16")
    manifest = stage.export(replace(subject, model=model, halo=16), tmp_path, options)
    assert manifest.precision == "bf16"
    assert [graph.file for graph in manifest.graphs] == ["64-bf16.onnx"]
    assert manifest.backends == ("torch",)
    (figures,) = manifest.parity
    assert 60 <= figures.psnr_db < 100


def test_what_half_precision_makes_too_rough_is_not_exported(subject: Subject, tmp_path: Path) -> None:
    model = copy.deepcopy(subject.model)
    with torch.no_grad():
        model.head.weight *= 1000
    options = Options(tiles=(64,), precision="fp16")
    with pytest.raises(ExportError, match=r"is at .* dB in fp16 \(at least 60 dB\) at tile 64: "):
        stage.export(replace(subject, model=model), tmp_path, options)


def test_bf16_needs_a_backend_that_computes_in_it() -> None:
    for backends in ((), ("onnx", "torch")):
        with pytest.raises(OptionsError, match="ONNX Runtime does not compute in bf16 on the CPU: choose tensorrt"):
            Options(backends=backends, precision="bf16")


def test_the_form_of_key_semantic_attention_can_be_chosen(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = replace(build.configs("semanir")["tiny_demosaic"], down=((), (1,)), up=((),))
    model = build.create("semanir", config).eval()
    demosaic = Subject(model, "own", 1, "demosaic", "semanir", None, "0" * 64, "", default=False, halo=16)
    options = Options(backends=("onnx",), tiles=(64,), attention="operator", trust_halo=True)
    manifest = stage.export(demosaic, tmp_path, options)
    assert (manifest.attention, manifest.variants) == ("operator", ())
    assert [node.op_type for node in custom_operator.nodes(onnx.load(tmp_path / "64-fp32.onnx"))] == [
        "key_semantic_attention"
    ]
    staged_graphs = [onnx.load(path) for path in tmp_path.glob("staged-*.onnx")]
    assert staged_graphs
    assert not any(custom_operator.nodes(graph) for graph in staged_graphs)


def test_openvino_takes_no_operator_of_ours() -> None:
    assert Options(attention="operator").backends == ("onnx",)
    with pytest.raises(OptionsError, match="choose mask or gather, or leave openvino out"):
        Options(backends=("openvino",), attention="operator")


def test_a_trusted_halo_costs_no_measurement(subject: Subject, tmp_path: Path) -> None:
    options = Options(backends=("onnx",), tiles=(64,), trust_halo=True)
    manifest = stage.export(replace(subject, halo=16), tmp_path, options)
    assert (manifest.halo, manifest.seams) == (16, ())


def test_the_figures_of_a_trusted_halo_come_with_it(subject: Subject, tmp_path: Path) -> None:
    shown = {"pictures": 4, "photographs": True, "p999_lsb": 0.1, "equal_8bit": 0.99, "psnr_db": 80.0, "jump": 1.0}
    seams = Seams(tile=64, halo=16, max_lsb=0.2, **shown)
    for halo, told in ((16, (seams,)), (8, ())):  # of another halo they say nothing
        folder = tmp_path / str(halo)
        folder.mkdir()
        options = Options(backends=("onnx",), tiles=(64,), trust_halo=True)
        manifest = stage.export(replace(subject, halo=halo, seams=seams), folder, options)
        assert (manifest.halo, manifest.seams) == (halo, told)


def test_an_engine_that_no_gpu_has_run_is_told_apart_from_what_was_compared(subject: Subject, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU to run it")
    options = Options(backends=("tensorrt-rtx",), tiles=(64,), trust_halo=True)
    manifest = stage.export(replace(subject, halo=16), tmp_path, options)
    assert manifest.backends == ("tensorrt-rtx", "onnx")
    assert manifest.built == ("tensorrt-rtx",)
    assert {one.backend for one in manifest.parity} == {"onnx"}


def test_tiles_suit_one_pass_on_engines_and_where_there_are_no_segments() -> None:
    assert Options().ladder(128) == Options(one_pass=False).ladder(128) == (256, 512)
    assert Options(one_pass=True).ladder(128) == (256, 512, 1024)
    assert Options(backends=("tensorrt",)).ladder(128) == (256, 512, 1024)
    assert Options(precision="fp16").ladder(128) == (256, 512, 1024)


def test_tiles_that_are_asked_for_are_only_raised_to_the_lattice() -> None:
    assert Options(backends=("tensorrt",), tiles=(100, 512)).ladder(128) == (128, 512)
    assert Options(tiles=(256,)).ladder(32, scale=4) == (256,)
