from __future__ import annotations

import errno
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import onnx
import pytest
from onnx import TensorProto, helper

from export import plan_files, runners, to_onnx, to_tensorrt
from export.runners import BackendError
from export.to_tensorrt import EngineError

trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """One pointwise operator."""
    return saved(tmp_path, "Relu")


def saved(folder: Path, operator: str, side: int = 16) -> Path:
    shape = ["batch", 3, side, side]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in (to_onnx.INPUT, to_onnx.OUTPUT)]
    node = helper.make_node(operator, [to_onnx.INPUT], [to_onnx.OUTPUT])
    graph = helper.make_graph([node], "small", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", to_onnx.OPSET)]), folder / "16.onnx")
    return folder / "16.onnx"


def test_an_exported_network_parses_and_builds_without_a_gpu(graph: Path) -> None:
    assert len(to_tensorrt.build(trt, graph)) > 10_000


@pytest.mark.parametrize(("side", "batch"), [(16, 8), (512, 8), (768, 3), (1024, 2), (2048, 1)])
def test_large_tiles_come_in_small_batches(tmp_path: Path, side: int, batch: int) -> None:
    assert to_tensorrt.largest_batch(side) == batch
    assert to_tensorrt.build(trt, saved(tmp_path, "Relu", side))


def test_float32_is_computed_in_float32(small: Path) -> None:
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    assert builder.create_builder_config().get_flag(trt.BuilderFlag.TF32), "the builder's own choice"
    network = builder.create_network(0)
    tiles = network.add_input("input", trt.float32, (-1, 3, 16, 16))
    assert not to_tensorrt.configured(trt, builder, tiles).get_flag(trt.BuilderFlag.TF32)


def test_an_operator_that_is_not_supported_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"tensorrt_rtx .* cannot parse 16\.onnx: Det at "):
        to_tensorrt.build(trt, saved(tmp_path, "Det"))


def test_a_plan_is_built_once_for_each_graph_and_gpu(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = to_tensorrt.cached(trt, small, "one GPU")
    written = first.stat().st_mtime_ns
    assert to_tensorrt.cached(trt, small, "one GPU") == first
    assert first.stat().st_mtime_ns == written
    assert to_tensorrt.cached(trt, small, "another GPU") != first
    saved(small.parent, "Sigmoid")
    assert to_tensorrt.cached(trt, small, "one GPU") != first
    assert first.parent.stat().st_mode & 0o077 == 0
    assert trt.__version__ in first.name
    noted = json.loads(plan_files.note(first).read_text())
    assert (noted["gpu"], noted["version"], noted["graph"]) == (
        "one GPU",
        trt.__version__,
        f"{small.parent.name}/{small.name}",
    )


@pytest.mark.usefixtures("cache")
def test_a_plans_name_tells_the_gpus_architecture(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_tensorrt, "build", lambda *_: b"plan")
    assert f"-sm90-tensorrt_rtx-{trt.__version__}-" in to_tensorrt.cached(trt, small, "H100 sm90 driver 13000").name


@pytest.mark.usefixtures("cache")
def test_a_plan_that_is_not_as_it_was_written_is_built_anew(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_tensorrt, "build", lambda *_: b"plan")
    plan = to_tensorrt.cached(trt, small, "one GPU")
    plan.write_bytes(b"somebody else's")
    assert to_tensorrt.cached(trt, small, "one GPU").read_bytes() == b"plan"
    plan_files.note(plan).unlink()
    monkeypatch.setattr(to_tensorrt, "build", lambda *_: b"another")
    assert to_tensorrt.cached(trt, small, "one GPU").read_bytes() == b"another"


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_cache_that_others_may_write_to_is_refused(cache: Path, small: Path, mode: int) -> None:
    cache.chmod(mode)
    with pytest.raises(plan_files.UnsafeFolderError, match="can be written to by others"):
        to_tensorrt.cached(trt, small, "one GPU")


class Timings:
    """A timing cache as TensorRT has it: attached only where it was measured on this GPU."""

    def __init__(self, content: bytes, mine: bool) -> None:
        self.content, self.mine = content, mine

    def serialize(self) -> bytes:
        return self.content + b" and more"


@pytest.mark.parametrize("mine", [True, False])
def test_measurements_of_another_gpu_do_not_spoil_a_build(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mine: bool
) -> None:
    attached: list[Timings] = []

    def attach(_: object, cache: Timings, ignore_mismatch: bool) -> bool:
        attached.extend([cache] if cache.mine else [])
        return cache.mine

    monkeypatch.setattr(trt.IBuilderConfig, "create_timing_cache", lambda _, content: Timings(content, mine))
    monkeypatch.setattr(trt.IBuilderConfig, "set_timing_cache", attach)
    monkeypatch.setattr(trt.IBuilderConfig, "get_timing_cache", lambda _: attached[0] if attached else None)
    (tmp_path / "timing.cache").write_bytes(b"measured")
    assert to_tensorrt.build(trt, small, tmp_path / "timing.cache")
    assert (tmp_path / "timing.cache").read_bytes() == (b"measured and more" if mine else b"measured")


def test_each_gpu_and_version_has_its_own_measurements(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = set()

    def build(_: object, __: Path, timing_cache: Path) -> bytes:
        used.add(timing_cache)
        return b"plan"

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(to_tensorrt, "build", build)
    monkeypatch.setattr(to_tensorrt.plugin, "identity", lambda _: "no plugin")
    for version, gpu in (("11.3", "one GPU"), ("11.4", "one GPU"), ("11.4", "another GPU")):
        module = ModuleType("tensorrt")
        module.__version__ = version  # type: ignore[attr-defined]
        to_tensorrt.cached(module, small, gpu)
    assert len(used) == 3


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return plan_files.folder()


@pytest.mark.usefixtures("cache")
def test_a_graph_has_one_plan_wherever_it_lies(small: Path, tmp_path: Path) -> None:
    moved = tmp_path / "new" / small.name
    moved.parent.mkdir()
    shutil.copy(small, moved)
    assert to_tensorrt.cached(trt, moved, "one GPU") == to_tensorrt.cached(trt, small, "one GPU")


@pytest.mark.usefixtures("cache")
def test_of_several_that_want_the_same_plan_one_builds_it(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def build(*_: object) -> bytes:
        built.append(1)
        time.sleep(0.2)
        return b"plan"

    monkeypatch.setattr(to_tensorrt, "build", build)
    with ThreadPoolExecutor(3) as pool:
        plans = {*pool.map(lambda _: to_tensorrt.cached(trt, small, "one GPU"), range(3))}
    assert (len(plans), len(built)) == (1, 1)


def test_a_plan_for_which_the_disk_has_no_room_leaves_nothing_behind(
    small: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(to_tensorrt, "build", lambda *_: b"plan")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        to_tensorrt.cached(trt, small, "one GPU")
    assert not [path for path in cache.iterdir() if path.suffix != ".lock"]


def test_without_a_gpu_the_runner_says_so(small: Path) -> None:
    with pytest.raises(BackendError, match="not on cpu"):
        runners.load("tensorrt-rtx", small)
    cuda = pytest.importorskip("cuda.bindings.runtime")
    if cuda.cudaGetDeviceCount()[0] == cuda.cudaError_t.cudaSuccess:
        pytest.skip("there is a GPU here")
    with pytest.raises(BackendError, match="there is no GPU 0 here"):
        runners.load("tensorrt-rtx", small, device="cuda")
