"""Goldens: do our networks, in the papers' own modes, answer as their authors' code does?

A golden is a pair of files: NAME.json with the authors' class (`cls`), its constructor's arguments (`kwargs`) and, for
each of `cases`, how far float32 is from float64 there (`max_abs_fp32_vs_fp64`); NAME.safetensors beside it with
`state_dict.<key>`, `input.<i>` and `output.<i>`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from models.build import create
from models.network import RestorationNetwork

NETWORKS = {"GRL": "grl", "iiTransformer": "iitransformer"}  # by the authors' class
LEAST_TOLERANCE = 1e-4


class GoldenError(ValueError):
    """A golden cannot be read, or describes a network that we do not have; the text says which and why."""


@dataclass(frozen=True)
class Result:
    """One case of one golden.

    Attributes:
        golden: the golden's name.
        case: its place among the golden's cases, from 0.
        input: shape of the input.
        max_abs_error: largest difference from the authors' output; infinite where the shapes differ.
        tolerance: max(1e-4, 3 times the case's own float32 error).
    """

    golden: str
    case: int
    input: tuple[int, ...]
    max_abs_error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance (NaN is not)."""
        return self.max_abs_error <= self.tolerance


def check(paths: Iterable[Path]) -> list[Result]:
    """Run every case of every golden, in order. Raises GoldenError for a file that is no golden of ours."""
    return [result for path in paths for result in check_golden(path)]


def check_golden(path: Path) -> list[Result]:
    """Run every case of the golden whose JSON file is `path`. Raises GoldenError."""
    try:
        golden = json.loads(path.read_text())
        tensors = load_file(path.with_suffix(".safetensors"))
        network = load_published(golden["cls"], golden["kwargs"], _state_dict(tensors))
        with torch.no_grad():
            return [_run(path.stem, network, tensors, index, case) for index, case in enumerate(golden["cases"])]
    except KeyError as error:
        raise GoldenError(f"{path}: {error.args[0]!r} is missing") from error
    except (OSError, TypeError, ValueError, SafetensorError) as error:
        raise GoldenError(f"{path}: {error}") from error


def load_published(cls: str, arguments: dict[str, object], state_dict: dict[str, Tensor]) -> RestorationNetwork:
    """Make a network as its authors' code computes it, with their weights.

    Args:
        cls: the authors' class, with or without its module.
        arguments: of that class's constructor.
        state_dict: of that class, or a published checkpoint.

    Raises:
        ValueError: the class or an argument is not one of ours, or the weights do not fit.
    """
    name = cls.rpartition(".")[2]
    if name not in NETWORKS:
        raise ValueError(f"there is no network for {cls!r}; there are {', '.join(NETWORKS)}")
    keys = import_module(f"models.{NETWORKS[name]}.keys")
    network = create(NETWORKS[name], keys.config(arguments).as_released())
    try:
        network.load_state_dict(keys.weights(state_dict))
    except RuntimeError as error:  # PyTorch lists every key, a line each
        first = str(error).splitlines()[1].strip()[:200]
        raise ValueError(f"the weights do not fit {name}: {first}") from error
    return network.eval()


def _state_dict(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    prefix = "state_dict."
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _run(
    golden: str, network: RestorationNetwork, tensors: dict[str, Tensor], index: int, case: dict[str, float]
) -> Result:
    x, expected = tensors[f"input.{index}"], tensors[f"output.{index}"]
    output = network(x)
    error = float((output - expected).abs().max()) if output.shape == expected.shape else float("inf")
    tolerance = max(LEAST_TOLERANCE, 3 * case["max_abs_fp32_vs_fp64"])
    return Result(golden, index, tuple(x.shape), error, tolerance)
