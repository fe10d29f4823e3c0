"""`unseam bench training`: how fast every recipe learns here, beside its network as the paper writes it.

As written means every branch of a re-parameterised convolution by itself, and torch's own gradient of depthwise
convolutions. A step is all that training does but reading pictures: forward in bfloat16, loss, backward, optimizer.
The share is that of the rate of a bare bfloat16 matrix product, measured in the same run; a training step counts as
three times the network's multiply-accumulates.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.as_written import as_written

if TYPE_CHECKING:
    from models.network import RestorationNetwork
    from training.recipe import Recipe

ENOUGH_S = 6.0  # of steps, after one that warms up


@dataclass(frozen=True)
class Row:
    """One recipe; seconds are the process's CPU time, which another program's load does not touch."""

    recipe: str
    crop: int
    crops_per_s: float
    crops_per_s_as_written: float
    share_of_matrix_rate: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="shipped recipes (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Measure every recipe on one thread; print a row as it is known."""
    import torch

    from training.recipe import RECIPES, Recipe

    torch.set_num_threads(1)
    rate = _matrix_rate()
    names = args.recipes or sorted(path.stem for path in RECIPES.glob("*.toml"))
    rows = []
    for recipe in map(Recipe.named, names):
        rows.append(_row(recipe, rate))
        if not args.json:
            print(_line(rows[-1]), flush=True)
    if args.json:
        print(json.dumps({"macs_per_s": rate, "rows": [asdict(row) for row in rows]}))
    return 0


def _row(recipe: Recipe, rate: float) -> Row:
    import torch

    from models.build import create
    from models.count import count

    size = recipe.schedule.phases[0]
    torch.manual_seed(0)
    network = create(recipe.network, recipe.config).train()
    side = -(-size.patch // network.scale)
    macs = count(network, -(-side // network.lattice) * network.lattice).macs
    seconds = _seconds_per_step(network, recipe, side) / size.batch
    with as_written():
        written = _seconds_per_step(network, recipe, side) / size.batch
    return Row(recipe.name, size.patch, 1 / seconds, 1 / written, 3 * macs / seconds / rate)


def _seconds_per_step(network: RestorationNetwork, recipe: Recipe, side: int) -> float:
    import torch

    from training.losses import LOSSES
    from training.optimizer import create_optimizer

    size = recipe.schedule.phases[0]
    degraded = torch.rand(size.batch, network.in_channels, side, side)
    target = torch.rand(size.batch, network.out_channels, side * network.scale, side * network.scale)
    optimizer = create_optimizer(network, recipe.schedule)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            restored = network(degraded)
        optimizer.zero_grad(set_to_none=True)
        LOSSES[size.loss](restored.float(), target).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return _seconds(step)


def _seconds(call: Callable[[], Any]) -> float:
    """CPU seconds of the quickest call, of as many as there is time for."""
    call()
    taken: list[float] = []
    while sum(taken) < ENOUGH_S:
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


def _matrix_rate() -> float:
    """Multiply-accumulates a second of a bare matrix product in bfloat16 on one thread."""
    import torch

    a = torch.randn(1024, 1024, dtype=torch.bfloat16)
    b = torch.randn(1024, 1024, dtype=torch.bfloat16)
    return 1024**3 / _seconds(lambda: a @ b)


def _line(row: Row) -> str:
    return (
        f"{row.recipe:<28} {row.crops_per_s:6.2f} crops of {row.crop}x{row.crop} a second, "
        f"{row.crops_per_s / row.crops_per_s_as_written:.2f} times as written, "
        f"{100 * row.share_of_matrix_rate:.0f} % of the matrix rate"
    )
