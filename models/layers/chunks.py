"""Running over many windows in runs that fit memory, which changes the time and never the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

CHUNK_ELEMENTS = 1 << 27  # largest intermediate tensor outside of an exported graph: 512 MiB in float32


def exporting() -> bool:
    """Whether a graph is being made rather than a result."""
    return torch.onnx.is_in_onnx_export() or torch.compiler.is_exporting()


def in_chunks(run: Callable[[slice], Tensor], count: int, elements: int) -> Tensor:
    """Concatenate `run(part)` over parts of `count` windows, each part with at most `CHUNK_ELEMENTS`.

    Args:
        run: makes the rows `part` of the result.
        count: windows in all.
        elements: of the largest intermediate tensor, for one window.
    """
    parts = [run(part) for part in chunks(count, elements, CHUNK_ELEMENTS)]
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def chunks(count: int, elements: int, most: int) -> Iterator[slice]:
    """Slices of `count` things of so many elements each, at most `most` in a slice or one thing."""
    if exporting():
        yield slice(None)  # a graph takes any number of things
        return
    step = max(1, most // elements)
    if count <= step:
        yield slice(None)  # no loop: one over a number that torch.compile leaves open would fix it
        return
    for start in range(0, count, step):
        yield slice(start, start + step)
