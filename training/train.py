"""The training loop: a recipe in, a run folder out (checkpoint.pt, best.safetensors, history.json, curves.png)."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.build import create
from models.network import RestorationNetwork
from training import checkpoint, degradations
from training.checkpoint import Progress
from training.curves import draw_curves
from training.dataset import Photographs, pictures, read_pairs, without
from training.losses import LOSSES
from training.recipe import Recipe
from training.schedule import learning_rate, phase, share_done
from training.validation import Validation


def train(
    recipe: Recipe,
    data: Path,
    run: Path,
    *,
    device: torch.device,
    limit_s: float | None = None,
    save_every_s: float = 120,
    compiled: bool = False,
    init: dict[str, Tensor] | None = None,
) -> Progress:
    """Train, going on from the run folder's checkpoint if there is one, until the schedule or the time limit is done.

    `data` is the folder that the recipe's paths are relative to; with `limit_s` the schedule is cut to end by then
    (elapsed time of resumed runs counts). `init` are weights to start a new run from.
    """
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    network = create(recipe.network, recipe.config).to(device).train()
    if init is not None:
        network.load_state_dict(init)
    average = _Average(network, recipe.schedule.ema)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=0.0, betas=recipe.schedule.betas, weight_decay=recipe.schedule.weight_decay
    )
    generator = torch.Generator().manual_seed(recipe.seed)
    progress = Progress()
    if (run / "checkpoint.pt").exists():
        progress, parts = checkpoint.restore(run / "checkpoint.pt")
        network.load_state_dict(parts["network"])
        average.state = {key: value.to(device) for key, value in parts["average"].items()}
        optimizer.load_state_dict(parts["optimizer"])
        generator.set_state(parts["generator"])

    validation = Validation.of(recipe, data)
    photographs = Photographs(_clean(recipe, data), device)
    degrade = degradations.create(**_resolved(recipe, data))
    forward: Callable[[Tensor], Tensor] = torch.compile(network) if compiled else network
    loss_of = LOSSES[recipe.loss]
    scratch = create(recipe.network, recipe.config).to(device).eval()

    def save() -> None:
        checkpoint.save(
            run / "checkpoint.pt",
            progress,
            network=network.state_dict(),
            average=average.state,
            optimizer=optimizer.state_dict(),
            generator=generator.get_state(),
        )

    def validate(loss: float) -> None:
        scratch.load_state_dict(average.state)
        psnr = validation.psnr(scratch, device)
        row = {
            "step": progress.step,
            "elapsed_s": progress.elapsed_s,
            "pictures": progress.pictures,
            "loss": loss,
            **psnr,
        }
        progress.history.append(row)
        (run / "history.json").write_text(json.dumps(progress.history, indent=1))
        draw_curves(progress.history, run / "curves.png", recipe.name)
        mean = sum(psnr.values()) / max(len(psnr), 1)
        bar.write(f"step {progress.step}  loss {loss:.5f}  " + "  ".join(f"{k} {v:.2f} dB" for k, v in psnr.items()))
        if mean > progress.best_psnr:
            progress.best_psnr = mean
            checkpoint.save_weights(run / "best.safetensors", average.state)

    started, saved = time.monotonic() - progress.elapsed_s, time.monotonic()
    bar = tqdm(total=recipe.schedule.steps, initial=progress.step, desc=recipe.name, unit="step", dynamic_ncols=True)
    smooth = math.nan
    while (share := share_done(recipe.schedule, progress.step, progress.elapsed_s, limit_s)) < 1:
        size = phase(recipe.schedule, share)
        degraded, target = degrade(photographs.crops(size.batch, size.patch, generator), generator)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe.schedule, progress.step + 1, share)
        with torch.autocast(device.type, torch.bfloat16):
            restored = forward(degraded)
        loss = loss_of(restored.float(), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), recipe.schedule.clip_norm)
        optimizer.step()
        average.update(network, progress.step)

        progress.step += 1
        progress.pictures += size.batch
        progress.elapsed_s = time.monotonic() - started
        bar.update()
        if progress.step % 20 == 0:
            value = loss.item()
            smooth = value if math.isnan(smooth) else 0.95 * smooth + 0.05 * value
            bar.set_postfix(loss=f"{smooth:.5f}", patch=size.patch, refresh=False)
        if progress.step % recipe.schedule.validate_every == 0:
            validate(smooth)
        if time.monotonic() - saved > save_every_s:
            save()
            saved = time.monotonic()
    validate(smooth)
    save()
    bar.close()
    return progress


class _Average:
    """Exponential moving average of the weights, which is what is validated and shipped."""

    def __init__(self, network: RestorationNetwork, decay: float) -> None:
        self.decay = decay
        self.state = {key: value.detach().clone() for key, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: RestorationNetwork, step: int) -> None:
        """Move towards the network; in the first steps faster, so that the random start is forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)


def _clean(recipe: Recipe, data: Path) -> list[Path]:
    """The clean pictures of the recipe, without the photographs of held-out pairs."""
    paths = [path for folder in recipe.data.clean for path in pictures(data / folder)]
    if recipe.data.pairs is None:
        return paths
    held_out = [pair.clean for pair in read_pairs(data / recipe.data.pairs) if pair.name in recipe.data.held_out]
    return without(paths, held_out)


def _resolved(recipe: Recipe, data: Path) -> dict[str, Any]:
    """The degradation's options; one that needs the pairs gets them, less the held-out ones."""
    options = dict(recipe.degradation)
    if recipe.data.pairs is not None:
        options |= {"pairs": data / recipe.data.pairs, "held_out": recipe.data.held_out}
    return options
