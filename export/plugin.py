"""`unseam::key_semantic_attention` inside TensorRT: the Triton kernel, compiled when an engine is built.

The engine holds the kernel's PTX and runs without Python. TensorRT has such plugins since 10.8 (`tensorrt.plugin`);
TensorRT for RTX has none, and there, as wherever Triton is not installed, graphs run the function's body instead.
"""
# `tensorrt.plugin` reads annotations as classes, so they must not become text: no `from __future__` here.
# mypy: disable-error-code="import-untyped"

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

NAME: Final = "unseam::key_semantic_attention"
ARCHITECTURE: Final = 80  # drivers translate PTX for later cards, never for earlier ones
PTX_VERSION: Final = 80  # CUDA 12.0, the oldest that TensorRT 11 runs on


@dataclass(frozen=True)
class Compiled:
    """The kernel for one shape of attention.

    Attributes:
        entry: its name in the PTX.
        ptx: takes the addresses of q, k, v, keys, bias and the answer, in this order, and nothing else.
        threads: of a block; there is one block for each token of each window (x), and for each head (y).
        shared_bytes: of a block's shared memory.
    """

    entry: str
    ptx: str
    threads: int
    shared_bytes: int


def register(trt: ModuleType) -> bool:
    """Let TensorRT know the plugin, once a process; False where it has to do with the function's body."""
    if not find_spec("triton") or not find_spec(f"{trt.__name__}.plugin"):
        return False
    try:
        plugin = import_module(f"{trt.__name__}.plugin")
    except ImportError:  # TensorRT for RTX brings the module without what it stands on
        return False
    return hasattr(plugin, "aot_impl") and _register(plugin)


def identity(trt: ModuleType) -> str:
    """What an engine built here depends on for the plugin's sake: the kernel's source and its compiler, or nothing."""
    if not register(trt):
        return "no plugin"
    kernel = find_spec("models.semanir.triton_kernel")
    assert kernel
    assert kernel.origin
    source = hashlib.sha256(Path(kernel.origin).read_bytes()).hexdigest()
    return f"{NAME} {source} triton {version('triton')}"


@cache
def _register(plugin: Any) -> bool:
    desc: Any = plugin.TensorDesc
    answer: Any = tuple[str | bytes, str | bytes, plugin.KernelLaunchParams, plugin.SymIntExprs]

    def describe(q: desc, k: desc, v: desc, keys: desc, bias: desc) -> desc:
        return q.like()

    def implement(q: desc, k: desc, v: desc, keys: desc, bias: desc, outputs: tuple[desc], tactic: int) -> answer:
        groups = q.shape_expr[0]
        heads, tokens, head_dim = (q.shape_expr[axis].constant_value() for axis in (1, 2, 3))
        height, width = ((bias.shape_expr[axis].constant_value() + 1) // 2 for axis in (1, 2))
        listed = keys.shape_expr[2].constant_value()
        kernel = compiled(_element(q.dtype), heads, tokens, listed, height, width, head_dim)
        launch = plugin.KernelLaunchParams()
        launch.grid_x, launch.grid_y = groups * tokens, heads
        launch.block_x, launch.shared_mem = kernel.threads, kernel.shared_bytes
        return kernel.entry.encode(), kernel.ptx.encode(), launch, plugin.SymIntExprs(0)

    plugin.register(NAME)(describe)
    plugin.aot_impl(NAME)(implement)
    return True


def _element(dtype: Any) -> str:
    """Triton's name of a TensorRT type."""
    return {"FLOAT": "fp32", "HALF": "fp16", "BF16": "bf16"}[dtype.name]


@cache
def compiled(element: str, heads: int, tokens: int, listed: int, height: int, width: int, head_dim: int) -> Compiled:
    """The kernel for contiguous tensors of this shape; needs Triton, and no GPU.

    Args:
        element: "fp32", "fp16" or "bf16", of all tensors but the keys.
        heads: attention heads.
        tokens: N of a window, height * width.
        listed: k, keys of a token.
        height: of a window.
        width: of a window.
        head_dim: channels of a head.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from models.semanir.triton_kernel import WARPS, blocks, packed

    constants = {
        "heads": heads,
        "tokens": tokens,
        "listed": listed,
        "height": height,
        "width": width,
        "head_dim": head_dim,
        **blocks(head_dim, listed),
    }
    pointers = [name for name in packed.arg_names if name not in constants]
    types = dict.fromkeys(pointers, f"*{element}") | {"keys_ptr": "*i32"} | dict.fromkeys(constants, "constexpr")
    made = triton.compile(
        ASTSource(fn=packed, signature=types, constexprs=constants),
        target=GPUTarget("cuda", ARCHITECTURE, 32),
        options={"num_warps": WARPS, "ptx_version": PTX_VERSION, "enable_fp_fusion": True},
    )
    entry = made.metadata.name
    return Compiled(entry, _bare(made.asm["ptx"], entry, len(pointers)), 32 * WARPS, made.metadata.shared)


def _bare(ptx: str, entry: str, pointers: int) -> str:
    """PTX without the parameters after the first `pointers`: Triton's own launcher fills them, TensorRT would not.

    Raises RuntimeError if the kernel reads one of them.
    """
    head, body = re.search(rf"\.entry {entry}\((.*?)\)", ptx, re.DOTALL), f"{entry}_param_"
    if not head:
        raise RuntimeError(f"Triton wrote no entry {entry}")
    parameters = [parameter.strip() for parameter in head[1].split(",")]
    rest = ptx[: head.start(1)] + ptx[head.end(1) :]
    if any(f"{body}{place}]" in rest for place in range(pointers, len(parameters))):
        raise RuntimeError(f"{entry} needs memory that only Triton's launcher gives")
    kept = ",\n\t".join(parameters[:pointers])
    return f"{ptx[: head.start(1)]}\n\t{kept}\n{ptx[head.end(1) :]}"
