"""An ONNX graph becomes a TensorRT plan, for TensorRT 11 and TensorRT for RTX alike: their Python APIs are the same.

Networks are strongly typed: the precision is the graph's own, no flag of the builder's. A plan is good for one version
of TensorRT on one kind of GPU, and it is code: so plans are built where they run, kept in that machine's cache under a
name that holds all they depend on, and never taken from an artifact.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from export import plan_files, plugin, storage
from export.manifest import file_sha256
from export.runners import BackendError

MAX_BATCH: Final = 8
MAX_PIXELS: Final = MAX_BATCH * 512 * 512  # a plan claims its memory for the largest batch, whether that comes or not


class EngineError(BackendError):
    """TensorRT is there and cannot parse, build or load a graph; the message is its own."""


def largest_batch(side: int) -> int:
    """Tiles of `side` x `side` that a plan takes at once: 8, or 2 of 1024."""
    return max(1, min(MAX_BATCH, MAX_PIXELS // side**2))


def build(trt: ModuleType, graph: Path, timing_cache: Path | None = None) -> bytes:
    """Parse and build the graph for batches of 1 tile to `largest_batch`; the serialized plan.

    Args:
        trt: the module `tensorrt` (builds on a GPU only) or `tensorrt_rtx` (builds anywhere, for RTX cards).
        graph: the ONNX file.
        timing_cache: file that keeps what the builder measured, read and written; builds after the first are faster.
            One of another GPU or version is left alone.

    Raises:
        EngineError: an operator or a shape is not supported, or the build failed.
    """
    plugin.register(trt)
    logger = _log(trt)
    builder = trt.Builder(logger)
    network = builder.create_network(_strongly_typed(trt))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(graph)):
        faults = "; ".join(_fault(parser.get_error(index)) for index in range(parser.num_errors))
        raise EngineError(f"{trt.__name__} {trt.__version__} cannot parse {graph.name}: {faults}")
    config = configured(trt, builder, network.get_input(0))
    timings = config.create_timing_cache(_read(timing_cache)) if timing_cache else None
    timed = timings is not None and config.set_timing_cache(timings, ignore_mismatch=False)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f"{trt.__name__} {trt.__version__} cannot build {graph.name}: {logger.last_error}")
    if timing_cache and timed:
        plan_files.write(timing_cache, bytes(config.get_timing_cache().serialize()))
    return bytes(plan)


def configured(trt: ModuleType, builder: Any, tiles: Any) -> Any:
    """The builder's configuration for a network of this input: any batch up to the largest, float32 in float32."""
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # set by default; its 10 bits would cost the parity with the network
    profile = builder.create_optimization_profile()
    largest = largest_batch(tiles.shape[-1])
    profile.set_shape(tiles.name, *((batch, *tiles.shape[1:]) for batch in (1, max(1, largest // 2), largest)))
    config.add_optimization_profile(profile)
    return config


def cached(trt: ModuleType, graph: Path, gpu: str) -> Path:
    """The plan of a graph on this machine, built if its cache does not have it, by one process at a time.

    Args:
        trt: `tensorrt` or `tensorrt_rtx`.
        graph: the ONNX file.
        gpu: all of the GPU that a plan depends on: name, compute capability, driver.

    Raises:
        EngineError: as `build`.
        UnsafeFolderError: others may write to the cache.
    """
    folder, about = plan_files.folder(), _about(trt, graph, gpu)
    key = hashlib.sha256("\n".join(about.values()).encode()).hexdigest()[:16]
    architecture = next(iter(re.findall(r"\bsm\d+\b", gpu)), "sm")
    plan = folder / f"{graph.stem}-{architecture}-{trt.__name__}-{trt.__version__}-{key}.plan"
    if not plan_files.is_whole(plan):
        with storage.locked(folder, plan.name):
            if not plan_files.is_whole(plan):  # another process may have built it meanwhile
                content = build(trt, graph, _timings(trt, folder, gpu))
                plan_files.save(plan, content, {"graph": f"{graph.parent.name}/{graph.name}", **about})
    return plan


def _fault(error: Any) -> str:
    """`Reshape at /encoders.0/...: what is wrong`, without the lines on CUDA that follow on a machine without a GPU."""
    return f"{error.node_operator()} at {error.node_name() or 'the input'}: {error.desc().partition(chr(10) + '[')[0]}"


def _about(trt: ModuleType, graph: Path, gpu: str) -> dict[str, str]:
    """Everything a plan depends on."""
    return {
        "graph_sha256": file_sha256(graph),
        "builder": trt.__name__,
        "version": trt.__version__,
        "gpu": gpu,
        "batches": f"up to {MAX_BATCH} tiles, {MAX_PIXELS} pixels",
        "flags": "no TF32",
        "plugin": plugin.identity(trt),
    }


def _strongly_typed(trt: ModuleType) -> int:
    """The flag that older versions want to be told; TensorRT 11 knows no other networks."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _log(trt: ModuleType) -> Any:
    """A logger that keeps the last error instead of printing it: it belongs into the exception."""

    class Log(trt.ILogger):  # type: ignore[name-defined, misc]
        last_error = "no reason given"

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.last_error = message

    return Log()


def _timings(trt: ModuleType, folder: Path, gpu: str) -> Path | None:
    """Where the measurements of one GPU and version are kept; none for RTX, whose plans are finished where they run."""
    if trt.__name__ == "tensorrt_rtx":
        return None
    return folder / f"timing-{trt.__version__}-{hashlib.sha256(gpu.encode()).hexdigest()[:16]}.cache"


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
