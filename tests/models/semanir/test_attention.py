from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.layers.windows import Size
from models.semanir.attention import attend
from models.semanir.dictionary import most_similar

CHECK = Path(__file__).with_name("check_triton.py")


def case(window: Size, heads: int, width: int, top_k: int, dtype: torch.dtype = torch.float32) -> tuple:
    torch.manual_seed(0)
    count = window[0] * window[1]
    filled = torch.rand(2, count) > 0.8
    listed = most_similar(torch.randn(4, count, 8), window, top_k, filled)
    q, k, v = torch.randn(3, 4, heads, count, width, dtype=dtype).unbind()
    return q / 4, k, v, listed, torch.randn(heads, 2 * window[0] - 1, 2 * window[1] - 1, dtype=dtype)


@pytest.mark.parametrize("window", [(8, 8), (4, 8)])
@pytest.mark.parametrize("top_k", [1, 9, 31])
def test_mask_and_gather_agree(window: Size, top_k: int) -> None:
    arguments = case(window, 3, 10, top_k)
    assert (attend(*arguments, "gather") - attend(*arguments, "mask")).abs().max() <= 1e-5


def test_mask_is_the_softmax_over_the_listed_keys() -> None:
    q, k, v, listed, bias = case((4, 4), 2, 6, 5, torch.float64)
    answer = attend(q, k, v, listed, bias, "mask")
    for group, head, token in ((0, 0, 0), (3, 1, 15), (1, 0, 6)):
        keys = [int(key) for key in listed.keys[group, token] if key >= 0]
        scores = torch.stack(
            [
                q[group, head, token] @ k[group, head, key]
                + bias[head, token // 4 - key // 4 + 3, token % 4 - key % 4 + 3]
                for key in keys
            ]
        )
        expected = scores.softmax(0) @ v[group, head, keys]
        assert (answer[group, head, token] - expected).abs().max() <= 1e-12


@pytest.mark.parametrize("implementation", ["mask", "gather"])
def test_less_memory_at_a_time_changes_nothing(implementation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = case((4, 4), 2, 6, 5)
    expected = attend(*arguments, implementation)
    monkeypatch.setattr("models.layers.chunks.CHUNK_ELEMENTS", 1)
    assert (attend(*arguments, implementation) - expected).abs().max() <= 1e-6


def run_check(*arguments: str, **environment: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, CHECK, *arguments], env=os.environ | environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_triton_kernel_agrees_with_gather_under_its_interpreter() -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    errors = run_check("cpu", TRITON_INTERPRET="1")
    assert errors["float32"] <= 1e-5
    assert errors["float16"] <= 2e-3


def test_a_network_with_the_kernel_is_the_one_without_and_compiles_to_one_graph() -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    errors = run_check("network", TRITON_INTERPRET="1")
    assert set(errors) == {"eager", "compiled"}
    assert max(errors.values()) <= 1e-5


@pytest.mark.gpu
def test_the_triton_kernel_agrees_with_gather_on_the_card() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    errors = run_check("cuda")
    assert errors["float32"] <= 1e-5
    assert errors["float16"] <= 2e-3


def test_without_a_card_the_kernel_says_what_it_needs() -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    if os.environ.get("TRITON_INTERPRET") == "1":
        pytest.skip("the interpreter is on: the kernel runs here")
    with pytest.raises(ValueError, match="needs a CUDA device"):
        attend(*case((4, 4), 2, 6, 5), "triton")


def test_the_kernel_compiles_ahead_of_time() -> None:
    pytest.importorskip("triton", reason="triton is not installed")
    sizes = run_check("compile", "80", "90", "120", TRITON_INTERPRET="0")
    assert sizes.keys() == {"sm_80", "sm_90", "sm_120"}
    assert all(size > 0 for size in sizes.values())
