"""SemanIR's Table 1 with our three implementations: memory and time of key-semantic attention by N and k.

    python -m benchmarks.key_semantic_attention [--json]

One layer's attention, forward, as in the networks: 180 channels in 6 heads, a batch of windows of N tokens, the
dictionary found beforehand (rows named `select` are its own cost). On a GPU: float16, N up to 8192, peak memory above
the inputs, medians between events, and every answer checked against `mask` in float32. Without one: float32 on the CPU,
mask and gather alone, and the growth of the process's resident set as its memory; that says nothing of a GPU's time.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import memory
from models.layers.windows import Size
from models.semanir.attention import Implementation, attend
from models.semanir.dictionary import Dictionary, most_similar

DIM, HEADS = 180, 6
WINDOWS: dict[int, Size] = {512: (16, 32), 1024: (32, 32), 2048: (32, 64), 4096: (64, 64), 8192: (64, 128)}
KEYS = (32, 64, 128, 256, 512)
ON_CPU = (32, 128, 512)


@dataclass(frozen=True)
class Row:
    """One measurement; a value is None where the card's memory did not suffice.

    Attributes:
        tokens: N. top_k: k. implementation: or "select" for finding the dictionary.
        milliseconds: median time of one call.
        mebibytes: peak memory above the inputs.
        error: largest difference from `mask` in float32; None where that did not fit or is the row itself.
    """

    tokens: int
    top_k: int
    implementation: str
    milliseconds: float | None
    mebibytes: float | None
    error: float | None


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--batch", type=int, help="windows at once (default: 16 on a GPU, 1 on a CPU)")
    parser.add_argument("--repeats", type=int, default=5, help="calls per measurement after one to warm up")
    options = parser.parse_args()
    on_gpu = torch.cuda.is_available()
    batch = options.batch or (16 if on_gpu else 1)
    device = torch.cuda.get_device_name() if on_gpu else f"CPU, {torch.get_num_threads()} threads; no GPU here"
    if not options.json:
        print(f"{device}, torch {torch.__version__}, {batch} windows of N tokens, {DIM} channels, {HEADS} heads")
        print(f"{'N':>5} {'k':>4}  {'':8} {'ms':>10} {'MiB':>10} {'error':>9}", flush=True)
    rows = []
    for row in measure_all(on_gpu, batch, options.repeats):
        rows.append(row)
        if not options.json:
            cells = [_cell(row.milliseconds, "10.2f"), _cell(row.mebibytes, "10.0f"), _cell(row.error, "9.1e")]
            print(f"{row.tokens:5} {row.top_k:4}  {row.implementation:8} {' '.join(cells)}", flush=True)
    if options.json:
        print(
            json.dumps(
                {"device": device, "torch": torch.__version__, "batch": batch, "rows": [asdict(r) for r in rows]}
            )
        )
    return 0


def _cell(value: float | None, form: str) -> str:
    return f"{'-':>{form.split('.')[0]}}" if value is None else f"{value:{form}}"


def measure_all(on_gpu: bool, batch: int, repeats: int) -> Iterator[Row]:
    """Measure every N and k with every implementation that runs here."""
    device, dtype = ("cuda", torch.float16) if on_gpu else ("cpu", torch.float32)
    implementations: tuple[Implementation, ...] = ("mask", "gather", "triton") if on_gpu else ("mask", "gather")
    for tokens, window in WINDOWS.items():
        for top_k in KEYS if on_gpu else ON_CPU:
            torch.manual_seed(0)
            features = torch.randn(batch, tokens, DIM, device=device)
            q, k, v = torch.randn(3, batch, tokens, HEADS, DIM // HEADS, device=device, dtype=dtype).transpose(2, 3)
            q = q / (DIM // HEADS) ** 0.5
            bias = torch.randn(HEADS, 2 * window[0] - 1, 2 * window[1] - 1, device=device, dtype=dtype)
            dictionary = most_similar(features, window, top_k)

            def select(features: Tensor = features, window: Size = window, top_k: int = top_k) -> Tensor:
                return most_similar(features, window, top_k).keys

            yield Row(tokens, top_k, "select", *measure(select, repeats)[:2], None)
            exact = _reference(q, k, v, dictionary, bias) if on_gpu else None
            for implementation in implementations:

                def run(
                    implementation: Implementation = implementation,
                    inputs: tuple[Tensor, ...] = (q, k, v, bias),
                    keys: Tensor = dictionary.keys,
                    window: Size = window,
                ) -> Tensor:
                    q, k, v, bias = inputs
                    # A dictionary of its own: what it derives from the keys belongs to the implementation's cost.
                    return attend(q, k, v, Dictionary(keys, window), bias, implementation)

                milliseconds, mebibytes, answer = measure(run, repeats)
                if exact is None and implementation == "mask":
                    exact, error = answer, None
                else:
                    error = None if answer is None or exact is None else (answer.float() - exact).abs().max().item()
                yield Row(tokens, top_k, implementation, milliseconds, mebibytes, error)


def _reference(q: Tensor, k: Tensor, v: Tensor, dictionary: Dictionary, bias: Tensor) -> Tensor | None:
    try:
        return attend(q.float(), k.float(), v.float(), dictionary, bias.float(), "mask")
    except torch.cuda.OutOfMemoryError:
        return None


def measure(run: Callable[[], Tensor], repeats: int) -> tuple[float | None, float | None, Tensor | None]:
    """Median milliseconds, peak MiB above what was held before, and the answer; None where memory ended."""
    if not torch.cuda.is_available():
        return _measure_on_cpu(run, repeats)
    torch.cuda.empty_cache()
    held = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    try:
        answer = run()
        times = []
        for _ in range(repeats):
            start_event, end_event = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start_event.record()
            run()
            end_event.record()
            torch.cuda.synchronize()
            times.append(start_event.elapsed_time(end_event))
    except torch.cuda.OutOfMemoryError:
        return None, None, None
    return statistics.median(times), (torch.cuda.max_memory_allocated() - held) / 2**20, answer


def _measure_on_cpu(run: Callable[[], Tensor], repeats: int) -> tuple[float, float, Tensor]:
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak of the resident set starts anew (Linux)
    held = memory.now()
    answer, times = run(), []
    mebibytes = (memory.peak() - held) / 2**20
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times), mebibytes, answer


if __name__ == "__main__":
    sys.exit(main())
