"""Runs the Triton kernel in both forms beside `gather`, or compiles it, in a process of its own.

TRITON_INTERPRET counts when Triton is imported, and the test session may have imported it.

check_triton.py cpu|cuda        {"float32": largest error, "float16": ...}
check_triton.py network         {"eager": largest error against `mask`, "compiled": in one graph}
check_triton.py compile SM ...  {"sm_...": bytes of PTX, ...}
"""

from __future__ import annotations

import json
import sys

import torch

from export.swap import swap
from models.semanir import triton_kernel
from models.semanir.attention import attend
from models.semanir.dictionary import most_similar
from models.semanir.model import Config, SemanIR
from models.semanir.triton_attention import attend_listed
from models.semanir.triton_kernel import WARPS, blocks, kernel, packed

# (window, heads, width, k): widths that are no power of two, and on a card several blocks of keys.
CASES = {"cpu": (((4, 4), 2, 30, 9),), "cuda": (((4, 4), 2, 30, 9), ((6, 11), 1, 24, 65), ((32, 32), 6, 30, 512))}


def compare(device: str, dtype: torch.dtype) -> float:
    errors = []
    for window, heads, width, top_k in CASES[device]:
        torch.manual_seed(0)
        count = window[0] * window[1]
        listed = most_similar(
            torch.randn(1, count, 8, device=device), window, top_k, torch.rand(1, count, device=device) > 0.9
        )
        token_major = torch.randn(3, 1, count, heads, width, device=device).to(dtype)
        q, k, v = token_major.transpose(2, 3).unbind()  # as the network hands them over
        bias = torch.randn(heads, 2 * window[0] - 1, 2 * window[1] - 1, device=device).to(dtype)
        answer = attend_listed(q / 4, k, v, listed.keys.int(), bias)
        expected = attend(q.float() / 4, k.float(), v.float(), listed, bias.float(), "gather")
        errors.append((answer.float() - expected).abs().max().item())
        errors.append((in_one_piece(q / 4, k, v, listed.keys.int(), bias, window) - expected).abs().max().item())
    return max(errors)


def in_one_piece(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, keys: torch.Tensor, bias: torch.Tensor, window: tuple[int, int]
) -> torch.Tensor:
    """The form for engines, launched as they launch it."""
    groups, heads, tokens, width = q.shape
    out, listed = torch.empty(q.shape, dtype=q.dtype, device=q.device), keys.shape[-1]
    packed[groups * tokens, heads](
        *(q.contiguous(), k.contiguous(), v.contiguous(), keys.contiguous(), bias.contiguous(), out),
        *(heads, tokens, listed, *window, width),
        **blocks(width, listed),
        num_warps=WARPS,
    )
    return out.float()


def compile_for(architecture: int) -> int:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    meta = {"head_dim": 30, "block_dim": 32, "block_keys": 64}
    names = [name for name in kernel.arg_names if name not in meta]
    signature = dict.fromkeys(names, "i32") | dict.fromkeys([n for n in names if n.endswith("_ptr")], "*fp16")
    signature |= {"keys_ptr": "*i32"} | dict.fromkeys(meta, "constexpr")
    source = ASTSource(fn=kernel, signature=signature, constexprs=meta)
    compiled = triton.compile(source, target=GPUTarget("cuda", architecture, 32), options={"num_warps": 2})
    return len(compiled.asm["ptx"])


def in_a_network() -> dict[str, float]:
    """A whole SemanIR of one layer, also as a single graph of torch.compile's: nothing of it falls back to eager."""
    torch.manual_seed(0)
    config = Config(dim=16, num_heads=(2,), down=((1,),), window_size=8, top_k=9, train_top_k=(), bias_hidden=8)
    network = SemanIR(config).eval()
    with torch.inference_mode():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
        fused, tiles = swap(network, "triton"), torch.rand(1, 3, 16, 16)
        expected = network.restore(tiles)
        compiled = torch.compile(fused.restore, fullgraph=True, backend="aot_eager")
        return {
            name: (restore(tiles) - expected).abs().max().item()
            for name, restore in (("eager", fused.restore), ("compiled", compiled))
        }


result: dict[str, float]
if sys.argv[1] == "network":
    result = in_a_network()
elif sys.argv[1] == "compile":
    result = {f"sm_{number}": compile_for(int(number)) for number in sys.argv[2:]}
else:
    if sys.argv[1] == "cpu":
        triton_kernel.BLOCK_KEYS = 4  # several blocks of keys in a small case: the interpreter is slow
    result = {str(dtype)[6:]: compare(sys.argv[1], dtype) for dtype in (torch.float32, torch.float16)}
print(json.dumps(result))  # noqa: T201
