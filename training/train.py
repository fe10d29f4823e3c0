"""The training loop: a recipe in, a run folder out (checkpoint.pt, best.safetensors, history.json, curves.png)."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.build import create, load_weights
from models.layers.rep_conv import merged
from training import checkpoint
from training.average import Average
from training.batches import Batches
from training.beginning import Beginning, begin_from, begin_quietly
from training.checkpoint import CheckpointError, Progress
from training.curves import draw_curves
from training.losses import LOSSES, colour_shift
from training.optimizer import create_optimizer, follow
from training.recipe import Recipe
from training.rehearsal import rehearse
from training.schedule import learning_rate, phase, share_done
from training.validation import Validation

SAVE_EVERY_S = 120
LOSS_EVERY = 20  # reading the loss waits for the device, so not at every step


class TrainError(RuntimeError):
    """The run cannot go on; the text says why."""


class Trainer:
    """One run: a network, its average, its optimizer, and how far they are.

    Goes on from the run folder's checkpoint if there is one; `beginning` is what a new run starts from
    (`training.beginning.begin_from`). Raises CheckpointError for a checkpoint of another recipe or network, and for
    weights without one, which a new run would overwrite.
    """

    def __init__(
        self,
        recipe: Recipe,
        batches: Batches,
        validation: Validation,
        run: Path,
        device: torch.device,
        beginning: Beginning | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.batches, self.validation = recipe, batches, validation
        self.run, self.device = run, device
        self.network = create(recipe.network, recipe.config).to(device).train()
        begin_quietly(self.network)
        if beginning:
            begin_from(self.network, beginning)
        self.optimizer = create_optimizer(self.network, recipe.schedule)
        self.average = Average(self.network, recipe.schedule.ema)
        self.validated = create(recipe.network, recipe.config).to(device).eval()
        self.generator = torch.Generator().manual_seed(recipe.seed)
        rehearse(recipe, self.network.scale, batches, validation)
        self.progress = Progress(began_from=beginning.name if beginning else None)
        run.mkdir(parents=True, exist_ok=True)
        if (run / checkpoint.CHECKPOINT).exists():
            self._resume()
        elif (run / checkpoint.BEST).exists():
            raise CheckpointError(f"{run} holds weights but no checkpoint: name another --run, or --init them")

    def train(
        self,
        limit_s: float | None = None,
        *,
        compiled: bool = False,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Progress:
        """Train until the schedule is done; `limit_s` (seconds, resumed runs counted in) cuts it to end by then.

        Raises:
            KeyboardInterrupt: `stopping`, asked after every step, said so; the run is saved.
            TrainError: the run has diverged.
        """
        schedule, progress = self.recipe.schedule, self.progress
        forward = torch.compile(self.network) if compiled else self.network
        started, saved = time.monotonic() - progress.elapsed_s, time.monotonic()
        bar = tqdm(total=schedule.steps, initial=progress.step, desc=self.recipe.name, unit="step", dynamic_ncols=True)
        with bar:
            while (share := share_done(schedule, progress.step, progress.elapsed_s, limit_s)) < 1:
                loss = self._step(forward, share)
                progress.elapsed_s = time.monotonic() - started
                bar.update()
                if progress.step % LOSS_EVERY == 0 or math.isnan(progress.loss):  # a history has no NaN
                    self._check_finite([loss])
                    progress.see_loss(loss.item())
                    bar.set_postfix(loss=f"{progress.loss:.5f}", refresh=False)
                if validated := progress.step % schedule.validate_every == 0:
                    bar.write(self._validate())
                # With every validation too: the best weights never lie there without what goes on from them.
                if (stopped := stopping()) or validated or time.monotonic() - saved > SAVE_EVERY_S:
                    self._save()
                    saved = time.monotonic()
                if stopped:
                    bar.write(f"stopped at step {progress.step}, and saved in {self.run}")
                    raise KeyboardInterrupt
            if not progress.history or progress.history[-1]["step"] < progress.step:
                bar.write(self._validate())
            self._save()
        return progress

    def _step(self, forward: Callable[[Tensor], Tensor], share: float) -> Tensor:
        """One optimizer step on one batch; returns its loss."""
        schedule = self.recipe.schedule
        size = phase(schedule, share)
        degraded, target = self.batches(size, self.generator)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(schedule, self.progress.step + 1, share)
        with torch.autocast(self.device.type, torch.bfloat16):
            restored = forward(degraded).float()
        loss = LOSSES[size.loss](restored, target) + size.colour_shift * colour_shift(restored, degraded)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), schedule.clip_norm)
        self.optimizer.step()
        self.average.update(self.network, self.progress.step)
        self.progress.step += 1
        self.progress.pictures += size.batch
        return loss.detach()

    def _check_finite(self, values: Iterable[Tensor]) -> None:
        """Raise TrainError where the run has diverged: nothing that comes of it is kept."""
        if not all(value.isfinite().all() for value in values):
            raise TrainError(
                f"{self.run} has diverged by step {self.progress.step}; lower the recipe's lr, then go on from "
                "its last save or begin anew in another --run"
            )

    def _validate(self) -> str:
        """Measure the averaged weights, keep them if they are the best so far, and say in a line how they do."""
        progress = self.progress
        self.validated.load_state_dict(self.average.state)
        psnr = self.validation.psnr(self.validated, self.device)
        self._check_finite([*self.average.state.values(), torch.tensor(list(psnr.values()))])
        progress.history.append(
            {
                "step": progress.step,
                "elapsed_s": progress.elapsed_s,
                "pictures": progress.pictures,
                "loss": progress.loss,
                **psnr,
            }
        )
        (self.run / "history.json").write_text(json.dumps(progress.history, indent=1))
        draw_curves(progress.history, self.run / "curves.png", self.recipe.name)
        if (score := self.validation.score(psnr)) >= progress.best_psnr:
            progress.best_psnr = score
            weights = merged(self.network, self.average.state)
            checkpoint.save_weights(self.run / checkpoint.BEST, weights, progress.began_from)
        sets = "  ".join(f"{name} {value:.2f} dB" for name, value in psnr.items())
        return f"step {progress.step}  loss {progress.loss:.5f}  {sets}"

    def _save(self) -> None:
        self._check_finite(self.network.state_dict().values())
        checkpoint.save(
            self.run / checkpoint.CHECKPOINT,
            self.progress,
            recipe=self._identity(),
            network=self.network.state_dict(),
            average=self.average.state,
            optimizer=self.optimizer.state_dict(),
            generator=self.generator.get_state(),
        )

    def _resume(self) -> None:
        self.progress, parts = checkpoint.restore(self.run / checkpoint.CHECKPOINT)
        mine = self._identity()
        if (other := parts.get("recipe", mine)) != mine:  # checkpoints did not always say whose they are
            raise CheckpointError(f"{self.run} is a run of {_words(other)}, not of {_words(mine)}; name another --run")
        try:
            self.network.load_state_dict(parts["network"])
            self.average.state = {key: value.to(self.device) for key, value in parts["average"].items()}
            self.optimizer.load_state_dict(parts["optimizer"])
            self.generator.set_state(parts["generator"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"{self.run} is a run of another network or optimizer; name another --run") from error
        self._check_finite(parts["network"].values())
        follow(self.optimizer, self.recipe.schedule)  # the recipe as it is now, like everything else in it
        if (self.run / checkpoint.BEST).exists():  # judged anew, as the recipe may have other validation sets by now
            load_weights(self.validated, self.run / checkpoint.BEST)
            self.progress.best_psnr = self.validation.score(self.validation.psnr(self.validated, self.device))

    def _identity(self) -> dict[str, str]:
        """What a run keeps from beginning to end; all else in its recipe may change."""
        return self.recipe.model_dump(include={"name", "task", "network", "config"})


def _words(identity: Mapping[str, str]) -> str:
    return "{name} ({task}, {network}/{config})".format_map(identity)
