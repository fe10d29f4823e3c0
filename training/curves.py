"""Loss and PSNR of a run as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_COUNTS = {"step", "elapsed_s", "pictures", "loss"}


def draw_curves(history: list[dict[str, Any]], path: Path, title: str) -> None:
    """Write a PNG with the loss and the PSNR of every validation set over the steps."""
    steps = [row["step"] for row in history]
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    loss, quality = figure.subplots(1, 2)
    loss.plot(steps, [row["loss"] for row in history], color="tab:gray")
    loss.set(title=f"{title}: training loss", xlabel="step", yscale="log")
    for name in [key for key in history[-1] if key not in _COUNTS]:
        quality.plot(steps, [row.get(name) for row in history], marker=".", label=f"{name}, {history[-1][name]:.2f} dB")
    quality.set(title="PSNR on pictures never trained on", xlabel="step", ylabel="dB")
    quality.grid(alpha=0.3)
    quality.legend()
    figure.savefig(path, dpi=110)
