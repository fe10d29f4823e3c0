from __future__ import annotations

import re
import typing
from types import SimpleNamespace

import pytest

from export import plugin

pytest.importorskip("triton", reason="triton is not installed")

# element, heads, tokens, keys of a token, window, channels of a head
SHAPE = ("fp16", 2, 64, 32, 8, 8, 24)


def test_the_kernel_compiles_without_a_gpu_to_ptx_that_takes_six_addresses() -> None:
    kernel = plugin.compiled(*SHAPE)
    assert re.search(r"^\.target sm_80$", kernel.ptx, re.MULTILINE)
    assert re.search(r"^\.version 8\.0$", kernel.ptx, re.MULTILINE)
    (entry,) = re.findall(r"\.visible \.entry (\w+)\((.*?)\)", kernel.ptx, re.DOTALL)
    assert entry[0] == kernel.entry
    assert [one.split()[:2] for one in entry[1].strip().split(",\n")] == [[".param", ".u64"]] * 6
    assert f".reqntid {kernel.threads}" in kernel.ptx
    assert kernel.shared_bytes < 48 * 1024


def test_each_precision_has_its_own_kernel() -> None:
    texts = {plugin.compiled(element, *SHAPE[1:]).ptx for element in ("fp32", "fp16", "bf16")}
    assert len(texts) == 3


def test_a_kernel_that_reads_what_only_tritons_launcher_gives_is_refused() -> None:
    ptx = (
        ".visible .entry f(\n\t.param .u64 f_param_0,\n\t.param .u64 f_param_1\n)\n{ ld.param.b64 %rd1, [f_param_1]; }"
    )
    with pytest.raises(RuntimeError, match="only Triton's launcher gives"):
        plugin._bare(ptx, "f", 1)


def test_tensorrt_for_rtx_has_no_such_plugins_and_takes_the_body() -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    assert not plugin.register(trt)
    assert plugin.identity(trt) == "no plugin"


class Side(int):
    """A side of a tensor as TensorRT writes it: a number here, an expression where it is not known yet."""

    def constant_value(self) -> int:
        return int(self)


class Desc:
    def __init__(self, dtype: str, *sides: int) -> None:
        self.dtype = SimpleNamespace(name=dtype)
        self.shape_expr = [Side(side) for side in sides]

    def like(self) -> Desc:
        return Desc(self.dtype.name, *self.shape_expr)


def test_tensorrt_is_told_what_to_launch() -> None:
    # TensorRT itself is installed on GPU hosts alone: its side of the contract is written out here.
    told: dict[str, typing.Any] = {}

    def keep(kind: str) -> typing.Any:
        return lambda name: lambda function: told.update({kind: (name, function)})

    stand_in = SimpleNamespace(
        TensorDesc=Desc,
        KernelLaunchParams=type("KernelLaunchParams", (SimpleNamespace,), {}),
        SymIntExprs=type("SymIntExprs", (list,), {"__init__": lambda self, count: None}),
        register=keep("register"),
        aot_impl=keep("aot_impl"),
    )
    assert plugin._register.__wrapped__(stand_in)
    name, describe = told["register"]
    assert name == "unseam::key_semantic_attention"
    assert all(hint is Desc for hint in describe.__annotations__.values())
    q, keys, bias = Desc("HALF", 5, 2, 64, 24), Desc("INT32", 5, 64, 32), Desc("HALF", 2, 15, 15)
    assert describe(q, q, q, keys, bias).shape_expr == [5, 2, 64, 24]
    _, implement = told["aot_impl"]
    assert [*implement.__annotations__][:7] == ["q", "k", "v", "keys", "bias", "outputs", "tactic"]
    entry, ptx, launch, extra = implement(q, q, q, keys, bias, (q,), 0)
    kernel = plugin.compiled(*SHAPE)
    assert (entry, ptx) == (kernel.entry.encode(), kernel.ptx.encode())
    assert (launch.grid_x, launch.grid_y, launch.block_x) == (5 * 64, 2, kernel.threads)
    assert launch.shared_mem == kernel.shared_bytes
    assert extra == []
